"""An adapter at work against a hub of a few lines: one effect a record, whatever happens in between."""

from __future__ import annotations

import csv
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from adapters.contract.hub import FakeHub, request_of
from adapters.runtime.command import find_adapter, list_adapters, run_once
from adapters.runtime.commands import AUTHORIZE, CAPTURE, ISSUE, PUBLISH, REGISTER
from adapters.runtime.engine import Limits
from adapters.runtime.identity import digest_of
from adapters.runtime.model import Adapter, Kind, NativeRecord, Phase
from adapters.runtime.queueing import ORDER
from adapters.runtime.reading import read_folder
from adapters.runtime.retrying import RetryRules
from tests.fixtures.adapter import Bench, bench_of
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events

FIRST_ORDER = "SHHT202600001"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_of(find_adapter("shanghai"), tmp_path)


def refusing(code: str, order_no: str) -> Any:
    def refuse(_method: str, request: Message) -> str:
        return code if isinstance(request, clearing.AuthorizeRequest) and request.input.order.order_no == order_no else ""

    return refuse


def said_twice(bench: Bench) -> set[str]:
    """The native ids under which the files say several things, one after the other."""
    said: dict[str, set[str]] = {}
    for phase in Phase:
        for item in read_folder(bench.adapter, bench.folder, phase):
            if isinstance(item, NativeRecord):
                said.setdefault(item.native_id, set()).add(digest_of(item, bench.adapter.dropped))
    return {native_id for native_id, digests in said.items() if len(digests) > 1}


def sent(bench: Bench, method: str) -> list[Message]:
    return bench.hub.requests(method)


@pytest.mark.parametrize("adapter", list_adapters(), ids=lambda adapter: adapter.name)
def test_a_run_sends_everything_good_once_and_a_rerun_nothing(adapter: Adapter, tmp_path: Path) -> None:
    bench = bench_of(adapter, tmp_path)
    first = bench.run()
    assert first.read == first.sent + first.unchanged + first.quarantined
    assert first.quarantined >= 10
    assert (first.refused, first.unanswered) == (0, 0)
    assert set(first.by_kind) == set(Kind)
    again = bench.run()
    assert (again.read, again.sent, again.ok) == (0, 0, first.ok)
    for path in sorted(bench.folder.rglob("*")):
        if path.is_file() and path.suffix != ".xlsx":
            path.write_bytes(path.read_bytes() + b"\n")  # other bytes, the same records
    assert len(bench.hub.effects) == len(bench.hub.received) == first.sent
    # Said twice, a correction is undone and made again: who tells the whole story anew tells it in its order.
    bench.run()
    assert {each.headers["ce_id"].split("/")[2] for each in bench.hub.received[first.sent :]} <= said_twice(bench)


def test_phases_leave_in_their_order(bench: Bench) -> None:
    bench.run()
    places = {
        Kind.POLICY: 0,
        Kind.ENTERPRISE: 1,
        Kind.PROVIDER: 1,
        Kind.RECOGNITION: 2,
        Kind.VOUCHER: 2,
        Kind.AUTHORIZATION: 3,
        Kind.CAPTURE: 4,
    }
    order = [places[Kind(each.headers["ce_id"].split("/")[1])] for each in bench.hub.received]
    assert order == sorted(order)


def test_commands_are_cloud_events_with_stable_ids(bench: Bench) -> None:
    bench.run()
    command = next(each for each in bench.hub.received if each.headers["ce_type"] == REGISTER)
    request: Any = request_of(command)
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
    assert command.key == request.enterprise.uscc
    assert command.value == request.SerializeToString()  # the request id in its canonical place
    assert bench.hub.received[0].headers["ce_type"] == PUBLISH


