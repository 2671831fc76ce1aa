"""Both directions of the mapping: what is said natively comes back as it was, and no text whatever makes it raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.effort import examples
from adapters.contract.messages import commands_of
from adapters.contract.records import NATIVE_KINDS, good, good_of, marks, undeclared
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord

many = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
each_kind = pytest.mark.parametrize("kind", NATIVE_KINDS)


def unmap(adapter: Adapter, kind: Kind, mapped: Mapped) -> Mapping[str, str]:
    """Say a command natively; raise ValueError where the format cannot."""
    fields = adapter.unmap(kind, mapped)
    assert not undeclared(adapter, kind, iter(fields)), f"{kind}: fields that the mapping table does not have"
    assert all(isinstance(value, str) for value in fields.values())
    return fields


def comes_back(adapter: Adapter, kind: Kind, mapped: Mapped, fields: Mapping[str, str]) -> None:
    """Check that native fields map to the command they were made from.

    Which file they stand in may matter (a county's folder speaks for the county): the same from one of them at least, and from
    the others the same or nothing.
    """
    holders = good_of(adapter, kind)
    outcomes = [
        adapter.map(NativeRecord(file, "1", kind, mapped.native_id, fields, holders[0][0].id_field))
        for file in sorted({record.file for record, _ in holders})
    ]
    assert mapped in outcomes, f"{dict(fields)} gives {outcomes[0]}"
    assert all(outcome == mapped or isinstance(outcome, Broken) for outcome in outcomes)


def test_a_sample_said_again_maps_to_the_same_and_is_said_one_way_only(adapter: Adapter) -> None:
    for record, mapped in good(adapter):
        fields = unmap(adapter, record.kind, mapped)
        again = adapter.map(replace(record, fields=fields, deleted=False))
        assert again == mapped
        assert isinstance(again, Mapped) and unmap(adapter, record.kind, again) == fields
        assert fields[record.id_field] == record.native_id


def test_what_is_said_again_is_not_withdrawn(adapter: Adapter) -> None:
    for record, mapped in good(adapter):
        for mark in marks(adapter.mapped, record.kind):
            valid = {other.fields.get(mark, "") for other, _ in good_of(adapter, record.kind) if not other.deleted}
            assert unmap(adapter, record.kind, mapped).get(mark, "") in valid


@each_kind
@many
@given(data=st.data())
def test_whatever_the_format_carries_comes_back(adapter: Adapter, kind: Kind, data: st.DataObject) -> None:
    mapped = data.draw(commands_of(adapter, kind))
    try:
        fields = unmap(adapter, kind, mapped)
    except ValueError:
        return  # said plainly; what must always be possible is the next test
    comes_back(adapter, kind, mapped, fields)


@each_kind
@many
@given(data=st.data())
def test_the_simple_case_can_always_be_said(adapter: Adapter, kind: Kind, data: st.DataObject) -> None:
    """One line, no flag, a plain text, whole yuan.

    Where provinces differ even there, one way is enough: notes are counted or numbered, papers come with a digest or without.
    """
    mapped = data.draw(commands_of(adapter, kind, simple=True))
    try:
        fields = unmap(adapter, kind, mapped)
    except ValueError:
        mapped = _other_way(kind, mapped)
        fields = unmap(adapter, kind, mapped)
    comes_back(adapter, kind, mapped, fields)


def _other_way(kind: Kind, mapped: Mapped) -> Mapped:
    """Return an issue with a number instead of a count or a count instead of a number, and a claim without digests."""
    request: Any = type(mapped.request)()
    request.CopyFrom(mapped.request)
    if kind is Kind.CAPTURE:
        for piece in request.evidence:
            piece.ClearField("sha256")
    elif kind is Kind.VOUCHER:
        (item,) = request.items
        counted = bool(item.count)
        item.count = 0 if counted else 1
        item.ClearField("voucher_nos")
        item.voucher_nos.extend(["0001"] if counted else [])
    return replace(mapped, request=request)


@each_kind
@many
@given(data=st.data())
def test_any_text_in_any_field_maps_or_is_turned_away(adapter: Adapter, kind: Kind, data: st.DataObject) -> None:
    """Never an exception: one bad row must not stop a province. A field turned away is one that the record or the table has."""
    record, _ = data.draw(st.sampled_from(good_of(adapter, kind)))
    names = sorted(record.fields)
    texts = st.text(max_size=300) | st.sampled_from(["", " ", "\x00", "\ud800", "１２３", "=1+1", "1e9", "-0", "NaN", "Infinity", "9" * 40])
    changed = data.draw(st.dictionaries(st.sampled_from(names), texts, min_size=1, max_size=3))
    absent = data.draw(st.sets(st.sampled_from(names), max_size=2))
    fields = {name: value for name, value in {**record.fields, **changed}.items() if name not in absent}
    outcome = adapter.map(replace(record, fields=fields))
    assert isinstance(outcome, Mapped | Broken)
    if isinstance(outcome, Mapped):
        outcome.request.SerializeToString()
