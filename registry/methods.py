"""What the pool serves: its services, and its use cases by the full name of their RPC. Composition adds both to the hub's."""

from __future__ import annotations

from google.protobuf.descriptor import ServiceDescriptor

from hub.application.transaction import Foresee, UseCase
from registry.admission import methods as admission
from registry.catalogue import methods as catalogue
from registry.credit import methods as credit
from registry.demand import methods as demand
from registry.quality import methods as quality
from registry.recognition import methods as recognition
from registry.search import searching as search
from yrd.credit.v1 import credit_pb2
from yrd.registry.v1 import admission_pb2, catalogue_pb2, demand_pb2, quality_pb2, recognition_pb2, registry_pb2, search_pb2

# One line for each service of the pool.
SERVICES: tuple[ServiceDescriptor, ...] = (
    registry_pb2.DESCRIPTOR.services_by_name["RegistryService"],
    admission_pb2.DESCRIPTOR.services_by_name["AdmissionService"],
    recognition_pb2.DESCRIPTOR.services_by_name["RecognitionService"],
    credit_pb2.DESCRIPTOR.services_by_name["CreditService"],
    quality_pb2.DESCRIPTOR.services_by_name["QualityService"],
    catalogue_pb2.DESCRIPTOR.services_by_name["CatalogueService"],
    search_pb2.DESCRIPTOR.services_by_name["SearchService"],
    demand_pb2.DESCRIPTOR.services_by_name["DemandService"],
)

# One line for each package, which brings a METHODS of its own.
METHODS: dict[str, UseCase] = {
    **admission.METHODS,
    **credit.METHODS,
    **quality.METHODS,
    **recognition.METHODS,
    **catalogue.METHODS,
    **search.METHODS,
    **demand.METHODS,
}

FIRST: dict[str, Foresee] = demand.FIRST
"""What some of them need on the ledger before they run."""
