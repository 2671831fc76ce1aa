"""What the hub answers, laid down in the province's own format, comes back as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.effort import examples
from adapters.contract.messages import days
from adapters.contract.suite_samples import short
from adapters.runtime.model import Adapter
from adapters.runtime.policy_file import load_policies
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from yrd.clearing.v1 import clearing_pb2 as clearing

_FIRM, _LAB = "91330522MA2B12343A", "12310104425001236Q"
_TABLES = ("redemptions", "vouchers", "obligations", "positions", "outcomes")
_STATES = short(clearing.RedemptionState.keys(), "REDEMPTION_STATE_")
# On one line and without control characters: so the runtime hands texts over.
_TEXT = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(list(" ,;'\"=+-@_x0041")), max_size=60).map(str.strip)
_FEN = st.integers(-(2**53) + 1, 2**53 - 1)


def some_results(adapter: Adapter) -> Results:
    """Return results with every state and every awkward text."""
    city = next(entry.policy.issuer for entry in load_policies(adapter.policy_file))
    redemptions = tuple(
        RedemptionRow(
            redemption_id=f"r{at}",
            order_no=f"HT-{at}, \"续\"；'=1+1'",
            issuer=city if at % 2 else "310000",
            acquirer=adapter.division,
            enterprise=_FIRM,
            provider=_LAB,
            state=state,
            policy_version="2013-trial",
            authorized_fen=480_000 + at,
            subsidy_fen=480_000,
            refunded_fen=at * 10_000_000_000_000,
            payee="PROVIDER" if at % 2 else "ENTERPRISE",
            invoice_no="" if at < 2 else f"00{at}",
            delivered_on="" if at < 2 else "2026-02-03",
            settled_on="2026-12-31" if state == "SETTLED" else "",
            window_id="",
            basis="=SUM(A1) 费用8,000元的60%为4,800元\u2028“一张”",
        )
        for at, state in enumerate(_STATES)
    )
    return Results(
        redemptions=redemptions,
        vouchers=(VoucherRow(city, "0001", _FIRM, 100_000, 0, "2026-01-05", "2027-01-05"),),
        obligations=(ObligationRow("w1", city, _LAB, 480_000, "DUE"), ObligationRow("w1", "310000", _LAB, 1, "PAID")),
        positions=(PositionRow("w1", "310000", 480_000), PositionRow("w1", adapter.division, -480_000)),
        outcomes=(
            OutcomeRow("enterprise", "007", "a.csv", "12", "OK", ""),
            OutcomeRow("voucher", "008", "a.csv", "13", "POLICY_NOT_IN_FORCE", "无有效政策"),
            OutcomeRow("capture", "009", "a.csv", "表!14", "UNANSWERED", ""),
        ),
    )


def same(found: Results, wanted: Results) -> None:
    """Check that two results hold the same rows, in whatever order."""
    for table in _TABLES:
        assert sorted(getattr(found, table), key=str) == sorted(getattr(wanted, table), key=str)


def test_results_come_back_from_the_native_files_as_they_went(adapter: Adapter, tmp_path: Path) -> None:
    results = some_results(adapter)
    files = adapter.write(results, tmp_path)
    assert files and all(path.stat().st_size for path in files)
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    same(adapter.load(tmp_path), results)


def test_the_same_results_are_the_same_files(adapter: Adapter, tmp_path: Path) -> None:
    """By their content: a province that gets them twice finds nothing new."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        adapter.write(some_results(adapter), tmp_path / name)
    same(adapter.load(tmp_path / "first"), adapter.load(tmp_path / "second"))
    names = [sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")) for name in ("first", "second")]
    assert names[0] == names[1]


def test_no_results_make_empty_files_that_read(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(Results(), tmp_path)
    assert adapter.load(tmp_path) == Results()


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_results_come_back(adapter: Adapter, tmp_path: Path, data: st.DataObject) -> None:
    issuers = st.sampled_from([entry.policy.issuer for entry in load_policies(adapter.policy_file)] + ["310000"])
    day = st.just("") | days()
    redemption = st.builds(
        RedemptionRow,
        redemption_id=st.uuids().map(str),
        order_no=_TEXT,
        issuer=issuers,
        acquirer=st.just(adapter.division),
        enterprise=st.just(_FIRM),
        provider=st.just(_LAB),
        state=st.sampled_from(_STATES),
        policy_version=_TEXT,
        authorized_fen=_FEN,
        subsidy_fen=_FEN,
        refunded_fen=_FEN,
        payee=st.sampled_from(["PROVIDER", "ENTERPRISE"]),
        invoice_no=_TEXT,
        delivered_on=day,
        settled_on=day,
        window_id=_TEXT,
        basis=_TEXT,
    )
    texts = st.builds(OutcomeRow, st.just("enterprise"), _TEXT, _TEXT, _TEXT, st.sampled_from(["OK", "UNANSWERED", "NOT_FOUND"]), _TEXT)
    # A row needs something that tells it from an empty line.
    outcomes = st.lists(texts.filter(lambda row: bool(row.native_id)), max_size=3)
    results = Results(redemptions=tuple(data.draw(st.lists(redemption, max_size=3))), outcomes=tuple(data.draw(outcomes)))
    shutil.rmtree(tmp_path / "any", ignore_errors=True)
    (tmp_path / "any").mkdir()
    adapter.write(results, tmp_path / "any")
    same(adapter.load(tmp_path / "any"), results)
