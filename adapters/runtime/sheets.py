"""Tabular text into native records: header names to cells, with rows of the wrong width told apart."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord


def record_of_cells(header: Sequence[str], cells: Sequence[str], file: str, line: str, kind: Kind, id_field: str) -> NativeRecord | Broken:
    """Return a row as a record; one of the wrong width, or without its id, is unusable."""
    if len(cells) != len(header):
        few = len(cells) < len(header)
        name = header[len(cells)] if few else WHOLE
        return unusable(file, line, name, "MISSING_COLUMN" if few else "EXTRA_COLUMN", str(len(header)))
    fields = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name}
    native_id = fields.get(id_field, "")
    if not native_id:
        return unusable(file, line, id_field, "MISSING_FIELD")
    return NativeRecord(file, line, kind, native_id, fields, id_field)
