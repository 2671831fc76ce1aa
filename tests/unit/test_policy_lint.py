from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain.conditions import Condition
from hub.domain.policy import (
    Category,
    CategoryRule,
    EnterpriseKind,
    ExpiryBasis,
    Mode,
    Policy,
    QuotaBasis,
    RecognitionRule,
    Residual,
    SettlementModel,
)
from hub.domain.policy_lint import Finding, Severity, lint, lint_periods
from tests.unit.builders import policy

YUAN = 100
ONE = {Category.RESEARCH: CategoryRule(5_000)}


def found(**changes: Any) -> list[tuple[str, str, tuple[str | int, ...]]]:
    return [(item.rule, item.severity.value, item.spot) for item in lint(policy(**changes))]


def test_a_sound_policy_has_no_findings() -> None:
    assert lint(policy()) == []


@pytest.mark.parametrize(
    ("changes", "rule", "severity", "spot"),
    [
        ({"categories": {Category.IP: CategoryRule(0)}}, "never-payable", "ERROR", ("categories", 0, "ratio_bp")),
        ({"categories": {**ONE, Category.IP: CategoryRule(1, 0)}}, "never-payable", "ERROR", ("categories", 1, "per_line_cap")),
        ({"per_order_cap_fen": 0}, "never-payable", "ERROR", ("per_order_cap",)),
        ({"annual_cap_fen": 100, "categories": {Category.IP: CategoryRule(1)}}, "never-payable", "WARNING", ("categories", 0, "ratio_bp")),
        ({"denomination_fen": 100_000, "annual_cap_fen": 99_999}, "cap-below-denomination", "ERROR", ("annual_cap",)),
        (
            {"denomination_fen": 100_000, "annual_issue_cap_fen": 50_000, "annual_cap_fen": 100_000},
            "cap-below-denomination",
            "ERROR",
            ("annual_issue_cap",),
        ),
        (
            {"denomination_fen": 100_000, "residual": Residual.FORFEIT, "per_order_cap_fen": 50_000},
            "cap-below-denomination",
            "WARNING",
            ("per_order_cap",),
        ),
        (
            {"denomination_fen": 100_000, "quota_basis": QuotaBasis.FACE, "annual_cap_fen": 250_000},
            "cap-not-whole-notes",
            "WARNING",
            ("annual_cap",),
        ),
        ({"per_order_cap_fen": 200_000_000}, "cap-above-cap", "WARNING", ("per_order_cap",)),
        (
            {"per_order_cap_fen": 1_000, "categories": {Category.IP: CategoryRule(9_000, 1_001)}},
            "cap-above-cap",
            "WARNING",
            ("categories", 0, "per_line_cap"),
        ),
        ({"prefund_fen": 2_000, "annual_issue_cap_fen": 1_000, "annual_cap_fen": 3_000}, "prefund-above-issue-cap", "ERROR", ("prefund",)),
        ({"prefund_fen": 2_000_000_00}, "prefund-above-annual-cap", "WARNING", ("prefund",)),
        ({"annual_issue_cap_fen": 1_000}, "issue-cap-below-annual-cap", "WARNING", ("annual_issue_cap",)),
        ({"validity_months": 3}, "validity-below-ttl", "ERROR", ("authorization_ttl_days",)),
        ({"validity_months": 3, "expiry_basis": ExpiryBasis.USE}, "validity-below-ttl", "WARNING", ("authorization_ttl_days",)),
        ({"auto_clear_up_to_fen": 1_000_000 * YUAN}, "review-never", "WARNING", ("auto_clear_up_to",)),
        ({"mode": Mode.POST_SUBSIDY, "settlement": SettlementModel.NET}, "net-without-providers", "WARNING", ("settlement",)),
        ({"funding": (("310000", 5_000), ("320000", 5_000))}, "funder-elsewhere", "WARNING", ("funding", 1, "division")),
        ({"eligible": (EnterpriseKind.TEAM, EnterpriseKind.TEAM)}, "given-twice", "WARNING", ("eligible", 1)),
    ],
)
def test_a_contradiction_is_found_where_it_is(changes: dict[str, Any], rule: str, severity: str, spot: tuple[str | int, ...]) -> None:
    assert (rule, severity, spot) in found(**changes)


