"""Use cases of providers and their admission, by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.admission.admitting import admit_applicant
from registry.admission.applying import apply_for_admission, withdraw_application
from registry.admission.direct import admit_provider
from registry.admission.history import get_provider, list_provider_changes, list_providers
from registry.admission.listing import get_application, list_applications, list_public_notices
from registry.admission.objecting import list_objections, raise_objection, resolve_objection
from registry.admission.publishing import get_admission_criteria, list_admission_criteria, publish_admission_criteria
from registry.admission.reviewing import decide_review, evaluate_application, record_review_step
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
    "yrd.registry.v1.AdmissionService.ApplyForAdmission": apply_for_admission,
    "yrd.registry.v1.AdmissionService.WithdrawApplication": withdraw_application,
    "yrd.registry.v1.AdmissionService.RecordReviewStep": record_review_step,
    "yrd.registry.v1.AdmissionService.EvaluateApplication": evaluate_application,
    "yrd.registry.v1.AdmissionService.DecideReview": decide_review,
    "yrd.registry.v1.AdmissionService.RaiseObjection": raise_objection,
    "yrd.registry.v1.AdmissionService.ResolveObjection": resolve_objection,
    "yrd.registry.v1.AdmissionService.AdmitApplicant": admit_applicant,
    "yrd.registry.v1.AdmissionService.GetApplication": get_application,
    "yrd.registry.v1.AdmissionService.ListApplications": list_applications,
    "yrd.registry.v1.AdmissionService.ListPublicNotices": list_public_notices,
    "yrd.registry.v1.AdmissionService.ListObjections": list_objections,
}
