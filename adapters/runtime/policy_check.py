"""What a policy must make sense of before it is sent, so that its author hears of it with line and column."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.runtime.policy_fields import FieldFault
from hub.domain.money import FULL_BP
from yrd.policy.v1 import policy_pb2 as pb


def objections(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield what speaks against a policy, in the order of its fields. The hub checks again; this is for the author."""
    if len(policy.version) > 64:
        yield FieldFault(("version",), "at most 64 characters")
    if policy.effective_until and policy.effective_until <= policy.effective_from:
        yield FieldFault(("effective_until",), "must be after effective_from")
    if policy.validity_months < 0 or policy.validity_months > 120:
        yield FieldFault(("validity_months",), "from 1 to 120")
    if policy.annual_cap_fen == 0:
        yield FieldFault(("annual_cap",), "a cap of nothing pays nothing")
    yield from _notes(policy)
    yield from _categories(policy)
    if not 0 <= policy.authorization_ttl_days <= 3650:
        yield FieldFault(("authorization_ttl_days",), "from 1 to 3650")
    if policy.funding and sum(share.share_bp for share in policy.funding) != FULL_BP:
        yield FieldFault(("funding",), f"the shares add up to {sum(share.share_bp for share in policy.funding)} bp, not {FULL_BP}")


def _notes(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield faults of amounts that are not a whole number of notes (rules.md V1)."""
    note = policy.denomination_fen
    if not note:
        return
    if policy.prefund_fen % note:
        yield FieldFault(("prefund",), "not a whole number of notes")
    if policy.annual_cap_fen < note:
        yield FieldFault(("annual_cap",), "smaller than one note")


def _categories(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield faults of the list of categories."""
    if not policy.categories:
        yield FieldFault(("categories",), "a policy covers at least one category")
    seen = set()
    for at, rule in enumerate(policy.categories):
        if not 0 < rule.ratio_bp <= FULL_BP:
            yield FieldFault(("categories", at, "ratio_bp"), f"from 1 to {FULL_BP} basis points")
        if rule.category in seen:
            yield FieldFault(("categories", at, "category"), "given twice")
        seen.add(rule.category)
