"""Use cases of providers and their admission, by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.admission.direct import admit_provider
from registry.admission.history import get_provider, list_provider_changes, list_providers
from registry.admission.publishing import get_admission_criteria, list_admission_criteria, publish_admission_criteria
from registry.admission.standing import reinstate_provider, remove_provider, renew_provider, suspend_provider

METHODS: dict[str, UseCase] = {
    "yrd.registry.v1.RegistryService.AdmitProvider": admit_provider,
    "yrd.registry.v1.RegistryService.SuspendProvider": suspend_provider,
    "yrd.registry.v1.RegistryService.ReinstateProvider": reinstate_provider,
    "yrd.registry.v1.RegistryService.RenewProvider": renew_provider,
    "yrd.registry.v1.RegistryService.RemoveProvider": remove_provider,
    "yrd.registry.v1.RegistryService.GetProvider": get_provider,
    "yrd.registry.v1.RegistryService.ListProviders": list_providers,
    "yrd.registry.v1.RegistryService.ListProviderChanges": list_provider_changes,
    "yrd.registry.v1.AdmissionService.PublishAdmissionCriteria": publish_admission_criteria,
    "yrd.registry.v1.AdmissionService.GetAdmissionCriteria": get_admission_criteria,
    "yrd.registry.v1.AdmissionService.ListAdmissionCriteria": list_admission_criteria,
}
