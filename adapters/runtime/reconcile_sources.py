"""What a reconciliation reads: deliveries from their folders, natively and anew, and the adapter's memory as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from adapters.runtime.identity import digest_of
from adapters.runtime.model import Adapter, Broken, Mapped, NativeRecord
from adapters.runtime.reading import kinds_in, records_in
from adapters.runtime.reconcile import Memory, Native, OrderFacts, Remembered
from adapters.runtime.state import State
from hub.domain.clock import local_date
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.voucher.v1 import voucher_pb2 as voucher

_SENT = (
    "SELECT kind, native_id, digest, outcome, delivery, request_id IN (SELECT request_id FROM queue), holds OR length(held) > 0,"
    " attempt < 0, redemption_id, file, line FROM sent"
)


def kept(work: Path) -> dict[int, tuple[str, Path]]:
    """Return the deliveries on disk, (name, file) by number: those that landed and those that were put away."""
    found = {}
    for folder in (work / "landing", work / "archive"):
        numbered = [each for each in folder.iterdir() if each.is_dir() and each.name.isdecimal()] if folder.is_dir() else []
        for each in numbered:
            for path in sorted(path for path in each.rglob("*") if path.is_file()):
                found[int(each.name)] = (path.relative_to(each).as_posix(), path)
    return dict(sorted(found.items()))


def natives(adapter: Adapter, number: int, name: str, path: Path, *, historic: bool = False) -> Iterator[Native]:
    """Yield the records of a delivery, read and mapped anew. What cannot be read to its end ends in one broken row, as at the intake."""
    if not kinds_in(adapter, name):
        yield Native(number, name, "1", None, "", reason="UNKNOWN_FILE", historic=historic)
        return
    try:
        for item in records_in(adapter, path, name):
            if isinstance(item, Broken):
                yield Native(number, item.file, item.line, None, item.native_id, reason=item.reason_code, historic=historic)
            else:
                yield _native(adapter, *item, number, historic)
    except OSError:
        raise
    except Exception:
        yield Native(number, name, "*", None, "", reason="FAULT", historic=historic)


def _native(adapter: Adapter, item: NativeRecord, known: Mapped | None, number: int, historic: bool) -> Native:
    """Return a record as the reconciliation sees it. A withdrawn record need not map."""
    place = (number, item.file, item.line, item.kind, item.native_id)
    digest = digest_of(item, adapter.dropped)
    try:
        mapped = known or adapter.map(item)
    except Exception:
        return Native(*place, digest, item.deleted, "FAULT", historic=historic)
    if isinstance(mapped, Broken):
        reason = "" if item.deleted else mapped.reason_code
        return Native(*place, digest, item.deleted, reason, historic=historic)
    facts, amount_fen = _facts(mapped)
    return Native(*place, digest, item.deleted, "", amount_fen, facts, mapped.refers_to, historic)


def _facts(mapped: Mapped) -> tuple[OrderFacts | None, int]:
    """Return what the ledger must say of a command, and the money in it."""
    request = mapped.request
    if isinstance(request, voucher.IssueVouchersRequest):
        return None, sum(item.face_fen * max(1, item.count) for item in request.items)
    if isinstance(request, clearing.AuthorizeRequest):
        given = request.input
        fen = sum(line.amount_fen for line in given.order.lines)
        return OrderFacts(given.issuer, given.enterprise, given.provider, given.order.order_no, fen), fen
    if isinstance(request, clearing.CaptureRequest):
        fen = sum(line.amount_fen for line in request.lines)
        return OrderFacts(amount_fen=fen, invoice_no=request.invoice_no, delivered_on=request.delivered_on), fen
    return None, 0


def memory_of(state: State) -> Memory:
    """Return the adapter's memory at one moment, while the adapter may go on."""
    state.db.run("BEGIN")
    try:
        sent, parked = state.db.all(_SENT), state.db.all("SELECT kind, native_id, digest FROM parked")
        held, landed = state.quarantine.rows(), state.deliveries.all()
        set_aside = state.db.all("SELECT delivery, line, reason FROM discarded")
    finally:
        state.db.run("COMMIT")
    return Memory(
        sent={(str(row[0]), str(row[1])): Remembered(*row[2:5], *map(bool, row[5:8]), *row[8:]) for row in sent},
        quarantine={(each.delivery, each.line): each.reason for each in held},
        parked={(str(kind), str(native_id)): str(digest) for kind, native_id, digest in parked},
        deliveries={each.number: each.name for each in landed},
        unread=frozenset(each.number for each in landed if each.state != "TAKEN"),
        gone=frozenset(each.number for each in landed if each.removed),
        set_aside={(int(delivery), str(line)): str(reason) for delivery, line, reason in set_aside},
    )


def landed_on(state: State, since: date | None, until: date | None) -> tuple[int, int]:
    """Return the first delivery that landed on or after `since`, and the last on or before `until` (Shanghai's days); 0 where open."""
    first, last = 0, 0
    for each in state.deliveries.all():
        day = local_date(datetime.fromisoformat(each.landed_at))
        if since is not None and day >= since and not first:
            first = each.number
        if until is None or day <= until:
            last = each.number
    return first, (last if until is not None else 0)
