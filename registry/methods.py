"""The registry's use cases by the full name of their RPC; composition adds them to the hub's."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.admission import admit_provider
from registry.credit import clear_enterprise, sanction_enterprise
from registry.queries import get_provider, list_providers, list_recognitions
from registry.recognition import recognize_provider, revoke_recognition
from registry.standing import reinstate_provider, suspend_provider

METHODS: dict[str, UseCase] = {
    "yrd.registry.v1.RegistryService.AdmitProvider": admit_provider,
    "yrd.registry.v1.RegistryService.SuspendProvider": suspend_provider,
    "yrd.registry.v1.RegistryService.ReinstateProvider": reinstate_provider,
    "yrd.registry.v1.RegistryService.RecognizeProvider": recognize_provider,
    "yrd.registry.v1.RegistryService.RevokeRecognition": revoke_recognition,
    "yrd.registry.v1.RegistryService.GetProvider": get_provider,
    "yrd.registry.v1.RegistryService.ListProviders": list_providers,
    "yrd.registry.v1.RegistryService.ListRecognitions": list_recognitions,
    "yrd.credit.v1.CreditService.SanctionEnterprise": sanction_enterprise,
    "yrd.credit.v1.CreditService.ClearEnterprise": clear_enterprise,
}
