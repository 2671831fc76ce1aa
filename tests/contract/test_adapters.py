"""What every adapter must do, whoever wrote it. It runs over all that are installed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.runtime.command import find_adapter, list_adapters
from adapters.runtime.model import PHASE_OF, Adapter, Broken, Kind, Mapped, NativeRecord, Phase
from adapters.runtime.policy_file import load_policies
from adapters.runtime.reading import read_folder
from adapters.runtime.reasons import REASONS
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.row import generic
from hub.domain.divisions import contains
from tests.golden.render import every, readme
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types
from yrd.settlement.v1 import settlement_pb2 as settlement

ADAPTERS = list_adapters()


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


def good(adapter: Adapter) -> list[tuple[NativeRecord, Mapped]]:
    return [(record, mapped) for record, mapped in every(adapter) if record is not None and isinstance(mapped, Mapped)]


def bad(adapter: Adapter) -> list[Broken]:
    return [mapped for _, mapped in every(adapter) if isinstance(mapped, Broken)]


def short(enum: list[str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in enum if not name.endswith("_UNSPECIFIED")]


def test_the_four_provinces_are_installed() -> None:
    assert [(each.name, each.division) for each in ADAPTERS] == [
        ("shanghai", "310000"),
        ("jiangsu", "320000"),
        ("zhejiang", "330000"),
        ("anhui", "340000"),
    ]
    assert find_adapter("330000").name == find_adapter("zhejiang").name


def test_samples_hold_a_few_hundred_good_records_of_every_kind(adapter: Adapter) -> None:
    counts = Counter(record.kind for record, _ in good(adapter))
    assert set(counts) == set(Kind) - {Kind.POLICY}
    assert counts[Kind.ENTERPRISE] >= 120
    assert counts[Kind.PROVIDER] >= 30
    assert counts[Kind.AUTHORIZATION] >= 80
    assert counts[Kind.CAPTURE] >= 65


def test_each_phase_reads_its_own_kinds_only(adapter: Adapter) -> None:
    for phase in Phase:
        kinds = {item.kind for item in read_folder(adapter, adapter.samples, phase) if isinstance(item, NativeRecord)}
        assert kinds <= {kind for kind, of in PHASE_OF.items() if of is phase}


def test_every_native_field_is_mapped_or_dropped_with_a_reason(adapter: Adapter) -> None:
    seen: dict[Kind, set[str]] = {}
    for record, _ in good(adapter):
        seen.setdefault(record.kind, set()).update(generic(name) for name in record.fields)
    for kind, fields in seen.items():
        mapped, dropped = set(adapter.mapped[kind]), set(adapter.dropped.get(kind, {}))
        assert not mapped & dropped
        assert fields <= mapped | dropped, f"{kind}: neither mapped nor dropped"
        assert mapped <= fields, f"{kind}: mapped, but in no sample"
        assert all(adapter.dropped.get(kind, {}).values()), f"{kind}: dropped without a reason"


def test_every_mapped_field_matters(adapter: Adapter) -> None:
    """Change any one of them, in some record that has it, and the outcome changes: none is read and forgotten."""
    by_kind: dict[Kind, list[tuple[NativeRecord, Mapped]]] = {}
    for record, mapped in good(adapter):
        by_kind.setdefault(record.kind, []).append((record, mapped))
    for kind, fields in adapter.mapped.items():
        for field in fields:
            holder = next((r, m, name) for r, m in by_kind[kind] for name, value in r.fields.items() if generic(name) == field and value)
            record, mapped, name = holder
            changed = adapter.map(replace(record, fields={**record.fields, name: record.fields[name][:-1] + "?"}))
            assert changed != mapped, f"{kind}.{field} makes no difference"


def test_personal_data_never_leaves(adapter: Adapter) -> None:
    checked = 0
    for record, mapped in good(adapter):
        wire = mapped.request.SerializeToString() + mapped.key.encode() + mapped.native_id.encode()
        for name, value in record.fields.items():
            if adapter.dropped.get(record.kind, {}).get(generic(name), "").startswith("personal data"):
                assert value
                assert value.encode() not in wire
                checked += 1
    assert checked > 200


def test_a_broken_row_names_its_place_and_its_reason(adapter: Adapter) -> None:
    rows = bad(adapter)
    assert len(rows) >= 8
    assert len({row.reason_code for row in rows}) >= 6
    for row in rows:
        assert row.file and row.line and row.field
        assert row.reason_code in REASONS
        assert row.reason_zh and row.reason_en
        assert "{" not in row.reason_zh + row.reason_en


def test_records_are_of_the_provinces_own_division(adapter: Adapter) -> None:
    for record, mapped in good(adapter):
        request = mapped.request
        if record.kind is Kind.ENTERPRISE:
            assert contains(adapter.division, str(getattr(request, "enterprise").division))  # noqa: B009
        if record.kind is Kind.VOUCHER:
            assert contains(adapter.division, str(getattr(request, "issuer")))  # noqa: B009


def test_commands_are_complete_but_for_what_the_hub_alone_knows(adapter: Adapter) -> None:
    for _, mapped in good(adapter):
        assert mapped.key
        assert mapped.request.DESCRIPTOR.fields_by_name["request_id"].number == 1
        if isinstance(mapped.request, clearing.CaptureRequest):
            assert mapped.refers_to
            assert not mapped.request.redemption_id


def test_policies_are_the_provinces_own_and_say_what_is_assumed(adapter: Adapter) -> None:
    entries = load_policies(adapter.policy_file)
    assert entries
    for entry in entries:
        assert contains(adapter.division, entry.policy.issuer)
        assert entry.assumed and entry.source


def test_every_value_the_hub_may_send_has_a_native_word(adapter: Adapter) -> None:
    states = short(clearing.RedemptionState.keys(), "REDEMPTION_STATE_")
    wanted = {
        "category": short(types.Category.keys(), "CATEGORY_"),
        "enterprise_kind": short(types.EnterpriseKind.keys(), "ENTERPRISE_KIND_"),
        "flag": short(types.LineFlag.keys(), "LINE_FLAG_"),
        "evidence": short(types.EvidenceKind.keys(), "EVIDENCE_KIND_"),
        "redemption_state": states,
        "payee": short(clearing.PayeeKind.keys(), "PAYEE_KIND_"),
        "obligation_state": short(settlement.ObligationState.keys(), "OBLIGATION_STATE_"),
        "outcome": ["OK", "REFUSED", "UNANSWERED"],
    }
    for name, values in wanted.items():
        assert {adapter.codes.inward(name, adapter.codes.outward(name, value)) for value in values} == set(values)
        assert set(adapter.codes.lists[name].values()) == set(values), f"{name}: a value the contract does not have"


def some_results(adapter: Adapter) -> Results:
    """Return results with every state and every awkward text."""
    firm, lab = "91330522MA2B12343A", "12310104425001236Q"
    city = next(entry.policy.issuer for entry in load_policies(adapter.policy_file))
    redemptions = tuple(
        RedemptionRow(
            redemption_id=f"r{at}",
            order_no=f"HT-{at}, \"续\"；'=1+1'",
            issuer=city if at % 2 else "310000",
            acquirer=adapter.division,
            enterprise=firm,
            provider=lab,
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
        for at, state in enumerate(short(clearing.RedemptionState.keys(), "REDEMPTION_STATE_"))
    )
    return Results(
        redemptions=redemptions,
        vouchers=(VoucherRow(city, "0001", firm, 100_000, 0, "2026-01-05", "2027-01-05"),),
        obligations=(ObligationRow("w1", city, lab, 480_000, "DUE"), ObligationRow("w1", "310000", lab, 1, "PAID")),
        positions=(PositionRow("w1", "310000", 480_000), PositionRow("w1", adapter.division, -480_000)),
        outcomes=(
            OutcomeRow("enterprise", "007", "a.csv", "12", "OK", ""),
            OutcomeRow("voucher", "008", "a.csv", "13", "POLICY_NOT_IN_FORCE", "无有效政策"),
            OutcomeRow("capture", "009", "a.csv", "表!14", "UNANSWERED", ""),
        ),
    )


def test_results_come_back_from_the_native_files_as_they_went(adapter: Adapter, tmp_path: Path) -> None:
    results = some_results(adapter)
    files = adapter.write(results, tmp_path)
    assert files and all(path.stat().st_size for path in files)
    back = adapter.load(tmp_path)
    for table in ("redemptions", "vouchers", "obligations", "positions", "outcomes"):
        assert sorted(getattr(back, table), key=str) == sorted(getattr(results, table), key=str)


def test_no_results_make_empty_files_that_read(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(Results(), tmp_path)
    assert adapter.load(tmp_path) == Results()


def test_an_empty_folder_has_no_records(adapter: Adapter, tmp_path: Path) -> None:
    assert [item for phase in Phase for item in read_folder(adapter, tmp_path, phase)] == []


def test_the_readme_shows_the_mapping_as_it_is(adapter: Adapter) -> None:
    """`python -m tests.golden.render` writes it anew."""
    assert (adapter.folder / "README.md").read_text(encoding="utf-8") == readme(adapter)