def test_a_lost_memory_sends_the_same_ids_again(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    first, bench.hub = bench.hub, FakeHub(effects=bench.hub.effects)
    bench.work = tmp_path / "other"
    report = bench.run()
    assert [(each.headers["ce_id"], each.value) for each in bench.hub.received] == [
        (each.headers["ce_id"], each.value) for each in first.received
    ]
    assert report.refused == 0
    assert len(bench.hub.effects) == len(first.received)


def test_captures_carry_the_redemption_of_their_authorization(bench: Bench) -> None:
    report = bench.run()
    with bench.engine() as engine:
        orders = {
            row.native_id: row.redemption_id for row in engine.state.records.rows() if row.kind == Kind.AUTHORIZATION and row.redemption_id
        }
    captures: list[Any] = sent(bench, CAPTURE)
    assert len(captures) == report.by_kind[Kind.CAPTURE]["OK"]
    assert {each.redemption_id for each in captures} <= set(orders.values())
    assert len({each.redemption_id for each in captures}) == len(captures)


def test_a_refused_authorization_holds_its_capture_back_until_a_later_attempt_succeeds(bench: Bench) -> None:
    bench.limits = Limits(retry=RetryRules(first_seconds=60, factor=4, times=2))
    bench.hub.refuse = refusing("PROVIDER_NOT_FOUND", FIRST_ORDER)
    report = bench.run()
    assert report.refusals == {"PROVIDER_NOT_FOUND": 1}
    with bench.engine() as engine:
        held = [row for row in engine.state.quarantine.rows() if row.reason == "NOT_AUTHORIZED"]
        assert [(row.native_id, row.field, row.value) for row in held] == [("SH-DF-0001", "authorizationId", "SH-DD-0001")]
        assert engine.retrying.step() == 0  # not due yet
        bench.later(60)
        assert engine.retrying.step() == 1
        assert engine.exchange(Phase.CAPTURES, deadline_s=30) == 0
        order = engine.state.records.get(Kind.AUTHORIZATION, "SH-DD-0001")
        assert order is not None and order.retries == 1
        bench.later(60)
        assert engine.retrying.step() == 0  # the pause has grown
        bench.later(180)
        bench.hub.refuse = lambda _method, _request: ""
        assert engine.retrying.step() == 1
        engine.exchange(Phase.CAPTURES, deadline_s=30)
        assert engine.report().refusals == {}
        assert not [row for row in engine.state.quarantine.rows() if row.reason == "NOT_AUTHORIZED"]
    attempts = [each for each in bench.hub.received if "/SH-DD-0001/" in each.headers["ce_id"]]
    assert len({each.headers["ce_id"] for each in attempts}) == 3
    assert [each.headers["ce_type"] for each in bench.hub.received[-2:]] == [AUTHORIZE, CAPTURE]


def test_retries_are_bounded_and_decisions_are_never_retried(bench: Bench) -> None:
    bench.limits = Limits(retry=RetryRules(first_seconds=1, factor=1, times=2))
    bench.hub.refuse = lambda method, request: {ISSUE: "ENTERPRISE_NOT_FOUND", AUTHORIZE: "QUOTA_EXCEEDED"}.get(method, "")
    bench.run()
    issued, asked = len(sent(bench, ISSUE)), len(sent(bench, AUTHORIZE))
    with bench.engine() as engine:
        for _ in range(5):
            bench.later(10)
            while engine.retrying.step():
                engine.exchange(Phase.CAPTURES, deadline_s=30)
    assert len(sent(bench, ISSUE)) == 3 * issued
    assert len(sent(bench, AUTHORIZE)) == asked


def test_unanswered_commands_are_sent_again_under_their_own_request_ids(bench: Bench) -> None:
    bench.hub.mute = True
    bench.limits = Limits(gate_seconds=0)
    first = bench.run(deadline_s=0.1)
    assert first.unanswered == first.sent > 100
    bench.hub.mute = False
    second = bench.run()
    assert (second.refused, second.unanswered) == (0, 0)
    again = [each for each in bench.hub.received if each.headers["ce_id"].endswith("~1")]
    assert len(again) == first.sent  # the hub passes over an id that it has read before: these it reads


def test_an_answer_that_is_lost_stalls_a_later_phase_for_a_while_only(bench: Bench) -> None:
    bench.hub.mute = True
    bench.limits = Limits(gate_seconds=120)
    with bench.engine() as engine:
        engine.bring()
        while engine.intake.step():
            pass
        assert engine.sender.step() == 1  # the policy
        assert engine.sender.step() == 0
        bench.later(121)
        assert engine.sender.step() > 100  # firms and providers
        assert engine.sender.step() == 0


def test_a_full_queue_pauses_the_intake_and_loses_nothing(bench: Bench) -> None:
    bench.limits = Limits(queue_limit=50, chunk_rows=20)
    with bench.engine() as engine:
        engine.bring()
        while engine.intake.step():
            pass
        assert 50 <= engine.state.queue.depth() < 70
        assert engine.intake.full
    report = bench.run()
    assert report.unanswered == 0
    assert report.ok >= 430


def test_a_corrected_firm_is_sent_anew_and_a_changed_phone_number_is_not(bench: Bench) -> None:
    bench.run()
    count = len(bench.hub.received)
    number = json.loads((bench.folder / "enterprises-2.json").read_text(encoding="utf-8"))["data"][0]["contactMobile"]
    bench.edit("enterprises-2.json", number, "19900009999")
    assert bench.run().sent == 0
    bench.edit("enterprises-2.json", '"employees": ', '"employees": 9')
    assert bench.run().sent == 1
    bench.edit("enterprises-2.json", '"employees": 9', '"employees": ')
    assert bench.run().sent == 1  # back again is a third revision, not the first
    assert len({each.headers["ce_id"] for each in bench.hub.received[count:]}) == 2
    assert len(bench.hub.effects) == count + 2


def test_a_mended_row_leaves_quarantine_and_is_sent(bench: Bench) -> None:
    bench.run()
    with bench.engine() as engine:
        before = [row.native_id for row in engine.state.quarantine.rows()]
    assert "SH-QY-9001" in before
    bench.edit("enterprises-1.json", "91310118MA1JTERT17", "91310118MA1JTERT16")
    count = len(bench.hub.received)
    bench.run()
    sent_now = {each.headers["ce_id"].split("/")[2] for each in bench.hub.received[count:]}
    assert "SH-QY-9001" in sent_now and sent_now - {"SH-QY-9001"} <= said_twice(bench)
    with bench.engine() as engine:
        after = [row.native_id for row in engine.state.quarantine.rows()]
    assert sorted(after) == sorted(each for each in before if each != "SH-QY-9001")


def test_rules_are_records_too(bench: Bench) -> None:
    bench.run()
    path = bench.adapter.policy_file
    path.write_text(path.read_text(encoding="utf-8").replace("annual_cap:", "annual_cap :", 1), encoding="utf-8")
    assert bench.run().sent == 0  # other bytes, the same rules
    text = path.read_text(encoding="utf-8")
    version = next(line for line in text.splitlines() if "version:" in line)
    path.write_text(
        text.replace(version, version.rstrip().rstrip('"') + ('-b"' if version.rstrip().endswith('"') else "-b"), 1), encoding="utf-8"
    )
    assert bench.run().sent == 1
    assert len(sent(bench, PUBLISH)) == 2


def test_a_file_that_is_not_the_provinces_and_one_that_breaks_the_reader_stop_nothing(bench: Bench) -> None:
    with bench.engine() as engine:
        engine.landing.put("notes.txt", [b"hello"])
        engine.landing.put("enterprises-7.json", [b'{"data": 3}'])
        run_once(engine, deadline_s=30)
        found = {row.file: row.reason for row in engine.state.quarantine.rows()}
        assert found["notes.txt"] == "UNKNOWN_FILE"
        assert found["enterprises-7.json"] == "MISSING_FIELD"
        assert all(landed.state == "TAKEN" for landed in engine.state.deliveries.all())


def test_a_mapping_that_fails_costs_one_row(bench: Bench) -> None:
    original = bench.adapter.map

    def failing(record: Any) -> Any:
        if record.native_id == "SH-QY-0002":
            raise OverflowError("a slip of the mapping")
        return original(record)

    bench.adapter = replace(bench.adapter, map=failing)
    report = bench.run()
    with bench.engine() as engine:
        (row,) = [each for each in engine.state.quarantine.rows() if each.reason == "FAULT"]
    assert (row.native_id, row.kind) == ("SH-QY-0002", "enterprise")
    assert report.ok >= 430


def test_results_and_quarantine_become_files(bench: Bench) -> None:
    bench.hub.refuse = lambda method, _request: "POLICY_NOT_IN_FORCE" if method == ISSUE else ""
    bench.run()
    redemption = clearing.Redemption(redemption_id="r-1", state=clearing.REDEMPTION_STATE_CLEARED, payee=clearing.PAYEE_KIND_PROVIDER)
    bench.hub.tell(events.RedemptionChanged(redemption=redemption, reasons=[refusal.Reason(zh="按60%\n计算"), refusal.Reason(zh="核定")]))
    redemption.state = clearing.REDEMPTION_STATE_SETTLED
    bench.hub.tell(events.RedemptionChanged(redemption=redemption))
    with bench.engine() as engine:
        engine.catch_up(quiet_ms=1)
        files = engine.push_results()
        assert sorted(path.name for path in files) == sorted(
            f"{name}-result.json" for name in ("redemptions", "vouchers", "obligations", "positions", "receipts")
        )
        assert engine.push_results() == []  # the province has them
        assert set(engine.state.pushed()) == {path.name for path in files}
        held = engine.state.quarantine.rows()
    back = bench.adapter.load(bench.work / "results")
    (row,) = [each for each in back.redemptions if each.redemption_id == "r-1"]
    assert (row.state, row.basis) == ("SETTLED", "按60% 计算；核定")
    refused = [each for each in back.outcomes if each.outcome == "POLICY_NOT_IN_FORCE"]
    assert refused and all(each.kind == "voucher" and each.message == "不予受理" for each in refused)
    with (bench.work / "quarantine.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(held) >= 10
    assert all(row["file"] and row["line"] and row["field"] and row["zh"] and row["en"] for row in rows)


def test_events_told_again_in_any_order_change_nothing(bench: Bench) -> None:
    bench.run()
    with bench.engine() as engine:
        before = sorted(map(str, engine.state.told.rows()))
        engine.receiver._take(list(reversed(bench.hub._out)))
        assert sorted(map(str, engine.state.told.rows())) == before
        assert engine.report().refused == 0


def test_deliveries_are_told_archived_and_let_go(bench: Bench) -> None:
    bench.limits = Limits(keep_days=30)
    bench.run()
    with bench.engine() as engine:
        landed = engine.state.deliveries.all()
        assert all(each.told and each.state == "TAKEN" for each in landed)
        assert all((bench.work / "archive" / str(each.number) / each.name).is_file() for each in landed)
        assert sum(each.rows for each in landed) == sum(each.sent + each.unchanged + each.quarantined for each in landed)
        bench.later(31 * 86_400)
        while engine.province.clear():
            pass
        assert not list((bench.work / "archive").iterdir())


def test_what_was_not_reached_since_the_start_is_not_ready(bench: Bench) -> None:
    """The first knock may take long: until it is answered, what an earlier process reached says nothing."""
    bench.run()
    with bench.engine() as engine:
        engine.state.contact("sending", up=True, at="2026-02-10T00:00:00+00:00")
        stop = threading.Event()
        stop.set()
        engine.run(stop)
        assert not engine.health.ready
        assert set(engine.health.loops) == {"province", "intake", "sending", "receiving"}
        assert {name: up for name, up, *_ in engine.state.contacts()} == dict.fromkeys(engine.health.loops, False)


def test_a_report_as_plain_data(bench: Bench) -> None:
    plain = bench.run().as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert isinstance(plain["by_kind"], dict) and plain["by_kind"]["policy"] == {"OK": 1}


def test_phases_are_in_order() -> None:
    assert [ORDER[phase] for phase in Phase] == [0, 1, 2, 3, 4]
