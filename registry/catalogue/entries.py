"""Use cases of single entries: create, update, retire, get, list, history."""

from __future__ import annotations

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from registry.catalogue import domain, store
from registry.catalogue.codec import KIND_IN, entry_message, etag, read_entry, version_message
from registry.catalogue.domain import EntryState, Kind
from registry.catalogue.events import change_of, entries_changed
from registry.catalogue.tables import EntryRow
from yrd.registry.v1 import catalogue_pb2 as pb

_ENTRY_MAX = 2**63 - 1


async def create_entry(tx: Transaction, request: pb.CreateEntryRequest) -> pb.CreateEntryResponse | Refusal:
    """Add an entry.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than the provider and its home's platform; ALREADY_EXISTS where the key is taken.
    """
    fields = Fields()
    entry = read_entry(request.entry, fields)
    home = fields.refusal or await _home(tx, entry.provider)
    if isinstance(home, Refusal):
        return home
    known = await store.entry_by_key(tx.session, entry.key)
    # Of two that create the same key at once, one waits in the write and finds it taken, or says the same and changes nothing.
    if known is not None:
        return _taken(known)
    written = await store.write(tx.session, [(entry, home)], _stamp(tx, "Create"))
    row = await store.entry_by_key(tx.session, entry.key)
    assert row is not None
    if not written or written[0].version > 1:
        return _taken(row)
    return pb.CreateEntryResponse(entry=_told(tx, row, "Create"))


async def update_entry(tx: Transaction, request: pb.UpdateEntryRequest) -> pb.UpdateEntryResponse | Refusal:
    """Replace what an entry says. A retired one comes back into force; what says the same changes nothing and tells nobody.

    ENTRY_NOT_FOUND; NOT_PERMITTED; ENTRY_CHANGED where the etag sent is not its own; INVALID_STATE where it was merged.
    """
    fields = Fields()
    entry = read_entry(request.entry, fields)
    home = fields.refusal or await _home(tx, entry.provider)
    if isinstance(home, Refusal):
        return home
    known = await store.entry_by_key(tx.session, entry.key, lock=True)
    if known is None:
        return Refusal(RefusalCode.ENTRY_NOT_FOUND)
    refusal = domain.change_refused(EntryState(known.state), known.merged_into, etag(known), request.entry.etag)
    if refusal is not None:
        return refusal
    written = await store.write(tx.session, [(entry, home)], _stamp(tx, "Update"))
    row = await store.entry_by_key(tx.session, entry.key)
    assert row is not None
    return pb.UpdateEntryResponse(entry=_told(tx, row, "Update") if written else entry_message(row))


async def retire_entry(tx: Transaction, request: pb.RetireEntryRequest) -> pb.RetireEntryResponse | Refusal:
    """Take an entry out of force.

    ENTRY_NOT_FOUND; NOT_PERMITTED; ENTRY_CHANGED where the etag sent is not its own; INVALID_STATE where it is out of force already.
    """
    row = await _entry(tx, request.entry_id, lock=True)
    if isinstance(row, Refusal):
        return row
    refusal = domain.may_change(tx.caller, row.provider, row.division)
    refusal = refusal or domain.change_refused(EntryState(row.state), row.merged_into, etag(row), request.etag)
    refusal = refusal or domain.retirement_refused(EntryState(row.state))
    if refusal is not None:
        return refusal
    await store.end(tx.session, row, EntryState.RETIRED, _stamp(tx, "Retire"))
    return pb.RetireEntryResponse(entry=_told(tx, row, "Retire"))


async def get_entry(tx: Transaction, request: pb.GetEntryRequest) -> pb.GetEntryResponse | Refusal:
    """Return one entry, or the one it was merged into."""
    row = await _entry(tx, request.entry_id)
    if isinstance(row, EntryRow) and row.merged_into is not None:
        row = await _entry(tx, row.merged_into)
    if isinstance(row, Refusal):
        return row
    if domain.hidden(tx.caller, Kind(row.kind), EntryState(row.state)):
        return Refusal(RefusalCode.ENTRY_NOT_FOUND)
    if row.state == EntryState.RETIRED and await _may_see_retired(tx, row.provider, "") is not None:
        return Refusal(RefusalCode.ENTRY_NOT_FOUND)
    return pb.GetEntryResponse(entry=entry_message(row))


