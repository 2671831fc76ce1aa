"""The process dies at every step of its work, again and again: nothing lost, nothing doubled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.runtime import failpoints
from adapters.runtime.command import find_adapter
from adapters.runtime.engine import Engine, Limits
from adapters.runtime.failpoints import PLACES, arm, failpoint
from adapters.runtime.model import Phase
from adapters.runtime.report import Report
from adapters.runtime.results import Results
from tests.fixtures.adapter import Bench, bench_of


class Died(BaseException):
    """Stands for SIGKILL: nothing but the memory's own transactions runs on the way out."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_of(find_adapter("shanghai"), tmp_path, Limits(chunk_rows=20))


def work(engine: Engine) -> None:
    """All that an adapter does, once."""
    engine.bring()
    engine.resend()
    engine.exchange(Phase.CAPTURES, deadline_s=30)
    engine.catch_up(quiet_ms=1)
    engine.push_results()


@dataclass(frozen=True)
class Undisturbed:
    """What comes of it where nobody dies."""

    effects: dict[str, bytes]
    told: list[str]
    quarantined: dict[str, int]
    report: Report
    results: Results


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    bench = bench_of(find_adapter("shanghai"), tmp_path_factory.mktemp("undisturbed"))
    with bench.engine() as engine:
        work(engine)
        told = sorted(map(str, engine.state.told.rows()))
        results = bench.adapter.load(bench.work / "results")
        return Undisturbed(bench.hub.effects, told, engine.state.quarantine.tally(), engine.report(), results)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hits", [(1, 1), (3, 2, 5)], ids=str)
def test_one_effect_a_record_wherever_it_dies(
    place: str, hits: tuple[int, ...], bench: Bench, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn, hit in enumerate(hits):
        left = hit

        def burn() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Died

        monkeypatch.setitem(failpoints._armed, place, burn)
        with pytest.raises(Died) if (turn, hit) == (0, 1) else suppress(Died), bench.engine() as engine:
            work(engine)
    monkeypatch.delitem(failpoints._armed, place)
    with bench.engine() as engine:
        work(engine)
        report = engine.report()
        assert (report.ok, report.refused, report.unanswered) == (undisturbed.report.ok, 0, 0)
        assert report.by_kind == undisturbed.report.by_kind
        assert engine.state.quarantine.tally() == undisturbed.quarantined
        assert sorted(map(str, engine.state.told.rows())) == undisturbed.told
        assert engine.state.queue.depth() == 0
        landed = engine.state.deliveries.all()
        assert len({(each.name, each.digest) for each in landed}) == len(landed)
        assert all(each.told for each in landed)
    assert bench.hub.effects == undisturbed.effects
    assert bench.adapter.load(bench.work / "results") == undisturbed.results


def test_places_are_armed_by_name_only() -> None:
    with pytest.raises(ValueError, match=r"there is no failpoint 'nowhere'; there are landing\.after_rename"):
        arm({"nowhere": "kill"})
    with pytest.raises(ValueError, match="it can kill"):
        arm({"sending.before_send": "error"})
    arm({"sending.before_send": "kill:2"})
    failpoint("sending.before_send")  # the first hit of two
    arm({})
    failpoint("sending.before_send")
