from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hub.cli.pool_generate import Size, generate
from hub.cli.pool_words import read_places, read_words
from hub.codec.creditcode import is_credit_code
from hub.domain.divisions import contains, province_of
from registry.catalogue.columns import read_row
from registry.catalogue.domain import Entry, Kind

SIZE = Size(200, 300, 600)


def made(folder: Path, seed: int = 7, size: Size = SIZE) -> dict[str, bytes]:
    generate(folder, read_words(), read_places(), seed, size)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    made(folder)
    return folder


def rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    return [row for path in sorted(folder.glob(pattern)) for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = made(tmp_path / "a"), made(tmp_path / "b"), made(tmp_path / "c", seed=8)
    assert first == again
    assert first.keys() == other.keys()
    assert first["entries-320000.csv"] != other["entries-320000.csv"]


def test_there_is_as_much_as_was_asked_for_each_in_its_province(pool: Path) -> None:
    providers, entries = rows(pool, "providers-*.csv"), rows(pool, "entries-*.csv")
    assert len(providers) == len({row["uscc"] for row in providers}) == SIZE.providers
    assert all(is_credit_code(row["uscc"]) for row in providers)
    assert sum(row["kind"] == "INSTRUMENT" for row in entries) == SIZE.instruments
    assert sum(row["kind"] != "INSTRUMENT" for row in entries) == SIZE.items
    home = {row["uscc"]: row["home"] for row in providers}
    for path in pool.glob("entries-*.csv"):
        province = path.stem[-6:]
        assert all(contains(province, home[row["provider"]]) for row in rows(pool, path.name))


def test_every_row_is_a_good_entry_of_its_own_key(pool: Path) -> None:
    read = [read_row(number, row) for number, row in enumerate(rows(pool, "entries-*.csv"))]
    entries = [item for item in read if isinstance(item, Entry)]
    assert len(entries) == len(read) == len({item.key for item in entries})
    assert {item.kind for item in entries} == set(Kind)
    assert {item.price.model.value for item in entries} == {"FIXED", "PER_UNIT", "RANGE", "QUOTATION"}


def test_duplicates_are_marked_and_cross_a_border(pool: Path) -> None:
    home = {row["uscc"]: row["home"] for row in rows(pool, "providers-*.csv")}
    keys = {f"{row['provider']}/{row['kind']}/{row['code']}": row for row in rows(pool, "entries-*.csv")}
    marked = rows(pool, "duplicates.csv")
    assert {row["subject"] for row in marked} == {"PROVIDER", "ENTRY"}
    for row in marked:
        left, right = (row[side] if row["subject"] == "PROVIDER" else keys[row[side]]["provider"] for side in ("left", "right"))
        assert province_of(home[left]) != province_of(home[right])


def test_a_pool_without_instruments_or_items_can_be_made(tmp_path: Path) -> None:
    files = made(tmp_path, size=Size(3, 0, 0))
    assert sum(content.count(b"\n") - 1 for name, content in files.items() if name.startswith("providers-")) == 3
    assert not any(name.startswith("entries-") for name in files)
