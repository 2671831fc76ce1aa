"""`deltahub pool generate`: a pool of any size as files, reproducible to the byte."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from hub.cli.pool_making import Maker, Provider, Row
from hub.cli.pool_twins import twin_instrument, twin_provider
from hub.cli.pool_words import Place, Words, pick
from hub.domain.divisions import province_of
from registry.catalogue.headings import COLUMNS

PROVIDER_COLUMNS = ("uscc", "name", "home", "categories", "admitted_on", "rating", "qualifications", "address")
DUPLICATES = "duplicates.csv"
DUPLICATE_COLUMNS = ("subject", "left", "right")


class Size(NamedTuple):
    """How much to make. Duplicates on purpose are part of the numbers."""

    providers: int
    instruments: int
    items: int


def generate(out: Path, words: Words, places: tuple[Place, ...], seed: int, size: Size) -> dict[str, int]:
    """Write `providers-<province>.csv` and `entries-<province>.csv` for each province, and `duplicates.csv` beside them; return the counts.

    Nothing but seed, numbers and data files goes into them: the same again gives the same bytes.
    """
    maker = Maker(words, places, seed)
    providers, twins = _providers(maker, size.providers)
    entries, twin_entries = _instruments(maker, providers, size.instruments)
    numbers = defaultdict[str, int](int)
    for provider in maker.shares(providers, size.items):
        numbers[provider.uscc] += 1
        entries.append(maker.item(provider, numbers[provider.uscc]))
    out.mkdir(parents=True, exist_ok=True)
    _write_by_province(out, providers, entries)
    _write(out / DUPLICATES, DUPLICATE_COLUMNS, [*(("PROVIDER", *pair) for pair in twins), *(("ENTRY", *pair) for pair in twin_entries)])
    counts = {"seed": seed, "providers": len(providers), "instruments": size.instruments, "items": size.items}
    counts |= {"duplicate_providers": len(twins), "duplicate_instruments": len(twin_entries)}
    (out / "pool.json").write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    return counts


def _providers(maker: Maker, count: int) -> tuple[list[Provider], list[tuple[str, str]]]:
    twins = int(count * maker.twin_share[0])
    originals = maker.providers(count - twins)
    pairs, doubled = [], []
    for provider in originals[:twins]:
        twin = twin_provider(maker, provider)
        doubled.append(twin)
        pairs.append((provider.uscc, twin.uscc))
    return originals + doubled, pairs


def _instruments(maker: Maker, providers: list[Provider], count: int) -> tuple[list[Row], list[tuple[str, str]]]:
    able = [provider for provider in providers if provider.trade.machines]
    if not able:
        return [], []
    twins = int(count * maker.twin_share[1])
    rows: list[Row] = []
    numbers = defaultdict[str, int](int)
    of: list[Provider] = []
    for provider in maker.shares(able, count - twins):
        numbers[provider.uscc] += 1
        rows.append(maker.instrument(provider, pick(maker.rng, provider.trade.machines), numbers[provider.uscc]))
        of.append(provider)
    pairs, doubled = [], []
    for row, provider in zip(rows[:twins], of, strict=False):
        host = pick(maker.rng, able)
        while province_of(host.place.code) == province_of(provider.place.code):
            host = pick(maker.rng, able)
        numbers[host.uscc] += 1
        twin = twin_instrument(maker, row, host, numbers[host.uscc])
        doubled.append(twin)
        pairs.append((_key(row), _key(twin)))
    return rows + doubled, pairs


def _key(row: Row) -> str:
    return f"{row['provider']}/{row['kind']}/{row['code']}"


def _write_by_province(out: Path, providers: list[Provider], entries: list[Row]) -> None:
    province = {provider.uscc: province_of(provider.place.code) for provider in providers}
    by_province: dict[str, list[Provider]] = defaultdict(list)
    for provider in providers:
        by_province[province[provider.uscc]].append(provider)
    for code, found in sorted(by_province.items()):
        _write(out / f"providers-{code}.csv", PROVIDER_COLUMNS, map(_provider_row, found))
    names = [column.name for column in COLUMNS]
    entries_of: dict[str, list[Row]] = defaultdict(list)
    for row in entries:
        entries_of[province[row["provider"]]].append(row)
    for code, rows in sorted(entries_of.items()):
        _write(out / f"entries-{code}.csv", names, ([row.get(name, "") for name in names] for row in rows))


def _provider_row(provider: Provider) -> Sequence[str]:
    return (
        provider.uscc,
        provider.name,
        provider.place.code,
        ";".join(provider.categories),
        provider.admitted_on,
        str(provider.rating),
        ";".join(provider.qualifications),
        provider.address,
    )


def _write(path: Path, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)
