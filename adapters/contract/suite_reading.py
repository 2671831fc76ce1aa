"""How files must be read: always the same, only what was asked for, and whatever the bytes, without an exception."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.effort import examples
from adapters.contract.records import NATIVE_KINDS, sample_files
from adapters.runtime.model import PHASE_OF, Adapter, Broken, NativeRecord, Phase
from adapters.runtime.reading import read_folder

# A file's every byte is a place where it may be cut; a workbook takes a while to open, so a few are tried a run.
a_few = settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def test_each_phase_reads_its_own_kinds_only(adapter: Adapter) -> None:
    for phase in Phase:
        kinds = {item.kind for item in read_folder(adapter, adapter.samples, phase) if isinstance(item, NativeRecord)}
        assert kinds <= {kind for kind, of in PHASE_OF.items() if of is phase}


def test_a_file_reads_the_same_every_time_wherever_it_lies(adapter: Adapter, tmp_path: Path) -> None:
    for path, name in sample_files(adapter):
        first = list(adapter.read(path, name, NATIVE_KINDS))
        assert first, f"{name} holds nothing"
        elsewhere = tmp_path / path.name
        shutil.copy(path, elsewhere)
        assert list(adapter.read(elsewhere, name, NATIVE_KINDS)) == first


def test_records_come_in_the_order_of_their_phases_and_only_those_asked_for(adapter: Adapter) -> None:
    order = list(PHASE_OF)
    for path, name in sample_files(adapter):
        whole = [item for item in adapter.read(path, name, NATIVE_KINDS) if isinstance(item, NativeRecord)]
        assert [order.index(item.kind) for item in whole] == sorted(order.index(item.kind) for item in whole)
        assert {item.kind for item in whole} <= set(adapter.kinds(name))
        assert {item.file for item in whole} <= {name}
        for kind in NATIVE_KINDS:
            alone = [item for item in adapter.read(path, name, (kind,)) if isinstance(item, NativeRecord)]
            assert alone == [item for item in whole if item.kind is kind]


def test_a_record_says_where_it_stands_and_which_it_is(adapter: Adapter) -> None:
    for path, name in sample_files(adapter):
        items = [item for item in adapter.read(path, name, NATIVE_KINDS) if isinstance(item, NativeRecord)]
        assert len({item.line for item in items}) == len(items)
        for item in items:
            assert item.id_field in item.fields and item.native_id == item.fields[item.id_field].strip()


def test_a_name_that_is_not_the_provinces_holds_nothing(adapter: Adapter) -> None:
    for name in ("", "README.md", ".hidden", "notes.txt", "a.part", "../" * 3, "x" * 300):
        assert adapter.kinds(name) == ()


def test_an_empty_folder_has_no_records(adapter: Adapter, tmp_path: Path) -> None:
    assert [item for phase in Phase for item in read_folder(adapter, tmp_path, phase)] == []


@a_few
@given(data=st.data())
def test_a_file_cut_or_damaged_anywhere_is_read_or_turned_away(adapter: Adapter, tmp_path: Path, data: st.DataObject) -> None:
    """A province's own half-written or damaged file costs its rows, or itself, and stops nothing."""
    path, name = data.draw(st.sampled_from(list(sample_files(adapter))))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.one_of(st.just(None), st.binary(min_size=1, max_size=8)))
    damaged = tmp_path / "damaged"
    damaged.write_bytes(content[:at] if damage is None else content[:at] + damage + content[at + len(damage) :])
    for item in adapter.read(damaged, name, NATIVE_KINDS):
        assert isinstance(item, NativeRecord | Broken)
        if isinstance(item, NativeRecord):
            adapter.map(item)
