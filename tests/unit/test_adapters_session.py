"""An adapter at work against a hub of a few lines: one effect a record, whatever happens in between."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from adapters.contract.hub import FakeHub, request_of
from adapters.runtime.command import find_adapter, list_adapters
from adapters.runtime.commands import AUTHORIZE, CAPTURE, ISSUE, PUBLISH, REGISTER
from adapters.runtime.model import Adapter, Kind, Phase
from adapters.runtime.session import AdapterReport, Session
from adapters.runtime.state import State
from hub.domain.clock import SimulatedClock
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def shanghai(tmp_path: Path) -> Adapter:
    return find_adapter("shanghai")


@pytest.fixture
def session(tmp_path: Path, hub: FakeHub, shanghai: Adapter) -> Iterator[Session]:
    """Shanghai, with a copy of its samples to change."""
    shutil.copytree(shanghai.samples, tmp_path / "in")
    with State(tmp_path / "work" / "state.db") as state:
        yield Session(shanghai, state, hub, hub, tmp_path / "in", tmp_path / "work", SimulatedClock(NOW), deadline_s=0.2)


def run(session: Session, *phases: Phase) -> AdapterReport:
    report = AdapterReport(session.adapter.name)
    for phase in phases or tuple(Phase):
        session.run(phase, report)
    return report


def edit(session: Session, file: str, old: str, new: str) -> None:
    path = session.samples / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("adapter", list_adapters(), ids=lambda adapter: adapter.name)
def test_a_run_sends_everything_good_once_and_a_rerun_nothing(adapter: Adapter, hub: FakeHub, tmp_path: Path) -> None:
    with State(tmp_path / "state.db") as state:
        session = Session(adapter, state, hub, hub, adapter.samples, tmp_path, SimulatedClock(NOW))
        first = run(session)
        assert first.read == first.sent + first.quarantined == first.ok + first.quarantined
        assert first.quarantined >= 10
        assert (first.refused, first.unanswered) == (0, 0)
        assert set(first.by_kind) == set(Kind)
        again = run(session)
        assert (again.sent, again.unchanged, again.ok) == (0, first.sent, first.ok)
        assert len(hub.effects) == len(hub.received) == first.sent


def test_commands_are_cloud_events_with_stable_ids(session: Session, hub: FakeHub) -> None:
    run(session, Phase.POLICIES, Phase.PARTIES)
    command = next(each for each in hub.received if each.headers["ce_type"] == REGISTER)
    assert command.headers == {
        "ce_specversion": "1.0",
        "ce_id": command.headers["ce_id"],
        "ce_source": "/adapters/shanghai",
        "ce_type": REGISTER,
        "ce_time": "2026-11-20T01:00:00+00:00",
        "content-type": "application/protobuf",
    }
    assert command.headers["ce_id"].startswith("shanghai/enterprise/SH-QY-0001/")
    assert command.headers["ce_id"].isascii()
    assert command.key == request_enterprise(request_of(command))
    assert [each.headers["ce_type"] for each in hub.received[:1]] == [PUBLISH]


def request_enterprise(request: Any) -> str:
    return str(request.enterprise.uscc)


def test_a_lost_memory_sends_the_same_ids_again(session: Session, hub: FakeHub, tmp_path: Path) -> None:
    run(session)
    with State(tmp_path / "other" / "state.db") as state:
        session.state = state
        session.inbound = again = FakeHub(effects=hub.effects)
        session.outbound = again
        report = run(session)
    assert [each.headers["ce_id"] for each in again.received] == [each.headers["ce_id"] for each in hub.received]
    assert [each.value for each in again.received] == [each.value for each in hub.received]
    assert report.refused == 0
    assert len(hub.effects) == len(hub.received)


def test_captures_carry_the_redemption_of_their_authorization(session: Session, hub: FakeHub) -> None:
    report = run(session)
    known = {row.native_id: row.redemption_id for row in session.state.all_sent() if row.kind == Kind.AUTHORIZATION}
    captures: list[Any] = hub.requests(CAPTURE)
    assert len(captures) == report.by_kind[Kind.CAPTURE]["OK"]
    assert all(known.values())
    assert {each.redemption_id for each in captures} <= set(known.values())
    assert len({each.redemption_id for each in captures}) == len(captures)


def test_a_refused_authorization_holds_its_capture_back_until_it_is_retried(session: Session, hub: FakeHub) -> None:
    def refuse(method: str, request: Message) -> str:
        wanted = method == AUTHORIZE and isinstance(request, clearing.AuthorizeRequest) and request.input.order.order_no == "SHHT202600001"
        return "PROVIDER_NOT_FOUND" if wanted else ""

    hub.refuse = refuse
    report = run(session)
    assert report.refusals == {"PROVIDER_NOT_FOUND": 1}
    held = [row for row in session.state.quarantined() if row.reason == "NOT_AUTHORIZED"]
    assert [(row.native_id, row.field, row.value) for row in held] == [("SH-DF-0001", "authorizationId", "SH-DD-0001")]

    hub.refuse = lambda _method, _request: ""
    assert run(session).sent == 0  # a refusal stands until somebody asks again
    session.retry_refused = True
    again = run(session)
    assert (again.sent, again.refused) == (2, 0)
    assert not [row for row in session.state.quarantined() if row.reason == "NOT_AUTHORIZED"]


def test_unanswered_commands_are_counted_and_sent_again_under_the_same_ids(session: Session, hub: FakeHub) -> None:
    hub.mute = True
    first = run(session, Phase.POLICIES)
    assert (first.sent, first.unanswered) == (1, 1)
    hub.mute = False
    second = run(session, Phase.POLICIES)
    assert (second.sent, second.unanswered, second.ok) == (1, 0, 1)
    assert len(hub.effects) == 1


def test_a_corrected_firm_is_sent_anew_and_a_changed_phone_number_is_not(session: Session, hub: FakeHub) -> None:
    run(session, Phase.PARTIES)
    count = len(hub.received)
    number = json.loads((session.samples / "enterprises-1.json").read_text(encoding="utf-8"))["data"][0]["contactMobile"]
    edit(session, "enterprises-1.json", number, "19900009999")
    assert run(session, Phase.PARTIES).sent == 0
    edit(session, "enterprises-1.json", '"employees": ', '"employees": 9')
    assert run(session, Phase.PARTIES).sent == 1
    edit(session, "enterprises-1.json", '"employees": 9', '"employees": ')
    assert run(session, Phase.PARTIES).sent == 1  # back again is a third revision, not the first
    ids = [each.headers["ce_id"] for each in hub.received[count:]]
    assert len(set(ids)) == 2
    assert len(hub.effects) == count + 2


def test_notes_once_issued_cannot_be_issued_otherwise(session: Session, hub: FakeHub) -> None:
    run(session)
    item = json.loads((session.samples / "vouchers-1.json").read_text(encoding="utf-8"))["data"][0]
    edit(session, "vouchers-1.json", f'"amount": {item["amount"]}', f'"amount": {item["amount"] + 1}')
    again = run(session, Phase.GRANTS)
    assert again.sent == 0
    (row,) = [each for each in session.state.quarantined() if each.reason == "CHANGED_AFTER_SENT"]
    assert (row.native_id, row.field) == (item["id"], "id")
    assert len(hub.requests(ISSUE)) == len({each.headers["ce_id"] for each in hub.received if each.headers["ce_type"] == ISSUE})


def test_a_mended_row_leaves_quarantine_and_is_sent(session: Session, hub: FakeHub) -> None:
    run(session, Phase.PARTIES)
    before = [row.native_id for row in session.state.quarantined()]
    assert "SH-QY-9001" in before
    edit(session, "enterprises-1.json", "91310118MA1JTERT17", "91310118MA1JTERT16")
    assert run(session, Phase.PARTIES).sent == 1
    assert [row.native_id for row in session.state.quarantined()] == [each for each in before if each != "SH-QY-9001"]


def test_results_and_quarantine_become_files(session: Session, hub: FakeHub) -> None:
    hub.refuse = lambda method, _request: "POLICY_NOT_IN_FORCE" if method == ISSUE else ""
    run(session)
    redemption = clearing.Redemption(redemption_id="r-1", state=clearing.REDEMPTION_STATE_CLEARED, payee=clearing.PAYEE_KIND_PROVIDER)
    hub.tell(events.RedemptionChanged(redemption=redemption, reasons=[refusal.Reason(zh="按60%\n计算"), refusal.Reason(zh="核定")]))
    redemption.state = clearing.REDEMPTION_STATE_SETTLED
    hub.tell(events.RedemptionChanged(redemption=redemption))
    files = session.collect()
    assert [path.name for path in files] == [
        "redemptions-result.json",
        "vouchers-result.json",
        "obligations-result.json",
        "positions-result.json",
        "receipts-result.json",
        "quarantine.csv",
    ]
    back = session.adapter.load(session.work / "results")
    (row,) = [each for each in back.redemptions if each.redemption_id == "r-1"]
    assert (row.state, row.basis) == ("SETTLED", "按60% 计算；核定")
    refused = [each for each in back.outcomes if each.outcome == "POLICY_NOT_IN_FORCE"]
    assert refused and all(each.kind == "voucher" and each.message == "不予受理" for each in refused)
    with files[-1].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(session.state.quarantined()) >= 10
    assert all(row["file"] and row["line"] and row["field"] and row["zh"] and row["en"] for row in rows)


def test_progress_ends_at_the_total(session: Session) -> None:
    told: list[tuple[str, Phase, int, int]] = []
    session.progress = lambda *what: told.append(what)
    report = run(session, Phase.PARTIES)
    assert told[-1] == ("shanghai", Phase.PARTIES, report.sent, report.sent)


def test_a_report_as_plain_data(session: Session) -> None:
    plain = run(session, Phase.POLICIES).as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["by_kind"] == {"policy": {"OK": 1}}
