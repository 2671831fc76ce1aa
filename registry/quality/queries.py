"""Reads of reviews, ratings and the list of quality providers."""

from __future__ import annotations

from datetime import date, datetime

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry import store as pool
from registry.quality import formula as formulas
from registry.quality import store
from registry.quality.codec import never_rated, quality_message, review_message
from yrd.registry.v1 import quality_pb2 as pb


async def get_provider_quality(tx: Transaction, request: pb.GetProviderQualityRequest) -> pb.GetProviderQualityResponse | Refusal:
    """Return a provider's rating on a day, explained. PROVIDER_NOT_FOUND."""
    fields = Fields()
    provider = fields.uscc("provider", request.provider)
    day = _day(fields, request.on, tx.today)
    if fields.refusal is not None:
        return fields.refusal
    if await pool.find_provider(tx.session, provider, tx.today) is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    since = await store.listed_from(tx.session, provider, day)
    found = await store.score_on(tx.session, provider, day)
    message = never_rated(provider, since) if found is None else quality_message(*found, formulas.current(), since)
    return pb.GetProviderQualityResponse(quality=message)


async def list_quality_providers(tx: Transaction, request: pb.ListQualityProvidersRequest) -> pb.ListQualityProvidersResponse | Refusal:
    """List who was on the list of quality providers on a day, by code."""
    fields = Fields()
    if request.home:
        fields.division("home", request.home)
    day = _day(fields, request.on, tx.today)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.word)
    if isinstance(page, Refusal):
        return page
    shown, token = page.cut(await store.page_of_listed(tx.session, request.home, day, page), lambda row: [row[0]])
    providers = [
        pb.QualityProvider(provider=code, name=name, home=home, rating=rating, listed_from=since.isoformat())
        for code, name, home, rating, since in shown
    ]
    return pb.ListQualityProvidersResponse(providers=providers, next_page_token=token)


def _day(fields: Fields, value: str, today: date) -> date:
    day = fields.optional_date("on", value) or today
    if day > today:
        fields.wrong("on", "must not be after today")
    return day


async def list_reviews(tx: Transaction, request: pb.ListReviewsRequest) -> pb.ListReviewsResponse | Refusal:
    """List the reviews of a provider that the caller may read, newest first. PROVIDER_NOT_FOUND."""
    fields = Fields()
    provider = fields.uscc("provider", request.provider)
    page = fields.refusal or keyset.read_page(tx.caller, request, datetime.fromisoformat, keyset.word)
    if isinstance(page, Refusal):
        return page
    known = await pool.find_provider(tx.session, provider, tx.today)
    if known is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    side = "" if tx.caller.sees(known.home) else stem(tx.caller.division)
    found = await store.page_of_reviews(tx.session, provider, side, page)
    shown, token = page.cut(found, lambda row: [row.filed_at.isoformat(), row.order_no])
    return pb.ListReviewsResponse(reviews=[review_message(row) for row in shown], next_page_token=token)
