"""Reads of the pool, which is open to all participants: as it is, as it was on any day, and what changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.clock import SHANGHAI
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from registry import store
from registry.admission import asof
from registry.admission.asof import Moment
from registry.admission.codec import change_message, provider_message
from registry.admission.tables import ProviderVersionRow
from registry.credit.standing import mark_suspended
from yrd.registry.v1 import registry_pb2 as pb


async def get_provider(tx: Transaction, request: pb.GetProviderRequest) -> pb.GetProviderResponse | Refusal:
    """Return one provider with its standing of today, or as it was on a day. PROVIDER_NOT_FOUND, also where it was not admitted yet."""
    fields = Fields()
    fields.uscc("uscc", request.uscc)
    moment = _moment(tx, request, fields)
    if fields.refusal is not None:
        return fields.refusal
    if moment is None:
        provider = await store.find_provider(tx.session, request.uscc, tx.today)
    else:
        provider = await asof.provider_as_of(tx.session, request.uscc, moment)
        provider = provider if provider and provider.admitted_on <= moment.day else None
    if provider is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    at = moment or Moment(tx.today, tx.now)
    message = provider_message(provider, at.day)
    await mark_suspended(tx.session, [message], at.day, at.known_at)
    return pb.GetProviderResponse(provider=message)


async def list_providers(tx: Transaction, request: pb.ListProvidersRequest) -> pb.ListProvidersResponse | Refusal:
    """List the pool by code, all or the providers of one division and below it, as it is or as it was on a day."""
    fields = Fields()
    if request.home:
        fields.division("home", request.home)
    moment = _moment(tx, request, fields)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.word)
    if isinstance(page, Refusal):
        return page
    if moment is None:
        found = await store.page_of_providers(tx.session, request.home, page, tx.today)
    else:
        found = await asof.page_as_of(tx.session, request.home, page, moment)
    shown, token = page.cut(found, lambda item: [item.uscc])
    at = moment or Moment(tx.today, tx.now)
    messages = [provider_message(item, at.day) for item in shown]
    await mark_suspended(tx.session, messages, at.day, at.known_at)
    return pb.ListProvidersResponse(providers=messages, next_page_token=token)


def _moment(tx: Transaction, request: pb.GetProviderRequest | pb.ListProvidersRequest, fields: Fields) -> Moment | None:
    """Return what is asked for of the past, or None where the present is."""
    day = fields.optional_date("as_of", request.as_of)
    known_at = fields.instant("known_at", request.known_at) if request.HasField("known_at") else None
    return None if day is None and known_at is None else Moment(day or tx.today, known_at or tx.now)


async def list_provider_changes(tx: Transaction, request: pb.ListProviderChangesRequest) -> pb.ListProviderChangesResponse | Refusal:
    """List changes in the order they were recorded. NOT_PERMITTED for a provider that does not name itself."""
    fields = Fields()
    since, until = (fields.optional_date(name, getattr(request, name)) for name in ("recorded_from", "recorded_until"))
    if request.provider:
        fields.uscc("provider", request.provider)
    if request.home:
        fields.division("home", request.home)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    if tx.caller.role is Role.PROVIDER and not tx.caller.is_provider(request.provider):
        return not_permitted("服务机构只能查看自身的变更记录", "a provider sees its own changes only")
    row = ProviderVersionRow
    statement = select(row).where(*_between(since, until)).order_by(col(row.version_id)).limit(page.fetch)
    if request.provider:
        statement = statement.where(row.provider == request.provider)
    if request.home:
        statement = statement.where(col(row.home).startswith(stem(request.home)))
    if page.after is not None:
        statement = statement.where(col(row.version_id) > page.after[0])
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda item: [str(item.version_id)])
    return pb.ListProviderChangesResponse(changes=[change_message(item) for item in shown], next_page_token=token)


def _between(since: date | None, until: date | None) -> list[Any]:
    recorded = col(ProviderVersionRow.recorded_at)
    return [*([recorded >= _midnight(since)] if since else []), *([recorded < _midnight(until)] if until else [])]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)