async def list_entries(tx: Transaction, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse | Refusal:
    """List entries by number, to the public without experts.

    Retired ones are listed only to whoever answers for the provider or division named.
    """
    kind = read_filter(request)
    page = kind if isinstance(kind, Refusal) else keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    if request.include_retired:
        refusal = await _may_see_retired(tx, request.provider, request.division)
        if refusal is not None:
            return refusal
    found = await store.page_of_entries(
        tx.session,
        page,
        provider=request.provider,
        division=request.division,
        kind=str(kind),
        include_retired=request.include_retired,
        without=Kind.EXPERT.value if tx.caller.role is Role.PUBLIC else "",
    )
    shown, token = page.cut(found, lambda row: [str(row.entry_id)])
    return pb.ListEntriesResponse(entries=[entry_message(row) for row in shown], next_page_token=token)


async def list_entry_versions(tx: Transaction, request: pb.ListEntryVersionsRequest) -> pb.ListEntryVersionsResponse | Refusal:
    """List what an entry said at all times, oldest first, to whoever answers for it."""
    page = keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    row = await _entry(tx, request.entry_id)
    if isinstance(row, Refusal):
        return row
    refusal = domain.may_see_history(tx.caller, row.provider, row.division)
    if refusal is not None:
        return refusal
    shown, token = page.cut(await store.page_of_versions(tx.session, request.entry_id, page), lambda item: [str(item.version)])
    versions = [version_message(item, row.division) for item in shown]
    return pb.ListEntryVersionsResponse(versions=versions, next_page_token=token)


def read_filter(request: pb.ListEntriesRequest | pb.ExportEntriesRequest) -> str | Refusal:
    """Check which entries are asked for and return the kind, empty for all."""
    fields = Fields()
    if request.provider:
        fields.uscc("provider", request.provider)
    if request.division:
        fields.division("division", request.division)
    kind = fields.enum("kind", request.kind, KIND_IN).value if request.kind else ""
    return fields.refusal or kind


async def _may_see_retired(tx: Transaction, provider: str, division: str) -> Refusal | None:
    if division and tx.caller.sees(division):
        return None
    if provider:
        home = (await store.homes_of(tx.session, [provider])).get(provider)
        return domain.may_see_history(tx.caller, provider, home) if home else Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    return not_permitted("已下架条目须按本辖区或本机构查询", "name a provider or division of your own to see what is retired")


async def _home(tx: Transaction, provider: str) -> str | Refusal:
    """Return the home of a provider whose entries the caller may change."""
    home = (await store.homes_of(tx.session, [provider])).get(provider)
    if home is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    return domain.may_change(tx.caller, provider, home) or home


async def _entry(tx: Transaction, entry_id: int, *, lock: bool = False) -> EntryRow | Refusal:
    fields = Fields()
    fields.between("entry_id", entry_id, 1, _ENTRY_MAX)
    return fields.refusal or await store.entry_by_id(tx.session, entry_id, lock=lock) or Refusal(RefusalCode.ENTRY_NOT_FOUND)


def _taken(row: EntryRow) -> Refusal:
    return Refusal(RefusalCode.ALREADY_EXISTS, metadata=(("entry_id", str(row.entry_id)), ("state", row.state)))


def _stamp(tx: Transaction, cause: str) -> store.Stamp:
    return store.Stamp(tx.now, tx.caller.participant_id, cause)


def _told(tx: Transaction, row: EntryRow, cause: str) -> pb.CatalogueEntry:
    for event in entries_changed(row.division, [change_of(row)], cause, tx.now):
        tx.emit(event)
    return entry_message(row)
