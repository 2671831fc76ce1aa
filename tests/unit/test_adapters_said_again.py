"""Shanghai's and Zhejiang's own words: what is said again is spelt as the platforms spell it, and what they cannot say is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.runtime import commands
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord
from adapters.runtime.row import generic
from adapters.shanghai import ADAPTER as SHANGHAI
from adapters.zhejiang import ADAPTER as ZHEJIANG

FIRM, LAB = "91330522MA2B12343A", "12310104425001236Q"
KINDS = tuple(kind for kind in Kind if kind is not Kind.POLICY)
both = pytest.mark.parametrize("adapter", [SHANGHAI, ZHEJIANG], ids=lambda adapter: adapter.name)


def samples(adapter: Adapter) -> list[NativeRecord]:
    paths = sorted(path for path in adapter.samples.rglob("*") if path.is_file())
    items = [item for path in paths for item in adapter.read(path, path.relative_to(adapter.samples).as_posix(), KINDS)]
    return [item for item in items if isinstance(item, NativeRecord)]


def said_again(adapter: Adapter, kind: Kind, mapped: Mapped) -> dict[str, str]:
    assert adapter.unmap is not None
    return dict(adapter.unmap(kind, mapped))


@both
def test_samples_are_spelt_as_the_adapter_spells_them(adapter: Adapter) -> None:
    seen = 0
    mark = "deletedAt" if adapter is SHANGHAI else "zt"
    for record in samples(adapter):
        mapped = adapter.map(record)
        if isinstance(mapped, Mapped) and not record.deleted:
            kept = {name: value for name, value in record.fields.items() if generic(name) in adapter.mapped[record.kind]}
            assert said_again(adapter, record.kind, mapped) == kept
            assert mark in kept
            seen += 1
    assert seen > 400


@both
def test_one_sample_of_each_kind_is_withdrawn_and_still_maps(adapter: Adapter) -> None:
    withdrawn = [record for record in samples(adapter) if record.deleted]
    assert sorted(record.kind for record in withdrawn) == sorted(KINDS)
    for record in withdrawn:
        assert record.native_id.endswith("8001")
        assert isinstance(adapter.map(record), Mapped)


@pytest.mark.parametrize(
    ("adapter", "field", "value", "code"),
    [(SHANGHAI, "deletedAt", "2026-02-10", "BAD_DATE"), (SHANGHAI, "deletedAt", "yes", "BAD_DATE"), (ZHEJIANG, "zt", "2", "BAD_FLAG")],
)
def test_a_mark_that_does_not_read_is_quarantined_and_withdraws_nothing(adapter: Adapter, field: str, value: str, code: str) -> None:
    record = next(record for record in samples(adapter) if not record.deleted)
    outcome = adapter.map(replace(record, fields={**record.fields, field: value}))
    assert isinstance(outcome, Broken)
    assert (outcome.field, outcome.reason_code) == (field, code)


@both
def test_a_record_of_the_time_before_the_mark_is_valid(adapter: Adapter) -> None:
    record = next(record for record in samples(adapter) if not record.deleted)
    unmarked = {name: value for name, value in record.fields.items() if name not in ("deletedAt", "zt")}
    assert adapter.map(replace(record, fields=unmarked)) == adapter.map(record)


def issued(issuer: str, face_fen: int, count: int, numbers: list[str], issued_on: str = "") -> Mapped:
    return commands.issue("1", issuer=issuer, enterprise=FIRM, face_fen=face_fen, count=count, voucher_nos=numbers, issued_on=issued_on)


@pytest.mark.parametrize(
    ("adapter", "kind", "mapped"),
    [
        # Shanghai's vouchers have one number and no count, and the platform does not tell the day.
        (SHANGHAI, Kind.VOUCHER, issued("310000", 100, 3, [])),
        (SHANGHAI, Kind.VOUCHER, issued("310000", 100, 0, ["1", "2"])),
        (SHANGHAI, Kind.VOUCHER, issued("310000", 100, 0, ["1"], "2026-02-03")),
        (SHANGHAI, Kind.VOUCHER, issued("330000", 100, 0, ["1"])),
        # Zhejiang counts its notes and numbers none.
        (ZHEJIANG, Kind.VOUCHER, issued("330522", 100, 0, ["1"])),
        (ZHEJIANG, Kind.VOUCHER, issued("310000", 100, 1, [])),
        (ZHEJIANG, Kind.VOUCHER, issued("330522", 100, 1001, [])),
        (SHANGHAI, Kind.POLICY, issued("310000", 100, 0, ["1"])),
    ],
)
def test_what_the_format_has_no_place_for_is_refused(adapter: Adapter, kind: Kind, mapped: Mapped) -> None:
    with pytest.raises(ValueError):
        said_again(adapter, kind, mapped)


def test_what_the_formats_do_carry() -> None:
    assert said_again(SHANGHAI, Kind.VOUCHER, issued("310000", 800_050, 0, ["SH-1"])) == {
        "id": "1",
        "voucherNo": "SH-1",
        "creditCode": FIRM,
        "amount": "8000.5",
        "deletedAt": "",
    }
    assert said_again(ZHEJIANG, Kind.VOUCHER, issued("330522", 100_000, 10, [])) == {
        "bianhao": "1",
        "fqd": "330522",
        "xydm": FIRM,
        "mianzhi": "100000",
        "zhangshu": "10",
        "zt": "1",
    }


def test_a_part_of_a_file_is_reported_as_people_know_the_file() -> None:
    path = ZHEJIANG.samples / "330522" / "qiye.jsonl"
    for name, file in (
        ("330522/qiye.jsonl@3-1201", "330522/qiye.jsonl"),
        ("330522/qiye.jsonl.1@2-1201", "330522/qiye.jsonl.1"),
        ("2025/330522/qiye-2025-03-01.jsonl@1-1201", "2025/330522/qiye-2025-03-01.jsonl"),
    ):
        assert ZHEJIANG.kinds(name) == (Kind.ENTERPRISE,)
        first = next(iter(ZHEJIANG.read(path, name, KINDS)))
        assert (first.file, first.line) == (file, "1201")
        assert isinstance(first, NativeRecord)
        assert isinstance(ZHEJIANG.map(first), Mapped)
        # A county's folder speaks for the county, in an archive as well.
        assert isinstance(ZHEJIANG.map(replace(first, fields={**first.fields, "xzqh": "330502"})), Broken)


def test_files_that_are_not_the_provinces_hold_nothing() -> None:
    for name in (
        "320500/qiye.jsonl",
        "330522/qiye.jsonl.gz",
        "330522/qiye.jsonl.tmp",
        "330522/other.jsonl",
        "qiye.jsonl",
        "330522/duifu_jieguo.jsonl",
    ):
        assert ZHEJIANG.kinds(name) == ()
    for name in ("enterprises-posted-.json", "enterprises-x.json", "enterprises.json", "others-1.json", "enterprises-1.json.part"):
        assert SHANGHAI.kinds(name) == ()
    for name in ("enterprises-000001.json", "enterprises-posted-msg_1aB.json", "enterprises-backfill-20250101-20251231-000003.json"):
        assert SHANGHAI.kinds(name) == (Kind.ENTERPRISE,)
