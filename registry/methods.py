"""What the pool serves: its services, and its use cases by the full name of their RPC. Composition adds both to the hub's."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from hub.application.transaction import UseCase
from registry.admission import admit_provider
from registry.credit import clear_enterprise, sanction_enterprise
from registry.queries import get_provider, list_providers, list_recognitions
from registry.recognition import recognize_provider, revoke_recognition
from registry.standing import reinstate_provider, suspend_provider
from yrd.credit.v1 import credit_pb2
from yrd.registry.v1 import registry_pb2

# One line for each service of the pool.
SERVICES: tuple[ServiceDescriptor, ...] = (
    registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    credit_pb2.DESCRIPTOR.services_by_name["CreditService"],
)

_REGISTRY: dict[str, UseCase] = {
    "yrd.registry.v1.RegistryService.AdmitProvider": admit_provider,
    "yrd.registry.v1.RegistryService.SuspendProvider": suspend_provider,
    "yrd.registry.v1.RegistryService.ReinstateProvider": reinstate_provider,
    "yrd.registry.v1.RegistryService.RecognizeProvider": recognize_provider,
    "yrd.registry.v1.RegistryService.RevokeRecognition": revoke_recognition,
    "yrd.registry.v1.RegistryService.GetProvider": get_provider,
    "yrd.registry.v1.RegistryService.ListProviders": list_providers,
    "yrd.registry.v1.RegistryService.ListRecognitions": list_recognitions,
}
_CREDIT: dict[str, UseCase] = {
    "yrd.credit.v1.CreditService.SanctionEnterprise": sanction_enterprise,
    "yrd.credit.v1.CreditService.ClearEnterprise": clear_enterprise,
}

# One line for each package, which brings a METHODS of its own.
METHODS: dict[str, UseCase] = {
    **_REGISTRY,
    **_CREDIT,
}
