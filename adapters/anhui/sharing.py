"""The sheets on co-funding in Anhui's result workbooks: every redemption's shares, their sums, and the check against the obligations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from adapters.anhui.funding import PAID_OUT, Shares, Split, borne, reconcile
from adapters.anhui.mapping import CODES, DIVISION
from adapters.runtime.policy_file import load_policies
from adapters.runtime.results import RedemptionRow, Results
from hub.domain.divisions import contains
from hub.domain.money import format_yuan

SHARED, CHECKED = "省市分担", "分担对账"
SHARED_HEADER = (
    *("兑付编号", "合同号", "发券市", "清算批次", "状态", "省级比例", "核定金额（元）", "省级承担（元）", "市级承担（元）"),
    *("退款金额（元）", "省级退回（元）", "市级退回（元）", "省级净额（元）", "市级净额（元）", "说明"),
)
CHECKED_HEADER = ("清算批次", "承担方", "按分担明细（元）", "清算应付（元）", "差额（元）", "说明")
_NO_SHARES = "该政策版本没有分担比例，须人工核对"
_DIFFERENT = "差额来自以往批次的退款、分次退款的取整、结转或净额清算的代垫，须核对"
_NOTHING = Split(0, 0)


@cache
def shares_of(path: Path) -> Shares:
    """Return the province's share by city and policy version, from the policies' `funding`; none is the city alone."""
    found = {}
    for entry in load_policies(path):
        policy = entry.policy
        found[(policy.issuer, policy.version)] = sum(each.share_bp for each in policy.funding if each.division == DIVISION)
    return found


def sheets(results: Results, division: str, shares: Shares) -> Iterator[tuple[str, tuple[str, ...], list[list[str]]]]:
    """Yield name, header and rows of the sheets in a division's workbook; the province's has every city's rows."""
    cities = [row for row in results.redemptions if contains(DIVISION, row.issuer) and row.issuer != DIVISION]
    mine = [row for row in cities if division in (DIVISION, row.issuer) and row.state in PAID_OUT]
    yield SHARED, SHARED_HEADER, [*_lines(mine, shares), *_sums(mine, shares)]
    checks = [
        [
            check.window_id,
            _place(check.city or DIVISION),
            *map(format_yuan, (check.by_shares_fen, check.owed_fen, check.difference_fen)),
            _DIFFERENT if check.difference_fen else "",
        ]
        for check in reconcile(cities, results.obligations, shares, DIVISION)
        if division in (DIVISION, check.city)
    ]
    yield CHECKED, CHECKED_HEADER, checks


def _lines(rows: list[RedemptionRow], shares: Shares) -> Iterator[list[str]]:
    for row in rows:
        head = [row.redemption_id, row.order_no, _place(row.issuer), row.window_id, CODES.outward("redemption_state", row.state)]
        found = borne(row, shares)
        if found is None:
            gross = format_yuan(row.subsidy_fen + row.refunded_fen)
            yield [*head, "", gross, "", "", format_yuan(row.refunded_fen), "", "", "", "", _NO_SHARES]
        else:
            percent = format_yuan(shares[(row.issuer, row.policy_version)])
            yield [*head, f"{percent}%", *_amounts(found.cleared, found.returned), ""]


def _sums(rows: list[RedemptionRow], shares: Shares) -> Iterator[list[str]]:
    """Yield a sum for each city, and one over all where there are several."""
    cities = sorted({row.issuer for row in rows})
    for name, issuers in [*((_place(city), {city}) for city in cities), *([("合计", set(cities))] if len(cities) > 1 else [])]:
        known = [found for row in rows if row.issuer in issuers and (found := borne(row, shares)) is not None]
        cleared, returned = sum((each.cleared for each in known), _NOTHING), sum((each.returned for each in known), _NOTHING)
        yield ["小计" if name != "合计" else name, "", name, "", "", "", *_amounts(cleared, returned), ""]


def _amounts(cleared: Split, returned: Split) -> list[str]:
    net = cleared - returned
    amounts = (cleared.total, cleared.province, cleared.city, returned.total, returned.province, returned.city, net.province, net.city)
    return [format_yuan(amount) for amount in amounts]


def _place(division: str) -> str:
    """Return a city's name, its code where the code list has none."""
    try:
        return CODES.outward("division", division)
    except KeyError:
        return division
