"""Use cases of the quality service, by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.quality.queries import get_provider_quality, list_quality_providers, list_reviews
from registry.quality.rating import rate_pool
from registry.quality.reviewing import annul_review, submit_review

_SERVICE = "yrd.registry.v1.QualityService"

METHODS: dict[str, UseCase] = {
    f"{_SERVICE}.SubmitReview": submit_review,
    f"{_SERVICE}.AnnulReview": annul_review,
    f"{_SERVICE}.ListReviews": list_reviews,
    f"{_SERVICE}.GetProviderQuality": get_provider_quality,
    f"{_SERVICE}.ListQualityProviders": list_quality_providers,
    f"{_SERVICE}.RatePool": rate_pool,
}
