"""`deltahub pool import`, `export` and `load`: files into the catalogue and out of it, through the code that answers the RPCs."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.transaction import Transaction
from hub.cli.pool_work import parts, platform, transact, working
from hub.domain.caller import Caller
from hub.ledger.unitofwork import UnitOfWork
from hub.settings import Settings
from registry.catalogue import store
from registry.catalogue.columns import row_of
from registry.catalogue.files import Cells, FileError, Format, read_file, write_file
from registry.catalogue.importing import import_row
from registry.catalogue.loading import Loaded, Parser, load
from registry.catalogue.providers import admit_many

_PAGE = 2_000


class _File(NamedTuple):
    name: str
    form: Format
    content: bytes


async def import_file(settings: Settings, path: Path, form: Format, division: str, run: uuid.UUID, bar: Progress) -> Loaded:
    """Load a file as the platform of a division, in parts; the report is kept under the id of the run. Raises FileError, OSError."""
    content = await asyncio.to_thread(path.read_bytes)
    async with working(settings) as work:
        return await _import(work, _File(path.name, form, content), platform(division), run, bar)


async def _import(work: UnitOfWork, file: _File, caller: Caller, run: uuid.UUID, bar: Progress) -> Loaded:
    parser, whole = Parser(), Loaded()
    task = bar.add_task(file.name, total=None)
    for number, rows in enumerate(parts(read_file(file.form, file.content))):
        parsed = parser.parse(rows)
        whole.add(await transact(work, caller, f"{run}/{number}", partial(load, parsed=parsed)))
        bar.update(task, completed=whole.rows)

    async def keep(tx: Transaction) -> Loaded:
        tx.session.add(import_row(tx, run, file.form, file.name, hashlib.sha256(file.content).digest(), whole))
        return Loaded()

    await transact(work, caller, f"{run}/report", keep)
    bar.update(task, total=whole.rows, completed=whole.rows)
    return whole


async def export_file(settings: Settings, path: Path, form: Format, division: str, provider: str, bar: Progress) -> int:
    """Write the entries in force of a division or provider, or all, to a file; return how many."""
    rows: list[Cells] = []
    task = bar.add_task(path.name, total=None)
    async with working(settings) as work, AsyncSession(work.engine) as session:
        after: tuple[int] | None = None
        while True:
            found = await store.page_of_entries(session, Page(_PAGE, after), provider=provider, division=division)
            rows.extend(row_of(row.model_dump()) for row in found[:_PAGE])
            bar.update(task, completed=len(rows))
            if len(found) <= _PAGE:
                break
            after = (found[_PAGE - 1].entry_id or 0,)
    await asyncio.to_thread(lambda: path.write_bytes(write_file(form, rows)))
    return len(rows)


async def load_pool(settings: Settings, folder: Path, bar: Progress) -> tuple[Loaded, Loaded]:
    """Load a generated pool, each province's files as its platform; return what came of the providers and of the entries."""
    providers, entries = Loaded(), Loaded()
    async with working(settings) as work:
        for path in _files(folder, "providers-*.csv"):
            caller, run = platform(path.stem.rpartition("-")[2]), uuid.uuid4()
            task = bar.add_task(path.name, total=None)
            for number, rows in enumerate(parts(_providers(path))):
                part = await transact(work, caller, f"{run}/{number}", partial(admit_many, rows=rows))
                providers.add(part)
                bar.update(task, completed=part.rows)
        for path in _files(folder, "entries-*.csv"):
            file = _File(path.name, Format.CSV, await asyncio.to_thread(path.read_bytes))
            entries.add(await _import(work, file, platform(path.stem.rpartition("-")[2]), uuid.uuid4(), bar))
    return providers, entries


def _files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileError(f"{folder} holds no {pattern}; `deltahub pool generate` makes them")
    return found


def _providers(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            yield number, {name: value or "" for name, value in row.items() if isinstance(name, str)}
