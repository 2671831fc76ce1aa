"""The operator's tools on a whole adapter: corrections through, replays, quarantine, backfill, forecasts. The hub is a model."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from adapters.runtime import backfill, commands
from adapters.runtime.dryrun import DryLanding, Forecast, What, forecast
from adapters.runtime.engine import Ends, Engine, Limits
from adapters.runtime.folder import FolderSource
from adapters.runtime.landing import FileLanding
from adapters.runtime.model import Kind, Phase
from adapters.runtime.quarantine import Filter, discard, discarded, export, find, retry, shown
from adapters.runtime.reading import kinds_in
from adapters.runtime.registry import find_adapter
from adapters.runtime.replay import Wanted, replay
from adapters.runtime.state import State
from hub.domain.clock import SimulatedClock
from tests.fixtures.correcting import ModelLine
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.events.v1 import events_pb2 as events

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
SHANGHAI = find_adapter("shanghai")


@dataclass
class Desk:
    """Shanghai at work on a copy of its samples."""

    engine: Engine
    line: ModelLine
    files: Path

    @property
    def state(self) -> State:
        return self.engine.state

    def run(self) -> int:
        """Exchange all that the folder holds; return how many commands were sent."""
        before = len(self.line.received)
        self.engine.bring()
        for phase in Phase:
            self.engine.exchange(phase, deadline_s=5)
        return len(self.line.received) - before

    def edit(self, file: str, native_id: str, **changes: Any) -> None:
        """Change a record in the province's file."""
        path = self.files / file
        page = json.loads(path.read_text(encoding="utf-8"))
        (item,) = [each for each in page["data"] if isinstance(each, dict) and each.get("id") == native_id]
        item.update(changes)
        path.write_text(json.dumps(page, ensure_ascii=False, indent=1), encoding="utf-8")

    def outcome(self, kind: Kind, native_id: str) -> str:
        known = self.state.records.get(kind, native_id)
        assert known is not None
        return known.outcome

    def reasons(self) -> list[str]:
        return [row.reason for row in self.state.quarantine.rows()]

    def forecast(self, *, historic: bool = False) -> Forecast:
        landing = DryLanding(self.files.parent / "dry", self.state, historic=historic)
        source = FolderSource(self.files, lambda name: kinds_in(SHANGHAI, name))
        while source.pull(landing):
            pass
        return forecast(SHANGHAI, self.state, landing.landed, NOW.isoformat())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    files = tmp_path / "in"
    shutil.copytree(SHANGHAI.samples, files)
    clock, line = SimulatedClock(NOW), ModelLine()
    with State(tmp_path / "work" / "state.db") as state:
        ends = Ends(lambda: line, lambda _state: line)

        def connect(_landing: FileLanding) -> FolderSource:
            return FolderSource(files, lambda name: kinds_in(SHANGHAI, name))

        engine = Engine(SHANGHAI, state, tmp_path / "work", ends, clock, connect, Limits(gate_seconds=0.0))
        yield Desk(engine, line, files)
        engine.close()


