"""Policies: published, never edited, superseded by date (rules.md Policy, P1)."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from sqlalchemy import tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction, UseCase
from hub.codec.events import POOL, event
from hub.codec.fields import Fields
from hub.codec.policies import decode_policy, encode_policy
from hub.domain.participation import outsider
from hub.domain.policy import Policy, policy_in_force
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from hub.ledger.policies import decode_stored
from hub.ledger.tables import PolicyRow
from yrd.events.v1 import events_pb2
from yrd.policy.v1 import policy_pb2 as pb


async def publish_policy(
    tx: Transaction, request: pb.PublishPolicyRequest, provinces: Collection[str] | None = None
) -> pb.PublishPolicyResponse | Refusal:
    """Publish a policy. One that says the same as the published one of its version changes nothing and tells nobody.

    NOT_PERMITTED for anyone but the issuer's platform; PARTICIPANT_NOT_FOUND where who is to fund is of none of `provinces`, unless that
    is None; POLICY_EXISTS where the version is published with other content.
    """
    fields = Fields()
    policy = decode_policy(request.policy, fields)
    if fields.refusal is not None:
        return fields.refusal
    if not tx.caller.acts_for(policy.issuer):
        return not_permitted("仅发券地平台可以发布政策", "only the issuer's platform publishes its policy")
    if provinces is not None:
        funders = ((f"policy.funding[{i}].division", division) for i, (division, _) in enumerate(policy.funding))
        refusal = outsider(funders, provinces)
        if refusal is not None:
            return refusal
    message = encode_policy(policy)
    if await _insert(tx, policy, message):
        tx.emit(event(POOL, policy.issuer, events_pb2.PolicyPublished(policy=message)))
        return pb.PublishPolicyResponse(policy=message)
    known = await _of_version(tx, policy.issuer, policy.version)
    assert known is not None, "policies are never deleted"
    # Compared as policies: protobuf bytes are not canonical.
    if decode_stored(0, known.body) != policy:
        return Refusal(RefusalCode.POLICY_EXISTS, metadata=(("issuer", policy.issuer), ("version", policy.version)))
    return pb.PublishPolicyResponse(policy=pb.Policy.FromString(known.body))


async def _insert(tx: Transaction, policy: Policy, message: pb.Policy) -> bool:
    """Insert a policy; False where its version is taken, also by one who committed while we waited."""
    values = {
        "issuer": policy.issuer,
        "version": policy.version,
        "effective_from": policy.effective_from,
        "effective_until": policy.effective_until,
        "body": message.SerializeToString(deterministic=True),
        "published_at": tx.now,
        "published_by": tx.caller.participant_id,
    }
    statement = insert(PolicyRow).values(values).on_conflict_do_nothing().returning(col(PolicyRow.policy_id))
    return (await tx.session.execute(statement)).first() is not None


async def _of_version(tx: Transaction, issuer: str, version: str) -> PolicyRow | None:
    statement = select(PolicyRow).where(PolicyRow.issuer == issuer, PolicyRow.version == version)
    return (await tx.session.exec(statement)).first()


async def get_policy(tx: Transaction, request: pb.GetPolicyRequest) -> pb.GetPolicyResponse | Refusal:
    """Return the policy of a version, or the one in force on a date, today unless said. POLICY_NOT_FOUND."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    if request.version:
        fields.number("version", request.version)
    day = fields.optional_date("on_date", request.on_date) or tx.today
    if fields.refusal is not None:
        return fields.refusal
    if request.version:
        row = await _of_version(tx, request.issuer, request.version)
        return pb.GetPolicyResponse(policy=pb.Policy.FromString(row.body)) if row else Refusal(RefusalCode.POLICY_NOT_FOUND)
    rows = (await tx.session.exec(select(PolicyRow).where(PolicyRow.issuer == request.issuer))).all()
    policy = policy_in_force((decode_stored(row.policy_id or 0, row.body) for row in rows), day)
    return pb.GetPolicyResponse(policy=encode_policy(policy)) if policy else Refusal(RefusalCode.POLICY_NOT_FOUND)


async def list_policies(tx: Transaction, request: pb.ListPoliciesRequest) -> pb.ListPoliciesResponse | Refusal:
    """List the policies of an issuer by effective date, then version; those to come and those past included."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.day, keyset.word)
    if isinstance(page, Refusal):
        return page
    order = (col(PolicyRow.effective_from), col(PolicyRow.version))
    statement = select(PolicyRow).where(PolicyRow.issuer == request.issuer).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [row.effective_from.isoformat(), row.version])
    return pb.ListPoliciesResponse(policies=[pb.Policy.FromString(row.body) for row in shown], next_page_token=token)


def methods(provinces: Collection[str]) -> dict[str, UseCase]:
    """Return the use cases by the full name of their RPC. `provinces` are those that take part."""
    return {
        "yrd.policy.v1.PolicyService.PublishPolicy": partial(publish_policy, provinces=provinces),
        "yrd.policy.v1.PolicyService.GetPolicy": get_policy,
        "yrd.policy.v1.PolicyService.ListPolicies": list_policies,
    }
