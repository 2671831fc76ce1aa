"""Use cases of files: import with a report by row, the report, export."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import islice
from typing import Any
from uuid import UUID

from sqlmodel import select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.encode import timestamp
from hub.codec.enums import REFUSAL_OUT
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, RefusalCode, invalid
from registry.catalogue import store
from registry.catalogue.columns import row_of
from registry.catalogue.entries import read_filter
from registry.catalogue.files import FileError, Format, read_file, write_file
from registry.catalogue.loading import Loaded, Parsed, Parser, load
from registry.catalogue.tables import ImportRow
from yrd.registry.v1 import catalogue_pb2 as pb

ROWS_MAX = 20_000
ERRORS_SHOWN = 1_000
EXPORT_MAX = 500
FILE_NAME_CHARS_MAX = 200

_FORMAT_IN: dict[int, Format] = {number: Format(name.removeprefix("ENTRY_FORMAT_")) for name, number in pb.EntryFormat.items() if number}
_FORMAT_OUT: dict[str, Any] = {form.value: number for number, form in _FORMAT_IN.items()}


async def import_entries(tx: Transaction, request: pb.ImportEntriesRequest) -> pb.ImportEntriesResponse | Refusal:
    """Load a file: good rows are written, broken ones reported. INVALID_ARGUMENT where the file as a whole cannot be read."""
    fields = Fields()
    form = fields.enum("format", request.format, _FORMAT_IN)
    fields.text("file_name", request.file_name, FILE_NAME_CHARS_MAX, required=False)
    if fields.refusal is not None:
        return fields.refusal
    try:
        # Thousands of rows take a while to read: meanwhile this process answers others.
        parsed = await asyncio.to_thread(_parse, form, request.content)
    except FileError as error:
        return invalid("content", str(error))
    loaded = await load(tx, parsed)
    row = import_row(tx, UUID(request.request_id), form, request.file_name, hashlib.sha256(request.content).digest(), loaded)
    tx.session.add(row)
    return pb.ImportEntriesResponse(result=_message(row), errors=[_error(item) for item in row.errors[:ERRORS_SHOWN]])


def _parse(form: Format, content: bytes) -> Parsed:
    rows = list(islice(read_file(form, content), ROWS_MAX + 1))
    if len(rows) > ROWS_MAX:
        raise FileError(f"has more than {ROWS_MAX} rows; send it in parts")
    return Parser().parse(rows)


def import_row(tx: Transaction, import_id: UUID, form: Format, file_name: str, sha256: bytes, loaded: Loaded) -> ImportRow:
    """Return the record of an import."""
    return ImportRow(
        import_id=import_id,
        division=tx.caller.division,
        imported_by=tx.caller.participant_id,
        format=form.value,
        file_name=file_name,
        sha256=sha256,
        rows=loaded.rows,
        created=loaded.created,
        updated=loaded.updated,
        unchanged=loaded.unchanged,
        failed=loaded.failed,
        errors=[problem.as_dict() for problem in loaded.problems],
        imported_at=tx.now,
    )


async def get_entry_import(tx: Transaction, request: pb.GetEntryImportRequest) -> pb.GetEntryImportResponse | Refusal:
    """Return what came of an import. A provider sees its own, a platform those of its division, the coordination group all."""
    fields = Fields()
    import_id = fields.uuid("import_id", request.import_id)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    row = (await tx.session.exec(select(ImportRow).where(ImportRow.import_id == UUID(import_id)))).one_or_none()
    if row is None or not _may_see(tx, row):
        return Refusal(RefusalCode.IMPORT_NOT_FOUND)
    start = page.after[0] if page.after else 0
    shown, token = page.cut(list(enumerate(row.errors[start : start + page.fetch], start + 1)), lambda item: [str(item[0])])
    return pb.GetEntryImportResponse(result=_message(row), errors=[_error(item) for _, item in shown], next_page_token=token)


def _may_see(tx: Transaction, row: ImportRow) -> bool:
    if tx.caller.role is Role.PROVIDER:
        return row.imported_by == tx.caller.participant_id
    return tx.caller.sees(row.division)


async def export_entries(tx: Transaction, request: pb.ExportEntriesRequest) -> pb.ExportEntriesResponse | Refusal:
    """Write entries in force as a file that the import reads."""
    fields = Fields()
    form = fields.enum("format", request.format, _FORMAT_IN)
    kind = fields.refusal or read_filter(request)
    page = kind if isinstance(kind, Refusal) else keyset.read_page(tx.caller, request, keyset.number, largest=EXPORT_MAX)
    if isinstance(page, Refusal):
        return page
    found = await store.page_of_entries(tx.session, page, provider=request.provider, division=request.division, kind=str(kind))
    shown, token = page.cut(found, lambda row: [str(row.entry_id)])
    content = await asyncio.to_thread(write_file, form, [row_of(row.model_dump()) for row in shown])
    return pb.ExportEntriesResponse(content=content, next_page_token=token)


def _message(row: ImportRow) -> pb.EntryImport:
    return pb.EntryImport(
        import_id=str(row.import_id),
        file_name=row.file_name,
        format=_FORMAT_OUT[row.format],
        sha256=row.sha256.hex(),
        rows=row.rows,
        created=row.created,
        updated=row.updated,
        unchanged=row.unchanged,
        failed=row.failed,
        imported_at=timestamp(row.imported_at),
    )


def _error(item: dict[str, str]) -> pb.RowError:
    values = {name: item[name] for name in ("column", "zh", "en", "remedy_zh", "remedy_en")}
    return pb.RowError(row=int(item["row"]), code=REFUSAL_OUT[RefusalCode(item["code"])], **values)
