"""The exchange as a whole, against a hub of a few lines: all in, everything answered, results out, and each record once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.contract.hub import FakeHub
from adapters.contract.records import good, good_of
from adapters.contract.suite_results import same
from adapters.runtime.command import open_engine, run_once
from adapters.runtime.commands import AUTHORIZE
from adapters.runtime.engine import Ends, Engine
from adapters.runtime.identity import digest_of
from adapters.runtime.kafka_out import Outgoing
from adapters.runtime.model import Adapter, Kind
from adapters.runtime.results import Results

_SECONDS = 60.0


@contextmanager
def engine(adapter: Adapter, hub: FakeHub, work: Path) -> Iterator[Engine]:
    """Open the adapter's engine over its samples, with the hub at the other end."""
    with open_engine(adapter, Ends(lambda: hub, lambda _state: hub), work) as opened:
        yield opened


def records_of(hub: FakeHub) -> Counter[str]:
    """Return how many commands with an effect of their own came of each record, by `<kind>/<native id>`."""
    commands = {command.headers["ce_id"]: command for command in hub.received}
    return Counter(map(_record, commands.values()))


def _record(command: Outgoing) -> str:
    # <province>/<kind>/<native id>/<edition>/<attempt>; a native id may hold slashes of its own.
    return command.headers["ce_id"].partition("/")[2].rsplit("/", 2)[0]


def test_all_samples_are_answered_and_each_has_one_effect(adapter: Adapter, tmp_path: Path) -> None:
    hub = FakeHub()
    with engine(adapter, hub, tmp_path) as running:
        report = run_once(running, deadline_s=_SECONDS)
    assert (report.unanswered, report.refused) == (0, 0)
    # A claim that comes before its order waits for it, here for ever.
    orders = {record.native_id for record, _ in good_of(adapter, Kind.AUTHORIZATION)}
    assert report.parked == sum(mapped.refers_to not in orders for _, mapped in good_of(adapter, Kind.CAPTURE))
    assert report.quarantined
    # A record withdrawn before anything was sent of it needs no command: it is settled as it is.
    assert len(records_of(hub)) <= report.ok
    # An id that stands twice with different content is a correction where rows are ordered, else a contradiction: at most an effect each.
    contents = {(record.kind, record.native_id, digest_of(record, adapter.dropped)) for record, _ in good(adapter) if not record.deleted}
    said = Counter(f"{kind}/{native_id}" for kind, native_id, _ in contents)
    sent = Counter({each: count for each, count in records_of(hub).items() if not each.startswith(f"{Kind.POLICY}/")})
    assert report.sent == len(hub.effects) == sum(records_of(hub).values())
    assert sent <= said
    # What is not sent is in quarantine, or waits: a claim on an order nobody sent.
    assert len(said - sent) <= report.quarantined + report.parked


def test_a_second_run_sends_nothing(adapter: Adapter, tmp_path: Path) -> None:
    hub = FakeHub()
    for _ in range(2):
        with engine(adapter, hub, tmp_path) as running:
            report = run_once(running, deadline_s=_SECONDS)
    assert report.sent == 0
    assert len(hub.received) == len(hub.effects)


def test_the_same_files_landed_anew_change_nothing(adapter: Adapter, tmp_path: Path) -> None:
    """Rows of one id in one file are editions in their order, or contradict one another: either way as on the first reading.

    Only what is told in several files is gone through again, in the order of the files.
    """
    hub = FakeHub()
    with engine(adapter, hub, tmp_path) as running:
        first = run_once(running, deadline_s=_SECONDS)
        before = {(row.kind, row.native_id, row.reason) for row in running.state.quarantine.rows()}
    told = {(record.kind, record.native_id, record.file) for record, _ in good(adapter)}
    files = Counter(f"{kind}/{native_id}" for kind, native_id, _ in told)
    commands = len(hub.received)
    with engine(adapter, hub, tmp_path) as running:
        running.state.db.run("UPDATE delivery SET digest = ''")
        running.state.db.run("DELETE FROM cursor WHERE key LIKE 'folder/%'")
        again = run_once(running, deadline_s=_SECONDS)
        after = {(row.kind, row.native_id, row.reason) for row in running.state.quarantine.rows()}
    assert (after, again.quarantined) == (before, first.quarantined)
    assert all(files[_record(each)] > 1 for each in hub.received[commands:])


def test_an_adapter_that_lost_its_memory_doubles_nothing(adapter: Adapter, tmp_path: Path) -> None:
    """All is sent again, under the same ids, word for word: the hub knows every one."""
    hub = FakeHub()
    with engine(adapter, hub, tmp_path / "first") as running:
        before = run_once(running, deadline_s=_SECONDS)
        effects = dict(hub.effects)
    with engine(adapter, hub, tmp_path / "second") as running:
        after = run_once(running, deadline_s=_SECONDS)
    assert hub.effects == effects
    assert (after.ok, after.refused, after.unanswered) == (before.ok, 0, 0)


def test_refusals_come_back_in_the_provinces_own_files(adapter: Adapter, tmp_path: Path) -> None:
    """Every second order refused: its outcome says so, with the hub's code; what rests on it is never sent."""
    accepted: dict[str, bool] = {}

    def refuse(method: str, request: Any) -> str:
        if method != AUTHORIZE:
            return ""
        return "" if accepted.setdefault(request.input.order.order_no, len(accepted) % 2 == 1) else "CATEGORY_EXCLUDED"

    hub = FakeHub(refuse=refuse)
    with engine(adapter, hub, tmp_path) as running:
        report = run_once(running, deadline_s=_SECONDS)
        running.push_results()
        results = adapter.load(tmp_path / "results")
    assert report.refused and report.refusals == {"CATEGORY_EXCLUDED": report.refused}
    assert Counter(row.outcome for row in results.outcomes)["CATEGORY_EXCLUDED"] == report.refused
    assert {row.order_no for row in results.redemptions} == {number for number, yes in accepted.items() if yes}


def test_results_are_what_the_hub_told(adapter: Adapter, tmp_path: Path) -> None:
    """Written, read back, and written again after a restart: the same."""
    hub = FakeHub()
    found: list[Results] = []
    for _ in range(2):
        with engine(adapter, hub, tmp_path) as running:
            report = run_once(running, deadline_s=_SECONDS)
            running.push_results()
            found.append(adapter.load(tmp_path / "results"))
    assert len(found[0].outcomes) == report.ok
    assert len(found[0].redemptions) == len(hub.requests(AUTHORIZE)) > 0
    same(found[1], found[0])
