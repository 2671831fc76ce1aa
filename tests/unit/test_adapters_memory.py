"""The memory of the first release opens in this one; that of a later one does not; a look from outside changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from adapters.runtime.command import find_adapter
from adapters.runtime.model import Kind
from adapters.runtime.results import RedemptionRow
from adapters.runtime.schema import VERSION, WrongSchema
from adapters.runtime.state import State
from tests.fixtures.adapter import bench_of
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.events.v1 import events_pb2 as events

_FIRST = """
CREATE TABLE sent (
    kind TEXT NOT NULL, native_id TEXT NOT NULL, phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, digest TEXT NOT NULL,
    attempt INTEGER NOT NULL, request_id TEXT NOT NULL UNIQUE, method TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '',
    message_zh TEXT NOT NULL DEFAULT '', message_en TEXT NOT NULL DEFAULT '', redemption_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, native_id)
) STRICT;
CREATE TABLE quarantine (
    phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, native_id TEXT NOT NULL,
    reason TEXT NOT NULL, zh TEXT NOT NULL, en TEXT NOT NULL, seen_at TEXT NOT NULL, PRIMARY KEY (file, line, field, reason)
) STRICT;
CREATE TABLE event (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE position (
    topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL, last TEXT NOT NULL, PRIMARY KEY (topic, part)
) STRICT;
"""


def test_the_first_releases_memory_is_taken_over_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    bench = bench_of(find_adapter("shanghai"), tmp_path)
    before = bench.run()
    received = len(bench.hub.received)
    with bench.engine() as engine:
        columns = "kind, native_id, phase, file, line, digest, attempt, request_id, method, outcome, message_zh, message_en, redemption_id"
        kept = engine.state.db.all(f"SELECT {columns} FROM sent WHERE method != ''")
        voucher = engine.state.records.get(Kind.VOUCHER, "SH-FQ-0002")
        assert voucher is not None
    shutil.rmtree(bench.work)
    bench.work.mkdir()
    old = sqlite3.connect(bench.work / "state.db")
    old.executescript(_FIRST)
    old.executemany(f"INSERT INTO sent VALUES ({', '.join('?' * 13)})", kept)
    told = events.RedemptionChanged(redemption=clearing.Redemption(redemption_id="r-1", state=clearing.REDEMPTION_STATE_CLEARED))
    old.execute("INSERT INTO event VALUES ('//hub#7', ?, ?)", (told.DESCRIPTOR.full_name, told.SerializeToString()))
    old.execute("UPDATE sent SET digest = 'another' WHERE native_id = 'SH-FQ-0002'")
    old.commit()
    old.close()
    with bench.engine() as engine:
        (row,) = engine.state.told.rows()
        assert isinstance(row, RedemptionRow) and (row.redemption_id, row.state) == ("r-1", "CLEARED")
        assert engine.state.db.one("SELECT 1 FROM sqlite_master WHERE name = 'event'") is None
    after = bench.run()
    resent = {each.headers["ce_id"].split("/")[1] for each in bench.hub.received[received:]}
    assert resent <= {"enterprise", "provider", "recognition"}  # of what was corrected since, the latest counts
    assert after.ok >= before.ok
    with bench.engine() as engine:
        (held,) = [each for each in engine.state.quarantine.rows() if each.native_id == "SH-FQ-0002"]
        assert held.reason == "MEMORY_LOST"  # what the hub holds is not known: a person decides
        known = engine.state.records.get(Kind.VOUCHER, "SH-FQ-0001")
        assert known is not None and known.held == known.request != b""


def test_a_later_releases_memory_is_left_alone(tmp_path: Path) -> None:
    State(tmp_path / "state.db").close()
    db = sqlite3.connect(tmp_path / "state.db")
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    for read_only in (False, True):
        with pytest.raises(WrongSchema, match="release"):
            State(tmp_path / "state.db", read_only=read_only)


def test_a_look_from_outside_reads_while_the_adapter_writes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no memory of an adapter is there"):
        State(tmp_path / "state.db", read_only=True)
    with State(tmp_path / "state.db") as state, state.transaction():
        state.keep("a", "1")
        with State(tmp_path / "state.db", read_only=True) as look:
            assert look.cursor("a") == ""
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                look.keep("a", "2")
    with State(tmp_path / "state.db", read_only=True) as look:
        assert look.cursor("a") == "1"
