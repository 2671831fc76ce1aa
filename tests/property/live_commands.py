"""What the live machine may ask: policies whose limits bite, orders, final lines. The simplest of each comes first, for shrinking."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.property.live_model import FIRMS, HOLDERS, LABS

ISSUER = st.sampled_from(list(HOLDERS))
RARELY = st.sampled_from([False] * 7 + [True])
_FEES = st.sampled_from([20_000, 1, 33_333, 60_001, 100_000])


def _one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


Special = list[tuple[str, Any]]
"""Fields of a policy and their values."""

PLAIN: dict[str, Any] = {
    **{"mode": "PRE", "denomination": 0, "months": 12, "expiry": "CLAIM", "annual_cap": 1_000_000, "issue_cap": None, "basis": "OFFSET"},
    **{"testing": (5_000, None), "research": None, "order_cap": None, "residual": "RETAIN", "evidence": ("INVOICE",), "auto": None},
    **{"ttl": 90, "refund": "TO_FINANCE", "settlement": "DIRECT", "funding": ()},
}
"""The policy of an issuer that wants nothing special. A category has a ratio in basis points and a cap per line."""

_SPECIAL: dict[str, tuple[Any, ...]] = {
    **{"mode": ("POST",), "denomination": (10_000,), "months": (6, 1), "expiry": ("USE",), "annual_cap": (60_000, 25_000)},
    **{"issue_cap": (250_000,), "basis": ("FACE", "FACE"), "testing": ((10_000, None), (3_333, 12_345)), "order_cap": (15_000,)},
    **{"research": ((10_000, 9_999), (7_001, None), (0, None)), "residual": ("FORFEIT", "FORFEIT"), "auto": (7_500, 0), "ttl": (30,)},
    **{"evidence": (("INVOICE", "PAYMENT_PROOF"),), "refund": ("TO_VOUCHER", "TO_VOUCHER"), "settlement": ("NET", "NET")},
    "funding": ((("itself", 6_667), ("province", 3_333)), (("abroad", 5_000), ("itself", 5_000))),
}
"""`itself` among the funders is the issuer. A capture never carries a proof of payment: a policy that wants one is not met."""

POLICIES = st.lists(
    _one(*((name, value) for name, values in _SPECIAL.items() for value in values)), max_size=8, unique_by=lambda pair: pair[0]
)
"""In what a policy differs from the plain one."""


def policy(special: Special) -> dict[str, Any]:
    """The policy that differs so from the plain one, still without dates."""
    made = {**PLAIN, **dict(special)}
    testing, research = made.pop("testing"), made.pop("research")
    return {**made, "categories": {"INSPECTION_TESTING": testing, **({"RESEARCH": research} if research else {})}}


LINES = st.lists(
    st.tuples(_one(*["INSPECTION_TESTING"] * 6, "RESEARCH", "RESEARCH", "IP"), _FEES, _one(*[""] * 9, "NON_INNOVATION")),
    min_size=1,
    max_size=3,
).map(tuple)

_FIRM = st.sampled_from([*FIRMS[:1] * 9, *FIRMS[1:]])

AUTHORIZATIONS = st.fixed_dictionaries(
    {
        "issuer": ISSUER,
        "firm": _FIRM,
        "lab": st.sampled_from(LABS),
        "order": _one("A", "B", "C", "D"),
        "lines": LINES,
        "whole": RARELY,
    }
)

ISSUES = st.lists(st.tuples(_FIRM, _one(20_000, 10_000, 35_000, 50_000), st.integers(1, 3)), min_size=1, max_size=2)


class Final(NamedTuple):
    """What a capture brings. `part` is how many quarters of the fees are left; `repeated` sends them though they are as before."""

    part: int
    repeated: bool
    shared: bool
    """Its invoice has the number that all shared ones have, as if a laboratory wrote only one."""
    days_ago: int
    bare: bool


FINALS = st.builds(
    Final,
    part=_one(4, 4, 2, 1, 8),
    repeated=st.booleans(),
    shared=st.booleans(),
    days_ago=_one(0, 0, 0, 2, 2, 30, 30, -1),
    bare=RARELY,
)

PLACE = st.integers(0, 3)
"""Which of those that are in question, the newest first."""

FEE_PARTS = _one(1, 2, 3, 0)

STREAMED = st.lists(
    st.one_of(
        st.tuples(st.just("void"), PLACE, st.none()),
        st.tuples(st.just("refund"), PLACE, FEE_PARTS),
        st.tuples(st.just("capture"), PLACE, FINALS),
        st.tuples(st.just("authorize"), PLACE, AUTHORIZATIONS),
    ),
    min_size=1,
    max_size=5,
)
"""Commands of a Clear stream: kind, which redemption, and what the kind wants besides."""

AGAIN = st.one_of(st.none(), PLACE)
"""Which of the commands sent before goes along once more, if any."""
