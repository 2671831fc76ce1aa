"""What the pool serves: its services, and its use cases by the full name of their RPC. Composition adds both to the hub's."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from hub.application.transaction import UseCase
from registry.admission import methods as admission
from registry.catalogue import methods as catalogue
from registry.credit import methods as credit
from registry.recognition import methods as recognition
from yrd.credit.v1 import credit_pb2
from yrd.registry.v1 import catalogue_pb2, recognition_pb2, registry_pb2

# One line for each service of the pool.
SERVICES: tuple[ServiceDescriptor, ...] = (
    registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    recognition_pb2.DESCRIPTOR.services_by_name["RecognitionService"],
    credit_pb2.DESCRIPTOR.services_by_name["CreditService"],
    catalogue_pb2.DESCRIPTOR.services_by_name["CatalogueService"],
)

# One line for each package, which brings a METHODS of its own.
METHODS: dict[str, UseCase] = {
    **admission.METHODS,
    **credit.METHODS,
    **recognition.METHODS,
    **catalogue.METHODS,
}
