"""Adapters with one thing wrong: the contract finds each of them out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import suite_exchange, suite_mapping, suite_reading, suite_results, suite_samples, suite_source
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord
from adapters.runtime.registry import find_adapter
from adapters.runtime.source import Landing, Source
from tests.contract.benches import ZhejiangBench
from yrd.participant.v1 import participant_pb2 as participant

GOOD = find_adapter("zhejiang")
_TURNS = itertools.count()


def leaking(record: NativeRecord) -> Mapped | Broken:
    """Puts the contact's name behind the firm's."""
    mapped = GOOD.map(record)
    if isinstance(mapped, Mapped) and isinstance(mapped.request, participant.RegisterEnterpriseRequest):
        mapped.request.enterprise.name += record.fields.get("lianxiren", "")
    return mapped


def raising(record: NativeRecord) -> Mapped | Broken:
    """Trusts a number to be one."""
    if record.kind is Kind.ENTERPRISE:
        int(record.fields["zgrs"])
    return GOOD.map(record)


def unread(record: NativeRecord) -> Mapped | Broken:
    """Takes the staff for granted."""
    return GOOD.map(replace(record, fields={**record.fields, "zgrs": "5"}) if record.kind is Kind.ENTERPRISE else record)


def forgetting(kind: Kind, mapped: Mapped) -> dict[str, str]:
    """Says a firm again without its staff."""
    fields = dict(GOOD.unmap(kind, mapped))
    if kind is Kind.ENTERPRISE:
        fields["zgrs"] = "0"
    return fields


def withdrawn(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Takes every record for withdrawn."""
    for item in GOOD.read(path, name, wanted):
        yield replace(item, deleted=True) if isinstance(item, NativeRecord) else item


def shuffled(path: Path, name: str, wanted: tuple[Kind, ...]) -> Any:
    """Reads in another order each time."""
    items = list(GOOD.read(path, name, wanted))
    return items[::-1] if next(_TURNS) % 2 else items


class Doubling:
    """Hands each file over twice, under two names."""

    def __init__(self, source: Source) -> None:
        self._source, self._times = source, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def pull(self, landing: Landing) -> bool:
        self._times += 1
        return landing.put(f"330000/qiye.jsonl@{self._times}", [b'{"bianhao": "%d"}\n' % self._times]) is not None and self._times < 50


class Losing(Doubling):
    """Keeps where it is before what came has landed: killed in between, it never comes back to it."""

    def pull(self, landing: Landing) -> bool:
        done = int(landing.cursor("losing") or "0")
        landing.keep("losing", str(done + 1))
        paths = sorted(GOOD.samples.rglob("*.jsonl"))
        if done >= len(paths):
            return False
        landing.put(paths[done].relative_to(GOOD.samples).as_posix(), [paths[done].read_bytes()])
        return True


def unfinished(results: Any, folder: Path) -> list[Path]:
    """Leaves the last redemption out."""
    return GOOD.write(replace(results, redemptions=results.redemptions[:-1]), folder)


Test = Callable[[Adapter, Path], None]
MUTANTS: dict[str, tuple[Adapter, Test]] = {
    "personal data leaves": (replace(GOOD, map=leaking), lambda each, _: suite_samples.test_personal_data_never_leaves(each)),
    "a field dropped in silence": (
        replace(GOOD, dropped={}),
        lambda each, _: suite_samples.test_every_native_field_is_mapped_or_dropped_with_a_reason(each),
    ),
    "a field not read": (replace(GOOD, map=unread), lambda each, _: suite_samples.test_every_mapped_field_matters(each)),
    "an exception": (
        replace(GOOD, map=raising),
        lambda each, _: suite_mapping.test_any_text_in_any_field_maps_or_is_turned_away(each, Kind.ENTERPRISE),
    ),
    "half a way back": (
        replace(GOOD, unmap=forgetting),
        lambda each, _: suite_mapping.test_a_sample_said_again_maps_to_the_same_and_is_said_one_way_only(each),
    ),
    "another order": (replace(GOOD, read=shuffled), suite_reading.test_a_file_reads_the_same_every_time_wherever_it_lies),
    "every file is mine": (
        replace(GOOD, kinds=lambda _: tuple(Kind)),
        lambda each, _: suite_reading.test_a_name_that_is_not_the_provinces_holds_nothing(each),
    ),
    "results lost": (replace(GOOD, write=unfinished), suite_results.test_results_come_back_from_the_native_files_as_they_went),
    "everything withdrawn": (replace(GOOD, read=withdrawn), suite_exchange.test_all_samples_are_answered_and_each_has_one_effect),
    "a source without end": (
        replace(GOOD, connect=lambda settings: Doubling(GOOD.connect(settings))),
        lambda each, place: suite_source.test_all_that_the_province_offers_lands_once(ZhejiangBench(each, place / "province"), place),
    ),
    "a cursor before the landing": (
        replace(GOOD, connect=lambda settings: Losing(GOOD.connect(settings))),
        lambda each, place: suite_source.test_a_process_that_dies_anywhere_loses_and_doubles_nothing(
            ZhejiangBench(each, place / "province"), place, False
        ),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_wrong_is_found(name: str, tmp_path: Path) -> None:
    adapter, test = MUTANTS[name]
    # Hypothesis gathers several failures of one test in a group.
    with pytest.raises((AssertionError, ValueError, ExceptionGroup)):
        test(adapter, tmp_path)