def conditions(*cel: str, **changes: Any) -> list[tuple[str, str]]:
    listed = tuple(Condition(f"c{at}", text, "中文", "English") for at, text in enumerate(cel))
    return [(item.rule, item.severity.value) for item in lint(policy(conditions=listed, **changes))]


@pytest.mark.parametrize(
    ("cel", "changes", "verdicts"),
    [
        (["order.amount_fen > 1000 && order.amount_fen < 500"], {}, [("condition-never", "ERROR")]),
        (["order.amount_fen >= 1"], {}, [("condition-always", "WARNING")]),
        (["order.amount_fen == 123457"], {}, []),
        (["order.amount_fen > 100000", "order.amount_fen < 50000"], {}, [("conditions-exclude-each-other", "ERROR")]),
        (['!("RESEARCH" in order.categories)'], {"categories": {**ONE, Category.IP: CategoryRule(1_000)}}, [("never-payable", "ERROR")]),
        (["provider.rating < 4.0"], {"recognition": RecognitionRule(min_rating=450)}, [("condition-never", "ERROR")]),
        (["provider.rating > 4.6"], {"recognition": RecognitionRule(min_rating=450)}, []),
        (['enterprise.kind == "TEAM"'], {}, [("condition-never", "ERROR")]),
        (['enterprise.division == "310118"'], {}, []),
        (['enterprise.division == "330522"'], {}, [("condition-never", "ERROR")]),
        (['provider.home != "310000"'], {}, []),
        (["order.lines.exists(l, l.amount_fen > 500000)"], {}, []),
        (["voucher.count > 3 && enterprise.staff < 500"], {}, []),
        (['provider.admitted_on < "2020-01-01"'], {}, []),
    ],
)
def test_conditions_by_sampling(cel: list[str], changes: dict[str, Any], verdicts: list[tuple[str, str]]) -> None:
    assert conditions(*cel, **changes) == verdicts


def test_a_condition_without_words_is_told() -> None:
    (finding,) = lint(policy(conditions=(Condition("c", "order.amount_fen > 1000"),)))
    assert (finding.rule, finding.severity) == ("condition-unexplained", Severity.WARNING)


def periods(*spans: tuple[str, str | None], versions: str = "abc") -> list[tuple[int, str]]:
    made: list[Policy] = []
    for version, (start, end) in zip(versions, spans, strict=False):
        until = date.fromisoformat(end) if end else None
        made.append(policy(version=version, effective_from=date.fromisoformat(start), effective_until=until))
    return [(at, item.rule) for at, item in lint_periods(made)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("2026-01-01", "2026-07-01"), ("2026-07-01", None)], []),
        ([("2026-01-01", None), ("2026-07-01", None)], []),
        ([("2026-01-01", "2026-07-01"), ("2026-07-02", None)], [(1, "period-gap")]),
        ([("2026-07-02", None), ("2026-01-01", "2026-07-01")], [(0, "period-gap")]),
        ([("2026-01-01", "2026-07-02"), ("2026-07-01", None)], [(1, "period-overlap")]),
        ([("2026-01-01", None), ("2026-01-01", "2026-07-01")], [(1, "period-overlap")]),
    ],
)
def test_periods_of_an_issuer(spans: list[tuple[str, str | None]], expected: list[tuple[int, str]]) -> None:
    assert periods(*spans) == expected


def test_a_version_given_twice_and_issuers_apart() -> None:
    assert periods(("2026-01-01", "2026-07-01"), ("2026-07-01", None), versions="aa") == [(1, "version-twice")]
    elsewhere = replace(policy(), issuer="330000")
    assert list(lint_periods([policy(), elsewhere])) == []


def test_every_finding_says_it_in_both_languages() -> None:
    made: list[Finding] = lint(policy(validity_months=3, per_order_cap_fen=0, auto_clear_up_to_fen=10**12))
    assert made
    for item in made:
        assert item.en.isascii() and not item.zh.isascii()
