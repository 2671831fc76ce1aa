"""An adapter's samples, read once a process: they do not change while tests run, and workbooks are slow to open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.runtime.model import PHASE_OF, Adapter, Broken, FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.row import generic
from adapters.runtime.showing import every

NATIVE_KINDS = tuple(kind for kind in PHASE_OF if kind is not Kind.POLICY)
"""The kinds that come from a province's files. Its policies come from `policy.yaml`."""
MARK = "withdrawal mark"
"""What the mapping table says of the field by which a province withdraws a record."""
PERSONAL = "personal data"
"""What the reasons for dropping a person's data begin with."""

_READ: dict[object, tuple[tuple[NativeRecord | None, Mapped | Broken], ...]] = {}


def sample_records(adapter: Adapter) -> tuple[tuple[NativeRecord | None, Mapped | Broken], ...]:
    """Return every record of the samples with what it maps to; what is no record at all stands beside None."""
    key = (adapter.folder, adapter.read, adapter.map)
    if key not in _READ:
        _READ[key] = tuple(every(adapter))
    return _READ[key]


def good(adapter: Adapter) -> list[tuple[NativeRecord, Mapped]]:
    """Return the records that map."""
    return [(record, mapped) for record, mapped in sample_records(adapter) if record is not None and isinstance(mapped, Mapped)]


def bad(adapter: Adapter) -> list[Broken]:
    """Return what does not."""
    return [mapped for _, mapped in sample_records(adapter) if isinstance(mapped, Broken)]


def good_of(adapter: Adapter, kind: Kind) -> list[tuple[NativeRecord, Mapped]]:
    """Return the records of a kind that map."""
    return [(record, mapped) for record, mapped in good(adapter) if record.kind is kind]


def sample_files(adapter: Adapter) -> Iterator[tuple[Path, str]]:
    """Yield path and delivered name of every sample file, in order of name."""
    for path in sorted(path for path in adapter.samples.rglob("*") if path.is_file()):
        yield path, path.relative_to(adapter.samples).as_posix()


def marks(table: FieldTable, kind: Kind) -> set[str]:
    """Return the fields of a kind by which a record is withdrawn."""
    return {name for name, target in table.get(kind, {}).items() if target.startswith(MARK)}


def undeclared(adapter: Adapter, kind: Kind, names: Iterator[str]) -> set[str]:
    """Return those of the fields that the mapping table of a kind does not have."""
    return {name for name in names if generic(name) not in adapter.mapped[kind]}