def first(desk: Desk, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((desk.files / file).read_text(encoding="utf-8"))["data"][0]
    return found


def test_a_note_is_corrected_withdrawn_and_comes_back(desk: Desk) -> None:
    desk.run()
    item = first(desk, "vouchers-1.json")
    sent = len(desk.line.received)
    desk.edit("vouchers-1.json", item["id"], amount=item["amount"] + 100)
    desk.run()
    assert desk.line.methods(sent) == ["CancelVoucher", "IssueVouchers"]
    desk.edit("vouchers-1.json", item["id"], deletedAt="2026-11-01T00:00:00+08:00")
    assert desk.run() == 1
    desk.edit("vouchers-1.json", item["id"], deletedAt=None)
    assert desk.run() == 1
    live = [note for number, note in desk.line.hub.notes.items() if number.startswith(item["voucherNo"]) and not note.cancelled]
    assert len(live) == 1
    assert desk.run() == 0


def test_a_note_that_was_drawn_on_is_not_issued_otherwise_and_stays_as_it_is(desk: Desk) -> None:
    desk.run()
    item, before = first(desk, "vouchers-1.json"), len(desk.line.received)
    drawn = clearing.VoucherDraw(voucher_no=item["voucherNo"], amount_fen=1)
    redemption = clearing.Redemption(redemption_id="r1", issuer="310000", state=clearing.REDEMPTION_STATE_CLEARED, draws=[drawn])
    desk.line.tell(events.RedemptionChanged(redemption=redemption))
    desk.engine.exchange(Phase.CAPTURES, deadline_s=5)
    desk.edit("vouchers-1.json", item["id"], amount=item["amount"] + 100)
    assert desk.run() == 0
    assert "VOUCHER_USED" in desk.reasons()
    redemption.state = clearing.REDEMPTION_STATE_VOIDED
    del redemption.draws[:]
    desk.line.tell(events.RedemptionChanged(redemption=redemption))
    desk.engine.exchange(Phase.CAPTURES, deadline_s=5)
    done = retry(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, find(desk.state, Filter(reason="VOUCHER_USED")))
    assert done.sent == 1
    desk.run()
    assert desk.line.methods(before) == ["CancelVoucher", "IssueVouchers"]


def test_an_order_is_corrected_and_its_capture_goes_to_the_new_redemption(desk: Desk) -> None:
    desk.run()
    capture = first(desk, "redemptions-1.json")
    known = desk.state.records.get(Kind.CAPTURE, capture["id"])
    assert known is not None and known.outcome == "OK"
    before = len(desk.line.received)
    desk.edit("authorizations-1.json", capture["authorizationId"], allOrNothing=True)
    desk.run()
    assert not desk.line.methods(before)
    desk.edit("redemptions-1.json", capture["id"], deletedAt="2026-11-01T00:00:00+08:00")
    desk.run()
    assert set(desk.line.methods(before)) == {"Refund"}
    assert desk.line.hub.deals[known.redemption_id].state == "REFUNDED"
    desk.edit("redemptions-1.json", capture["id"], deletedAt=None)
    desk.run()
    assert "NEEDS_AUTHORIZATION" in desk.reasons()


def test_unanswered_commands_are_sent_again_under_their_request_ids_and_have_one_effect(desk: Desk) -> None:
    desk.run()
    item = first(desk, "vouchers-1.json")
    desk.edit("vouchers-1.json", item["id"], amount=item["amount"] + 100)
    desk.line.mute = True
    before = len(desk.line.received)
    desk.engine.bring()
    for phase in Phase:
        desk.engine.exchange(phase, deadline_s=0.3)
    assert desk.line.methods(before) == ["CancelVoucher"]
    wanted = Wanted(unanswered=True)
    foreseen = replay(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, wanted, dry_run=True)
    assert (foreseen.again, desk.state.queue.depth()) == (1, 0)
    done = replay(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, wanted)
    assert done.again == 1
    assert replay(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, wanted).queued == 1  # asked twice, queued once
    desk.line.mute = False
    for phase in Phase:
        desk.engine.exchange(phase, deadline_s=5)
    first_id, again_id = (each.headers["ce_id"] for each in desk.line.received[before : before + 2])
    assert again_id == f"{first_id}~1"
    assert desk.line.methods(before) == ["CancelVoucher", "CancelVoucher", "IssueVouchers"]


def test_refused_records_are_sent_as_a_new_attempt_when_asked_for(desk: Desk) -> None:
    desk.line.hub.refuse = {commands.ISSUE: "ENTERPRISE_NOT_ELIGIBLE"}
    desk.run()
    refused = desk.state.db.all("SELECT count(*) FROM sent WHERE outcome = 'ENTERPRISE_NOT_ELIGIBLE'")[0][0]
    assert refused > 10
    assert desk.run() == 0
    desk.line.hub.refuse = {}
    one = first(desk, "vouchers-1.json")["id"]
    assert replay(SHANGHAI, desk.state, None, desk.engine.clock, Wanted(record=(Kind.VOUCHER, one))).anew == 1
    done = replay(SHANGHAI, desk.state, None, desk.engine.clock, Wanted(refused=True, code="ENTERPRISE_NOT_ELIGIBLE"))
    assert (done.anew, done.found) == (refused - 1, refused - 1)
    desk.run()
    assert desk.outcome(Kind.VOUCHER, one) == "OK"
    assert len(desk.line.hub.notes) == refused
    assert replay(SHANGHAI, desk.state, None, desk.engine.clock, Wanted(refused=True)).found == 0


def test_a_refused_correction_is_in_quarantine_and_is_retried_from_its_file(desk: Desk) -> None:
    desk.run()
    item = first(desk, "vouchers-1.json")
    desk.edit("vouchers-1.json", item["id"], amount=item["amount"] + 100)
    desk.line.hub.refuse = {commands.CANCEL: "NOT_PERMITTED"}
    desk.run()
    (row,) = find(desk.state, Filter(reason="CORRECTION_REFUSED"))
    assert row.native_id == item["id"]
    assert "NOT_PERMITTED" in row.zh and shown(row)["do_en"]
    desk.edit("vouchers-1.json", item["id"], entryClerk="x")  # the file comes again, the record says the same
    desk.run()
    assert [each.native_id for each in find(desk.state, Filter(reason="CORRECTION_REFUSED"))] == [row.native_id]
    desk.line.hub.refuse = {}
    done = replay(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, Wanted(refused=True, code="NOT_PERMITTED"))
    assert done.anew == 1
    assert desk.run() == 2
    assert find(desk.state, Filter(reason="CORRECTION_REFUSED")) == []


def test_quarantined_rows_are_read_again_with_todays_code_lists(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run()
    rows = find(desk.state, Filter(reason="UNMAPPED_CODE"))
    assert rows
    row = rows[0]
    still = retry(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, [row])
    assert (still.still, still.sent) == (1, 0)
    (row,) = [each for each in find(desk.state, Filter(reason="UNMAPPED_CODE")) if (each.file, each.line) == (row.file, row.line)]
    meant = SHANGHAI.codes.inward
    monkeypatch.setattr(
        type(SHANGHAI.codes), "inward", lambda self, name, native: meant(name, native) or next(iter(self.lists[name].values()))
    )
    done = retry(SHANGHAI, desk.state, desk.engine.work, desk.engine.clock, [row])
    assert done.still == 0
    assert row.id not in [each.id for each in desk.state.quarantine.rows()]


def test_rows_set_aside_stay_in_the_log(desk: Desk, tmp_path: Path) -> None:
    desk.run()
    rows = find(desk.state, Filter())
    with pytest.raises(ValueError, match="why"):
        discard(desk.state, rows[:2], who="wang", why=" ", clock=desk.engine.clock)
    assert discard(desk.state, rows[:2], who="wang", why="测试数据", clock=desk.engine.clock) == 2
    assert [(each.who, each.why, each.reason) for each in discarded(desk.state)] == [("wang", "测试数据", each.reason) for each in rows[:2]]
    left = find(desk.state, Filter())
    assert len(left) == len(rows) - 2
    with export(desk.state, tmp_path / "q.csv", left[:3]).open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert [each["native_id"] for each in written] == [each.native_id for each in left[:3]]
    assert all(each["do_zh"] and each["do_en"] for each in written)


def test_a_forecast_says_what_would_change_and_changes_nothing(desk: Desk) -> None:
    fresh = desk.forecast()
    assert {what for _, what in fresh.counts} == {What.NEW, What.QUARANTINED, What.WAITING, What.UNCHANGED}
    assert desk.state.db.all("SELECT count(*) FROM sent")[0][0] == 0
    desk.run()
    assert desk.forecast().rows == 0  # nothing has landed that is new
    firm = first(desk, "enterprises-1.json")
    note = first(desk, "vouchers-1.json")
    desk.edit("enterprises-1.json", firm["id"], employees=firm["employees"] + 7)
    desk.edit("vouchers-1.json", note["id"], deletedAt="2026-11-01T00:00:00+08:00")
    before = len(desk.line.received), desk.state.quarantine.depth()
    found = desk.forecast()
    by_id = {change.native_id: change for change in found.changes}
    assert by_id[firm["id"]].what is What.CHANGED
    assert ("employees", str(firm["employees"]), str(firm["employees"] + 7)) in by_id[firm["id"]].fields
    assert by_id[note["id"]].what is What.WITHDRAWN
    assert by_id[note["id"]].commands == (commands.CANCEL,)
    assert found.counts[("enterprise", What.UNCHANGED)] > 10
    assert json.loads(json.dumps(found.as_dict(), ensure_ascii=False))["rows"] == found.rows
    assert (len(desk.line.received), desk.state.quarantine.depth()) == before
    desk.run()
    done = {each.headers["ce_id"].split("/")[2] for each in desk.line.received[before[0] :]}
    assert done == {change.native_id for change in found.changes if change.commands}


@pytest.mark.parametrize("name", ["shanghai", "jiangsu", "zhejiang", "anhui"])
def test_a_forecast_finds_for_the_quarantine_what_a_run_does(name: str, tmp_path: Path) -> None:
    adapter, line = find_adapter(name), ModelLine()
    wanted = partial(kinds_in, adapter)
    with State(tmp_path / "work" / "state.db") as state:
        landing, source = DryLanding(tmp_path / "dry", state), FolderSource(adapter.samples, wanted)
        while source.pull(landing):
            pass
        foretold = forecast(adapter, state, landing.landed, NOW.isoformat())
        ends = Ends(lambda: line, lambda _state: line)
        engine = Engine(
            adapter, state, tmp_path / "work", ends, SimulatedClock(NOW), lambda _landing: FolderSource(adapter.samples, wanted)
        )
        engine.bring()
        while engine.intake.step():
            pass
        found = sorted((row.file, row.line, row.reason) for row in state.quarantine.rows())
        engine.close()
    assert sorted((each.file, each.line, each.reason) for each in foretold.changes if each.what is What.QUARANTINED) == found


def test_a_forecast_tells_the_rows_that_an_edition_no_longer_has(tmp_path: Path) -> None:
    anhui, name = find_adapter("anhui"), "340100-hefei-2026.xlsx"
    files, line = tmp_path / "in", ModelLine()
    files.mkdir()
    shutil.copy(anhui.samples / name, files)
    with State(tmp_path / "work" / "state.db") as state:
        ends = Ends(lambda: line, lambda _state: line)
        engine = Engine(anhui, state, tmp_path / "work", ends, SimulatedClock(NOW), lambda _landing: FolderSource(files, anhui.kinds))
        engine.bring()
        while engine.intake.step():
            pass
        book = load_workbook(files / name)
        gone = str(book["企业"]["A3"].value)
        book["企业"].delete_rows(3)
        book.save(files / name)
        landing, source = DryLanding(tmp_path / "dry", state), FolderSource(files, anhui.kinds)
        while source.pull(landing):
            pass
        found = forecast(anhui, state, landing.landed, NOW.isoformat())
        engine.close()
    assert [(each.native_id, each.what) for each in found.changes if each.reason == "ROW_VANISHED"] == [(gone, What.QUARANTINED)]


def test_history_has_one_effect_with_the_live_feed_and_never_overrides_it(desk: Desk, tmp_path: Path) -> None:
    history = tmp_path / "history"
    shutil.copytree(desk.files, history)
    firm = first(desk, "enterprises-1.json")
    desk.edit("enterprises-1.json", firm["id"], employees=firm["employees"] + 7)
    for path in desk.files.glob("[pv]*.json"):
        path.unlink()  # the live feed has no notes and no providers
    desk.run()
    clock = desk.engine.clock
    backfill.ask(desk.state, "2024-01-01", "", clock, folder=str(history))
    told: list[int] = []
    source = desk.engine.province.source
    done = backfill.run(SHANGHAI, desk.state, desk.engine.landing, source, clock, lambda now: told.append(now.landed))
    assert done is not None and done.done_at and done.landed == told[-1] >= 4
    before = len(desk.line.received)
    desk.run()
    assert set(desk.line.methods(before)) >= {"AdmitProvider", "IssueVouchers"}
    assert "RegisterEnterprise" not in desk.line.methods(before)
    known = desk.state.records.get(Kind.ENTERPRISE, firm["id"])
    assert known is not None and not known.historic
    again = backfill.ask(desk.state, "2024-01-01", "", clock, folder=str(history))
    assert not again.done_at
    backfill.run(SHANGHAI, desk.state, desk.engine.landing, source, clock, lambda _now: None)
    assert desk.run() == 0


def test_a_backfill_goes_on_where_it_was_and_can_be_taken_back(desk: Desk, tmp_path: Path) -> None:
    history = tmp_path / "history"
    shutil.copytree(desk.files, history)
    clock = desk.engine.clock
    source = desk.engine.province.source
    asked = backfill.ask(desk.state, "2024-01-01", "2024-12-31", clock, folder=str(history))
    backfill.step(SHANGHAI, desk.state, desk.engine.landing, source, clock)
    assert backfill.ask(desk.state, "2024-01-01", "2024-12-31", clock, folder=str(history)).landed == 1
    with pytest.raises(ValueError, match="under way"):
        backfill.ask(desk.state, "2023-01-01", "2023-12-31", clock)
    assert backfill.cancel(desk.state, clock) is not None
    assert backfill.step(SHANGHAI, desk.state, desk.engine.landing, source, clock) is None
    assert backfill.cancel(desk.state, clock) is None
    for since, until, said in (
        ("2024-02-30", "", "not a day"),
        ("2024-02-01", "2024-01-01", "after"),
        ("2024-02-01", "2999-01-01", "after"),
    ):
        with pytest.raises(ValueError, match=said):
            backfill.ask(desk.state, since, until, clock)
    assert asked.since == "2024-01-01"
