"""What a policy must make sense of before it is sent, so that its author hears of it with line and column."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.runtime.policy_faults import FieldFault
from hub.domain.money import FULL_BP
from yrd.policy.v1 import policy_pb2 as pb


def objections(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield all that speaks against a policy, in the order of its fields. The hub checks again; this is for the author."""
    if len(policy.version) > 64:
        yield FieldFault(("version",), "at most 64 characters", "TOO_LONG", "至多 64 个字符")
    if policy.effective_until and policy.effective_until <= policy.effective_from:
        yield FieldFault(("effective_until",), "must be after effective_from", "PERIOD_EMPTY", "须晚于 effective_from(期间为左闭右开)")
    if policy.validity_months < 0 or policy.validity_months > 120:
        yield FieldFault(("validity_months",), "from 1 to 120", "OUT_OF_RANGE", "须在 1 到 120 之间")
    if policy.annual_cap_fen == 0:
        yield FieldFault(("annual_cap",), "a cap of nothing pays nothing", "CAP_OF_NOTHING", "上限为零则无可兑付,请填写大于零的金额")
    yield from _notes(policy)
    yield from _categories(policy)
    if not 0 <= policy.authorization_ttl_days <= 3650:
        yield FieldFault(("authorization_ttl_days",), "from 1 to 3650", "OUT_OF_RANGE", "须在 1 到 3650 之间")
    yield from _funding(policy)
    yield from _conditions(policy)


def _notes(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield faults of amounts that are not a whole number of notes (rules.md V1)."""
    note = policy.denomination_fen
    if not note:
        return
    if policy.prefund_fen % note:
        yield FieldFault(("prefund",), "not a whole number of notes", "NOT_WHOLE_NOTES", "须为券面额的整数倍")
    if policy.annual_cap_fen < note:
        yield FieldFault(("annual_cap",), "smaller than one note", "CAP_BELOW_NOTE", "小于一张券的面额,请提高上限或降低面额")


def _categories(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield faults of the list of categories."""
    if not policy.categories:
        yield FieldFault(("categories",), "a policy covers at least one category", "EMPTY", "至少覆盖一个类别")
    seen = set()
    for at, rule in enumerate(policy.categories):
        if not 0 < rule.ratio_bp <= FULL_BP:
            spot = ("categories", at, "ratio_bp")
            yield FieldFault(spot, f"from 1 to {FULL_BP} basis points", "OUT_OF_RANGE", f"须在 1 到 {FULL_BP} 个基点之间(6000 即 60%)")
        if rule.category in seen:
            yield FieldFault(("categories", at, "category"), "given twice", "GIVEN_TWICE", "重复列出,请删去其一")
        seen.add(rule.category)


def _funding(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield faults of who bears the obligations (rules.md T1)."""
    seen = set()
    for at, share in enumerate(policy.funding):
        if share.division in seen:
            yield FieldFault(("funding", at, "division"), "given twice", "GIVEN_TWICE", "重复列出,请合并为一项")
        seen.add(share.division)
        if not 0 < share.share_bp <= FULL_BP:
            spot = ("funding", at, "share_bp")
            yield FieldFault(spot, f"from 1 to {FULL_BP} basis points", "OUT_OF_RANGE", f"须在 1 到 {FULL_BP} 个基点之间")
    total = sum(share.share_bp for share in policy.funding)
    if policy.funding and total != FULL_BP:
        zh = f"各方份额合计 {total} 个基点,应为 {FULL_BP}"
        yield FieldFault(("funding",), f"the shares add up to {total} bp, not {FULL_BP}", "SHARES_NOT_WHOLE", zh)


def _conditions(policy: pb.Policy) -> Iterator[FieldFault]:
    """Yield ids used twice: CONDITION_FAILED names a condition by its id."""
    seen = set()
    for at, condition in enumerate(policy.conditions):
        if condition.id in seen:
            yield FieldFault(("conditions", at, "id"), "used twice", "GIVEN_TWICE", "编号重复,请改用不同编号")
        seen.add(condition.id)
