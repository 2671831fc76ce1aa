"""The use cases of recognition by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.recognition.agreements import end_agreement, list_agreements, register_agreement
from registry.recognition.classes import end_class_recognition, list_class_recognitions, set_class_recognition
from registry.recognition.explaining import explain_recognition, where_recognized
from registry.recognition.listing import get_coverage_matrix, list_recognized_providers
from registry.recognition.naming import bulk_recognize, list_recognitions, recognize_provider, revoke_recognition

_REGISTRY, _RECOGNITION = "yrd.registry.v1.RegistryService", "yrd.registry.v1.RecognitionService"

METHODS: dict[str, UseCase] = {
    f"{_REGISTRY}.RecognizeProvider": recognize_provider,
    f"{_REGISTRY}.RevokeRecognition": revoke_recognition,
    f"{_REGISTRY}.ListRecognitions": list_recognitions,
    f"{_RECOGNITION}.SetClassRecognition": set_class_recognition,
    f"{_RECOGNITION}.EndClassRecognition": end_class_recognition,
    f"{_RECOGNITION}.ListClassRecognitions": list_class_recognitions,
    f"{_RECOGNITION}.BulkRecognize": bulk_recognize,
    f"{_RECOGNITION}.RegisterAgreement": register_agreement,
    f"{_RECOGNITION}.EndAgreement": end_agreement,
    f"{_RECOGNITION}.ListAgreements": list_agreements,
    f"{_RECOGNITION}.ExplainRecognition": explain_recognition,
    f"{_RECOGNITION}.ListRecognizedProviders": list_recognized_providers,
    f"{_RECOGNITION}.WhereRecognized": where_recognized,
    f"{_RECOGNITION}.GetCoverageMatrix": get_coverage_matrix,
}
