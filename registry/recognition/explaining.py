"""Whom do I recognise, and why; where can I be paid with vouchers, and what is missing elsewhere."""

from __future__ import annotations

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.recognition import domain, pool
from registry.recognition.verdicts import verdict_message
from yrd.registry.v1 import recognition_pb2 as pb


async def explain_recognition(tx: Transaction, request: pb.ExplainRecognitionRequest) -> pb.ExplainRecognitionResponse | Refusal:
    """Say whether an issuer recognises a provider on a day, and why.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than the issuer's platform, the provider, its home's platform, the coordination group.
    """
    fields = Fields()
    fields.division("issuer", request.issuer)
    verdicts = await _verdicts(tx, request.provider, request.day, fields, request.issuer)
    return verdicts if isinstance(verdicts, Refusal) else pb.ExplainRecognitionResponse(verdict=verdicts[0])


async def where_recognized(tx: Transaction, request: pb.WhereRecognizedRequest) -> pb.WhereRecognizedResponse | Refusal:
    """Say at which issuers a provider can be paid on a day, and what is missing at the others.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than the provider, its home's platform and the coordination group.
    """
    verdicts = await _verdicts(tx, request.provider, request.day, Fields(), "")
    return verdicts if isinstance(verdicts, Refusal) else pb.WhereRecognizedResponse(verdicts=verdicts)


async def _verdicts(tx: Transaction, uscc: str, on: str, fields: Fields, issuer: str) -> list[pb.RecognitionVerdict] | Refusal:
    """Return the verdict of one issuer, or of all where `issuer` is empty."""
    fields.uscc("provider", uscc)
    day = fields.optional_date("day", on) or tx.today
    if fields.refusal is not None:
        return fields.refusal
    member = (await pool.members_on(tx.session, [uscc], pool.OnDay(day, tx.today))).get(uscc)
    if member is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    refusal = domain.may_ask_of(tx.caller, uscc, member.member.home, issuer)
    if refusal is not None:
        return refusal
    among = [issuer] if issuer else await pool.issuers(tx.session)
    policies = await pool.policies_on(tx.session, among, day)
    book = await pool.book(tx.session, among, [uscc])
    judged = ((each, domain.judge(policies.get(each), member, book.dealings(each, uscc), day)) for each in among)
    return [verdict_message(each, uscc, day, verdict, book) for each, verdict in judged]
