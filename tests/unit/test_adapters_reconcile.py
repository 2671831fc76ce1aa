"""Reconciliation: every fate is told apart, and every kind of difference that can be put in is found and named, to the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from adapters.runtime.model import Kind
from adapters.runtime.reconcile import Account, Difference, Fate, Fault, Memory, Native, OrderFacts, Remembered, account, missing_deliveries
from adapters.runtime.reconcile_ledger import LedgerRow, of_result, orders, outcomes, results, sums
from adapters.runtime.reconcile_report import FATES, FAULTS, Report, page, write_csv
from adapters.runtime.results import OutcomeRow, RedemptionRow

FIRM, LAB = "91330522MA2B12343A", "12310104425001236Q"


@dataclass
class Province:
    """A small clean province: two orders, one of them captured; a test puts one thing wrong."""

    natives: list[Native] = field(default_factory=list)
    sent: dict[tuple[str, str], Remembered] = field(default_factory=dict)
    quarantine: dict[tuple[int, str], str] = field(default_factory=dict)
    parked: dict[tuple[str, str], str] = field(default_factory=dict)
    deliveries: dict[int, str] = field(default_factory=lambda: {1: "morning.csv", 2: "evening.csv"})
    ledger: dict[str, LedgerRow] = field(default_factory=dict)
    told: list[RedemptionRow] = field(default_factory=list)
    outcomes: list[OutcomeRow] = field(default_factory=list)

    @property
    def memory(self) -> Memory:
        return Memory(self.sent, self.quarantine, self.parked, self.deliveries)

    def account(self) -> Account:
        return account(self.natives, self.memory)

    def differences(self) -> list[Difference]:
        found = self.account()
        told = [*found.differences, *missing_deliveries({1: "morning.csv", 2: "evening.csv"}, self.memory)]
        told += orders(found, self.memory, self.ledger, [row.redemption_id for row in self.ledger.values() if row.acquirer == "310000"])
        return [*told, *results(self.ledger, self.told), *outcomes(found, self.memory, self.outcomes)]


def order(native_id: str, line: str, fen: int, delivery: int = 1) -> Native:
    facts = OrderFacts("330522", FIRM, LAB, f"HT-{native_id}", fen)
    return Native(delivery, "morning.csv", line, Kind.AUTHORIZATION, native_id, f"d-{native_id}", False, "", fen, facts)


def redemption(number: int, native_id: str, state: str, fen: int) -> tuple[LedgerRow, RedemptionRow]:
    row = RedemptionRow(
        *(f"r{number}", f"HT-{native_id}", "330522", "310000", FIRM, LAB, state, "2013-trial", fen * 6 // 10, fen * 6 // 10, 0, "PROVIDER"),
        *("INV1" if state == "CLEARED" else "", "2026-02-03" if state == "CLEARED" else "", "", "", "60 %"),
    )
    return replace(of_result(row), amount_fen=fen), row


@pytest.fixture
def province() -> Province:
    made = Province()
    made.natives = [
        Native(1, "morning.csv", "1", Kind.ENTERPRISE, "E1", "d-E1"),
        order("A1", "2", 800_000),
        order("A2", "3", 500_000),
        Native(
            *(1, "morning.csv", "4", Kind.CAPTURE, "C1", "d-C1", False, "", 0),
            order=OrderFacts(invoice_no="INV1", delivered_on="2026-02-03"),
            refers_to="A1",
        ),
    ]
    made.sent = {
        ("enterprise", "E1"): Remembered("d-E1", "OK", 1, holds=True, file="morning.csv", line="1"),
        ("authorization", "A1"): Remembered("d-A1", "OK", 1, holds=True, redemption_id="r1", file="morning.csv", line="2"),
        ("authorization", "A2"): Remembered("d-A2", "OK", 1, holds=True, redemption_id="r2", file="morning.csv", line="3"),
        ("capture", "C1"): Remembered("d-C1", "OK", 1, holds=True, redemption_id="r1", file="morning.csv", line="4"),
    }
    for number, native_id, state, fen in ((1, "A1", "CLEARED", 800_000), (2, "A2", "AUTHORIZED", 500_000)):
        row, told = redemption(number, native_id, state, fen)
        made.ledger[row.redemption_id] = row
        made.told.append(told)
    made.outcomes = [OutcomeRow(kind, native_id, "morning.csv", "1", "OK", "") for kind, native_id in made.sent]
    return made


def test_a_clean_province_has_no_differences(province: Province) -> None:
    assert province.differences() == []
    assert {kind: dict(counts) for kind, counts in province.account().fates.items()} == {
        "enterprise": {Fate.ACCEPTED: 1},
        "authorization": {Fate.ACCEPTED: 2},
        "capture": {Fate.ACCEPTED: 1},
    }


def lose_a_record(p: Province) -> None:
    del p.sent[("enterprise", "E1")]
    p.outcomes = [row for row in p.outcomes if row.native_id != "E1"]


def lose_a_broken_row(p: Province) -> None:
    p.natives.append(Native(1, "morning.csv", "9", None, "", reason="UNPARSEABLE"))


def forget_the_latest_edition(p: Province) -> None:
    p.natives.append(Native(2, "evening.csv", "1", Kind.ENTERPRISE, "E1", "d-E1-new"))


def invent_a_record(p: Province) -> None:
    p.sent[("enterprise", "E9")] = Remembered("d-E9", "OK", 1, file="morning.csv", line="9")
    p.outcomes.append(OutcomeRow("enterprise", "E9", "morning.csv", "9", "OK", ""))


def invent_a_quarantined_row(p: Province) -> None:
    p.quarantine[(1, "77")] = "BAD_USCC"


def lose_a_delivery(p: Province) -> None:
    p.deliveries[3] = "lost.csv"


def smuggle_a_delivery(p: Province) -> None:
    del p.deliveries[2]


def lose_a_redemption(p: Province) -> None:
    del p.ledger["r2"]
    p.told = p.told[:1]


def double_an_order(p: Province) -> None:
    row, told = redemption(3, "A2", "AUTHORIZED", 500_000)
    p.ledger["r3"] = row
    p.told.append(told)


def authorize_past_the_adapter(p: Province) -> None:
    row, told = redemption(3, "A7", "AUTHORIZED", 500_000)
    p.ledger["r3"] = row
    p.told.append(told)


def change_what_was_ordered(p: Province) -> None:
    p.ledger["r2"] = replace(p.ledger["r2"], amount_fen=500_001)


def change_an_invoice(p: Province) -> None:
    p.ledger["r1"] = replace(p.ledger["r1"], invoice_no="INV2")
    p.told[0] = replace(p.told[0], invoice_no="INV2")


def keep_what_was_withdrawn(p: Province) -> None:
    p.natives.append(replace(order("A2", "5", 500_000, 2), deleted=True, digest="d-gone"))
    p.sent[("authorization", "A2")] = replace(p.sent[("authorization", "A2")], digest="d-gone", delivery=2)


def lose_a_result(p: Province) -> None:
    p.told.pop()


def double_a_result(p: Province) -> None:
    p.told.append(p.told[0])


def invent_a_result(p: Province) -> None:
    p.told.append(redemption(8, "A8", "AUTHORIZED", 100)[1])


def change_an_amount(p: Province) -> None:
    p.told[0] = replace(p.told[0], subsidy_fen=p.told[0].subsidy_fen - 1)


def change_a_state(p: Province) -> None:
    p.told[1] = replace(p.told[1], state="CLEARED")


def lose_an_outcome(p: Province) -> None:
    p.outcomes.pop(0)


def double_an_outcome(p: Province) -> None:
    p.outcomes.append(p.outcomes[0])


def invent_an_outcome(p: Province) -> None:
    p.outcomes.append(OutcomeRow("voucher", "V9", "", "", "OK", ""))


def change_an_outcome(p: Province) -> None:
    p.outcomes[0] = replace(p.outcomes[0], outcome="UNANSWERED")


CASES: list[tuple[Callable[[Province], None], set[tuple[Fault, str]]]] = [
    (lose_a_record, {(Fault.RECORD_LOST, "E1")}),
    (lose_a_broken_row, {(Fault.RECORD_LOST, "9")}),
    (forget_the_latest_edition, {(Fault.EDITION_NOT_SENT, "E1")}),
    (invent_a_record, {(Fault.RECORD_UNKNOWN, "E9")}),
    (invent_a_quarantined_row, {(Fault.RECORD_UNKNOWN, "77")}),
    (lose_a_delivery, {(Fault.DELIVERY_MISSING, "lost.csv")}),
    (smuggle_a_delivery, {(Fault.DELIVERY_UNKNOWN, "evening.csv")}),
    (lose_a_redemption, {(Fault.REDEMPTION_MISSING, "A2")}),
    (double_an_order, {(Fault.REDEMPTION_DOUBLED, "A2")}),
    (authorize_past_the_adapter, {(Fault.REDEMPTION_UNKNOWN, "r3")}),
    (change_what_was_ordered, {(Fault.ORDER_DIFFERS, "A2")}),
    (change_an_invoice, {(Fault.ORDER_DIFFERS, "A1")}),
    (keep_what_was_withdrawn, {(Fault.ORDER_DIFFERS, "A2")}),
    (lose_a_result, {(Fault.RESULT_MISSING, "r2"), (Fault.SUM_DIFFERS, "330522 AUTHORIZED")}),
    (double_a_result, {(Fault.RESULT_DOUBLED, "r1"), (Fault.SUM_DIFFERS, "330522 CLEARED")}),
    (invent_a_result, {(Fault.RESULT_UNKNOWN, "r8"), (Fault.SUM_DIFFERS, "330522 AUTHORIZED")}),
    (change_an_amount, {(Fault.RESULT_DIFFERS, "r1"), (Fault.SUM_DIFFERS, "330522 CLEARED")}),
    (change_a_state, {(Fault.RESULT_DIFFERS, "r2"), (Fault.SUM_DIFFERS, "330522 AUTHORIZED"), (Fault.SUM_DIFFERS, "330522 CLEARED")}),
    (lose_an_outcome, {(Fault.OUTCOME_MISSING, "E1")}),
    (double_an_outcome, {(Fault.OUTCOME_DOUBLED, "E1")}),
    (invent_an_outcome, {(Fault.OUTCOME_UNKNOWN, "V9")}),
    (change_an_outcome, {(Fault.OUTCOME_DIFFERS, "E1")}),
]


def named(difference: Difference) -> str:
    """What a person would look for."""
    summed = " ".join(difference.field.split(" ")[:2]) if difference.fault is Fault.SUM_DIFFERS else ""
    return difference.native_id or difference.redemption_id or summed or difference.line or difference.file


@pytest.mark.parametrize(("put_wrong", "expected"), CASES, ids=[case.__name__ for case, _ in CASES])
def test_what_was_put_wrong_is_found_and_named(
    province: Province, put_wrong: Callable[[Province], None], expected: set[tuple[Fault, str]]
) -> None:
    put_wrong(province)
    assert {(each.fault, named(each)) for each in province.differences()} == expected


def test_every_kind_of_difference_is_tried_and_has_its_words() -> None:
    assert {fault for _, expected in CASES for fault, _ in expected} == set(Fault)
    assert set(FAULTS) == set(Fault) and set(FATES) == set(Fate)


def test_a_changed_amount_is_told_to_the_fen(province: Province) -> None:
    change_an_amount(province)
    (found,) = [each for each in province.differences() if each.fault is Fault.RESULT_DIFFERS]
    assert (found.field, found.expected, found.found) == ("subsidy_fen", "480000", "479999")


def fates(natives: list[Native], memory: Memory) -> list[tuple[str, Fate]]:
    found = account(natives, memory)
    return sorted((kind, Fate(fate)) for kind, counts in found.fates.items() for fate, count in counts.items() for _ in range(count))


def firm(delivery: int, line: str, digest: str, *, deleted: bool = False, historic: bool = False) -> Native:
    return Native(delivery, "f.csv", line, Kind.ENTERPRISE, "E1", digest, deleted, historic=historic)


E1 = ("enterprise", "E1")


@pytest.mark.parametrize(
    ("natives", "memory", "expected"),
    [
        ([firm(1, "1", "a")], Memory({E1: Remembered("a", "BAD")}), [Fate.REFUSED]),
        ([firm(1, "1", "a")], Memory({E1: Remembered("a", "")}), [Fate.UNANSWERED]),
        ([firm(1, "1", "a")], Memory({E1: Remembered("a", "", queued=True)}), [Fate.WAITING]),
        ([firm(1, "1", "a")], Memory(parked={E1: "a"}), [Fate.WAITING]),
        ([firm(1, "1", "a")], Memory(unread=frozenset({1})), [Fate.WAITING]),
        ([firm(1, "1", "a")], Memory(quarantine={(1, "1"): "BAD_USCC"}), [Fate.QUARANTINED]),
        ([firm(1, "1", "a"), firm(2, "1", "b")], Memory({E1: Remembered("b", "OK")}), [Fate.ACCEPTED, Fate.SUPERSEDED]),
        ([firm(1, "1", "a"), firm(1, "2", "a")], Memory({E1: Remembered("a", "OK")}), [Fate.ACCEPTED, Fate.REPEATED]),
        # Given up by a person: a row, a correction whose record stands as it was, and one that was sent after all.
        ([firm(1, "1", "a")], Memory(set_aside={(1, "1"): "BAD_USCC"}), [Fate.SET_ASIDE]),
        (
            [firm(1, "1", "a"), firm(2, "1", "b")],
            Memory({E1: Remembered("a", "OK")}, set_aside={(2, "1"): "X"}),
            [Fate.ACCEPTED, Fate.SET_ASIDE],
        ),
        ([firm(1, "1", "a")], Memory({E1: Remembered("a", "OK")}, set_aside={(1, "1"): "X"}), [Fate.ACCEPTED]),
        # A correction that is held back leaves the earlier edition standing.
        ([firm(1, "1", "a"), firm(2, "1", "b")], Memory({E1: Remembered("a", "OK")}, {(2, "1"): "X"}), [Fate.ACCEPTED, Fate.QUARANTINED]),
        ([firm(1, "1", "a"), firm(2, "1", "b")], Memory({E1: Remembered("a", "OK")}, parked={E1: "b"}), [Fate.ACCEPTED, Fate.WAITING]),
        # Withdrawn before anything was sent, and after.
        ([firm(1, "1", "a", deleted=True)], Memory(), [Fate.NOTHING]),
        ([firm(1, "1", "a", deleted=True)], Memory({E1: Remembered("a", "OK", never_sent=True)}), [Fate.NOTHING]),
        ([firm(1, "1", "a"), firm(2, "1", "b", deleted=True)], Memory({E1: Remembered("a", "BAD")}), [Fate.NOTHING, Fate.SUPERSEDED]),
        # History that comes after the live feed does not replace it; after other history it does.
        ([firm(1, "1", "a"), firm(2, "1", "b", historic=True)], Memory({E1: Remembered("a", "OK")}), [Fate.ACCEPTED, Fate.SUPERSEDED]),
        (
            [firm(1, "1", "a", historic=True), firm(2, "1", "b", historic=True)],
            Memory({E1: Remembered("b", "OK")}),
            [Fate.ACCEPTED, Fate.SUPERSEDED],
        ),
        ([firm(2, "1", "b", historic=True)], Memory({E1: Remembered("a", "OK", 1)}), [Fate.SUPERSEDED]),
    ],
)
def test_every_fate_is_told_apart(natives: list[Native], memory: Memory, expected: list[Fate]) -> None:
    assert sorted(fate for _, fate in fates(natives, memory)) == sorted(expected)
    assert not [each for each in account(natives, memory).differences if each.fault is not Fault.RECORD_UNKNOWN]


def test_a_row_without_an_id_is_settled_by_its_file_coming_again() -> None:
    rows = [Native(1, "f.csv", "7", None, "", reason="UNPARSEABLE"), firm(2, "7", "a")]
    assert sorted(fates(rows, Memory({E1: Remembered("a", "OK", 2)}))) == [("enterprise", Fate.ACCEPTED), ("unreadable", Fate.SUPERSEDED)]


def test_a_row_without_an_id_may_be_set_aside() -> None:
    rows = [Native(1, "f.csv", "7", None, "", reason="UNPARSEABLE")]
    found = account(rows, Memory(set_aside={(1, "7"): "UNPARSEABLE"}))
    assert (found.fates, found.differences) == ({"unreadable": {Fate.SET_ASIDE: 1}}, [])


def test_what_was_withdrawn_before_it_was_sent_has_no_outcome_to_tell(province: Province) -> None:
    province.natives.append(Native(1, "morning.csv", "9", Kind.ENTERPRISE, "E2", "d-E2", True))
    province.sent[("enterprise", "E2")] = Remembered("d-E2", "OK", 1, never_sent=True, file="morning.csv", line="9")
    assert province.differences() == []


def test_later_deliveries_only_say_what_was_superseded() -> None:
    rows = [firm(1, "1", "a"), firm(2, "1", "b"), Native(2, "f.csv", "2", Kind.ENTERPRISE, "E2", "lost")]
    found = account(rows, Memory({E1: Remembered("b", "OK")}), until_delivery=1)
    assert (found.records, found.deliveries, found.fates["enterprise"]) == (1, 1, {Fate.SUPERSEDED: 1})
    assert found.differences == []


def test_a_period_of_the_ledger_asks_of_the_result_files_no_more_than_it_holds(province: Province) -> None:
    part = {"r1": province.ledger["r1"]}
    assert results(part, province.told, frozenset(part)) == []


def test_the_page_and_the_list_say_what_is_wrong_in_both_languages(province: Province, tmp_path: Path) -> None:
    change_an_amount(province)
    differences = province.differences()
    told = sums(of_result(row) for row in province.told)
    report = Report("x", "某省", "A province", "all", "2026-02-10", province.account(), sums(province.ledger.values()), told, differences)
    text = page(report)
    assert "subsidy_fen: 480000 ≠ 479999" in text and "结果文件与账本不一致" in text and "differences" in text
    assert "13000.00" in text and "4800.00/4799.99" in text
    assert report.as_dict()["counts"] == {"RESULT_DIFFERS": 1, "SUM_DIFFERS": 1} and not report.clean
    lines = write_csv(differences, tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 3 and lines[1].startswith("RESULT_DIFFERS,结果文件与账本不一致,")
    assert "Clean" in page(replace(report, differences=[]))
