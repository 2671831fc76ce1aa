"""Which divisions take part: those of the provinces that the hub exchanges with. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hub.domain.divisions import province_of
from hub.domain.refusals import Refusal, RefusalCode, Violation


def outsider(named: Iterable[tuple[str, str]], provinces: Collection[str]) -> Refusal | None:
    """Refuse divisions of provinces that take no part: nobody would ever hear what they are told. `named` are fields and divisions."""
    wrong = [(field, division) for field, division in named if province_of(division) not in provinces]
    if not wrong:
        return None
    field, division = wrong[0]
    return Refusal(
        RefusalCode.PARTICIPANT_NOT_FOUND,
        violations=tuple(Violation(at, f"must be a division of a province that takes part, not {code}") for at, code in wrong),
        metadata=(("field", field), ("division", division)),
        detail_zh=f"字段 {field} 有误:{division} 所属省市未参加",
        detail_en=f"field {field}: the province of {division} takes no part",
    )
