"""Corrections and withdrawals of a province through Kafka and the hub itself: the ledger ends where the last edition says."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.runtime.command import Broker, of_folder, open_engine, run_once
from adapters.runtime.engine import Engine
from adapters.runtime.model import Kind
from adapters.runtime.records import Known
from adapters.runtime.registry import find_adapter
from adapters.runtime.replay import Wanted, replay
from adapters.runtime.results import RedemptionRow
from hub.embedded import EmbeddedKafka
from hub.ledger.audit import audit
from hub.ledger.migrate import migrate
from tests.fixtures.hub_process import hub_process

SHANGHAI = find_adapter("shanghai")
GONE = "2026-11-20T09:00:00+08:00"


@dataclass
class Province:
    """Shanghai's files and folder, and the broker it speaks to."""

    broker: Broker
    files: Path
    work: Path

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        with open_engine(SHANGHAI, self.broker.ends(SHANGHAI), self.work, connect=of_folder(SHANGHAI, self.files)) as engine:
            yield engine

    def run(self) -> None:
        """Exchange all there is, to the last answer of every correction."""
        with self.engine() as engine:
            report = run_once(engine, deadline_s=60)
            engine.catch_up()
            assert report.unanswered == 0

    def records(self, file: str) -> list[dict[str, Any]]:
        """Return the good records of a file of pages."""
        page = json.loads((self.files / file).read_text(encoding="utf-8"))
        return [each for each in page["data"] if isinstance(each, dict)]

    def edit(self, file: str, native_id: str, **changes: Any) -> None:
        """Change a record at its source."""
        path = self.files / file
        page = json.loads(path.read_text(encoding="utf-8"))
        next(each for each in page["data"] if isinstance(each, dict) and each.get("id") == native_id).update(changes)
        path.write_text(json.dumps(page, ensure_ascii=False, indent=1), encoding="utf-8")

    def known(self, kind: Kind, native_id: str) -> Known:
        with self.engine() as engine:
            known = engine.state.records.get(kind, native_id)
        assert known is not None
        return known

    def told(self, redemption_id: str) -> RedemptionRow:
        """Return a redemption as the hub told of it last."""
        with self.engine() as engine:
            return engine.state.told.redemptions([redemption_id])[redemption_id]


@pytest.mark.slow
def test_corrections_reach_the_ledger_once(embedded_kafka: EmbeddedKafka, database: str, tmp_path: Path) -> None:
    migrate(database)
    prefix = f"t{uuid.uuid4().hex[:12]}"
    shutil.copytree(SHANGHAI.samples, tmp_path / "in")
    province = Province(Broker(embedded_kafka.bootstrap, prefix), tmp_path / "in", tmp_path / "work")
    with hub_process(database, embedded_kafka.bootstrap, prefix, tmp_path / "hub", ["310000", "320000", "330000", "340000"]):
        province.run()
        captured = _captured(province)
        free = _uncaptured(province)
        _orders_are_voided_and_authorized_anew(province, free)
        _captures_are_refunded(province, captured)
        _notes_are_issued_anew_under_new_numbers(province)
        _nothing_is_sent_twice(province)
    assert asyncio.run(audit(database)).differences == []


def _captured(province: Province) -> str:
    """Return a capture that cleared."""
    for each in province.records("redemptions-1.json"):
        with province.engine() as engine:
            known = engine.state.records.get(Kind.CAPTURE, str(each.get("id")))
        if known is not None and known.outcome == "OK" and province.told(known.redemption_id).state == "CLEARED":
            return known.native_id
    raise AssertionError("no capture cleared")


def _uncaptured(province: Province) -> str:
    """Return an authorization that stands and that no capture is about."""
    about = {str(each.get("authorizationId")) for page in (1, 2) for each in province.records(f"redemptions-{page}.json")}
    for each in province.records("authorizations-2.json"):
        if each.get("id") in about:
            continue
        with province.engine() as engine:
            known = engine.state.records.get(Kind.AUTHORIZATION, str(each.get("id")))
        if known is not None and known.outcome == "OK":
            return known.native_id
    raise AssertionError("no authorization stands uncaptured")


def _orders_are_voided_and_authorized_anew(province: Province, native_id: str) -> None:
    before = province.known(Kind.AUTHORIZATION, native_id)
    (item,) = [each for each in province.records("authorizations-2.json") if each.get("id") == native_id]
    lines = [{**line, "fee": round(line["fee"] / 2, 2)} for line in item["items"]]
    province.edit("authorizations-2.json", native_id, items=lines)
    province.run()
    after = province.known(Kind.AUTHORIZATION, native_id)
    assert after.outcome == "OK", (after.outcome, after.message_en)
    assert after.redemption_id != before.redemption_id
    assert province.told(before.redemption_id).state == "VOIDED"
    assert province.told(after.redemption_id).state == "AUTHORIZED"
    province.edit("authorizations-2.json", native_id, deletedAt=GONE)
    province.run()
    assert province.told(after.redemption_id).state == "VOIDED"


def _captures_are_refunded(province: Province, native_id: str) -> None:
    before = province.known(Kind.CAPTURE, native_id)
    (item,) = [each for each in province.records("redemptions-1.json") if each.get("id") == native_id]
    province.edit("authorizations-1.json", item["authorizationId"], deletedAt=GONE)
    province.run()
    with province.engine() as engine:
        assert "CAPTURED_ALREADY" in {row.reason for row in engine.state.quarantine.rows()}
    province.edit("redemptions-1.json", native_id, deletedAt=GONE)
    province.run()
    told = province.told(before.redemption_id)
    assert (told.state, told.subsidy_fen) == ("REFUNDED", 0)
    assert told.refunded_fen > 0


def _notes_are_issued_anew_under_new_numbers(province: Province) -> None:
    """Of a note that nobody drew on another face is issued; the ledger keeps the old one, cancelled."""
    for item in province.records("vouchers-1.json")[:30]:
        known = province.known(Kind.VOUCHER, item["id"])
        if known.outcome != "OK":
            continue
        province.edit("vouchers-1.json", item["id"], deletedAt=GONE)
        province.run()
        gone = province.known(Kind.VOUCHER, item["id"])
        assert gone.outcome == "OK" and not gone.held
        if gone.spent:
            continue  # it had been drawn on: what was left of it went back, and it cannot come back as it was
        province.edit("vouchers-1.json", item["id"], deletedAt=None)
        province.run()
        back = province.known(Kind.VOUCHER, item["id"])
        assert (back.outcome, back.deleted) == ("OK", False), back.message_en
        assert b"-R" in back.held
        return
    raise AssertionError("every note had been drawn on")


def _nothing_is_sent_twice(province: Province) -> None:
    with province.engine() as engine:
        before = engine.state.db.all("SELECT kind, native_id, request_id FROM sent WHERE outcome = 'OK' ORDER BY 1, 2")
        assert replay(SHANGHAI, engine.state, engine.work, engine.clock, Wanted(unanswered=True)).found == 0
    province.run()
    with province.engine() as engine:
        after = engine.state.db.all("SELECT kind, native_id, request_id FROM sent WHERE outcome = 'OK' ORDER BY 1, 2")
    assert after == before
