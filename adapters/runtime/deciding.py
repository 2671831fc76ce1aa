"""From an edition of a record to what is written about it: a command in the queue, a place in the park, a row in quarantine, or nothing."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from adapters.runtime.edition import Before, Done, Edition, Send, Wait
from adapters.runtime.effects import CLOSED, is_correction, numbers_of, unpacked
from adapters.runtime.follow import next_step
from adapters.runtime.identity import REPLACEABLE, headers, request_id, source_of
from adapters.runtime.model import PHASE_OF, Broken, Kind
from adapters.runtime.reasons import describe
from adapters.runtime.records import Delivered, Known
from adapters.runtime.row import Reject
from adapters.runtime.work import Work
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.voucher.v1 import voucher_pb2 as voucher


class Verdict(StrEnum):
    """What became of an edition."""

    SENT = "SENT"
    UNCHANGED = "UNCHANGED"
    PARKED = "PARKED"
    QUARANTINED = "QUARANTINED"


def decide(work: Work, delivered: Delivered, *, retry: bool = False) -> Verdict:
    """Decide what an edition means in the light of what is known, and note it in the work. `retry` sends anew what was refused.

    An edition that cannot be brought to the hub wholly and at once stays parked, and is decided on again when an answer comes.
    """
    known = work.of(delivered.record)
    if known is not None and delivered.edition.historic and not known.historic:
        return Verdict.UNCHANGED  # history never overrides what the live feed said
    # A step of a correction that was taken is not the end of the way: what is left of it is decided below.
    under_way = known is not None and known.outcome == "OK" and is_correction(known.method)
    if known is not None and known.source and not retry and not under_way and _same(known, delivered.edition):
        return _same_again(work, known, delivered.edition)
    try:
        resolved = _resolved(work, delivered)
        if resolved is None:
            work.release(delivered.record)
            work.park(delivered)
            return Verdict.PARKED
        if known is not None and not known.source and _of_first_release(work, resolved, known):
            return Verdict.UNCHANGED
        step = next_step(resolved.edition, before_of(work, known) if known else None, retry=retry)
    except Reject as reject:
        _hold(work, delivered, reject)
        # What it waits for may still come: the order may be sent, or authorized after all.
        work.park(delivered)
        return Verdict.QUARANTINED
    work.release(delivered.record)
    match step:
        case Send():
            _send(work, resolved, known, step)
            return Verdict.SENT
        case Wait():
            work.park(delivered)
            return Verdict.PARKED
        case Done():
            work.unpark(delivered.record)
            if step.settled:
                work.remember(_settled(work, known, resolved))
            return Verdict.UNCHANGED
        case _:
            _hold(work, delivered, step)
            work.unpark(delivered.record)
            return Verdict.QUARANTINED


def _same(known: Known, edition: Edition) -> bool:
    return known.digest == edition.digest and known.deleted == edition.deleted


def _same_again(work: Work, known: Known, edition: Edition) -> Verdict:
    """The edition that the last command was for has come again: nothing is new, and what was parked in between is void."""
    record = (known.kind, known.native_id)
    parked = work.waiting(record)
    if parked is not None and not _same(known, parked.edition):
        work.unpark(record)
    if known.historic and not edition.historic:
        work.remember(replace(known, historic=False))
    if known.outcome in ("", "OK") or not is_correction(known.method):
        work.release(record)  # a correction that was refused stays in quarantine: the hub still holds something else
    return Verdict.UNCHANGED


def _of_first_release(work: Work, delivered: Delivered, known: Known) -> bool:
    """Complete what the first release remembered, which was no request; say whether that was all there is to do.

    What the hub holds is known only if this very edition was sent. Otherwise another one could be paid twice: a person decides.
    """
    edition = delivered.edition
    if _same(known, edition):
        stands = edition.request if known.outcome == "OK" else b""
        completed = replace(known, request=edition.request, key=edition.key, held=stands, ever=bool(stands), sent_at=work.now)
        work.remember(replace(completed, source=source_of(work.province, known.kind, known.native_id, known.digest, known.attempt)))
        return True
    if known.kind not in REPLACEABLE and known.outcome in ("", "OK"):
        raise Reject(edition.id_field, "MEMORY_LOST", edition.native_id)
    return False


def _resolved(work: Work, delivered: Delivered) -> Delivered | None:
    """Return an edition with the redemption that a capture is about; None while that is open. Raises Reject where there is none."""
    edition = delivered.edition
    if edition.kind is not Kind.CAPTURE or not edition.request or edition.deleted:
        return delivered
    order = delivered.refers_to
    authorization = work.of((Kind.AUTHORIZATION, order))
    if authorization is None:
        if work.waiting((Kind.AUTHORIZATION, order)) is not None:
            return None
        raise Reject(delivered.refers_field, "UNKNOWN_ORDER", order, order)
    if not authorization.outcome or work.waiting((Kind.AUTHORIZATION, order)) is not None:
        return None
    if not authorization.held or not authorization.redemption_id:
        raise Reject(delivered.refers_field, "NOT_AUTHORIZED", order, order)
    request = clearing.CaptureRequest.FromString(edition.request)
    request.redemption_id = authorization.redemption_id
    return replace(delivered, edition=replace(edition, request=request.SerializeToString(deterministic=True)))


def before_of(work: Work, known: Known) -> Before:
    """Return what decides about a record's next step. What is costly to find is looked up for the kinds that need it."""
    state, captured, authorized = known.state, False, b""
    if known.redemption_id and (row := work.state.told.redemptions([known.redemption_id]).get(known.redemption_id)):
        state = row.state
    if known.kind is Kind.AUTHORIZATION:
        captures = work.state.records.referring(known.native_id)
        # One that was refunded, or refused, of an earlier redemption of this record is no obstacle.
        captured = any(not each.outcome or (each.held and each.redemption_id == known.redemption_id) for each in captures)
    elif known.kind is Kind.CAPTURE and (order := work.of((Kind.AUTHORIZATION, known.refers_to))):
        authorized = order.held
    others: tuple[bytes, ...] = ()
    if known.kind in (Kind.PROVIDER, Kind.RECOGNITION):
        same_firm = work.state.records.of_key(known.kind, known.key)
        others = tuple(each.held for each in same_firm if each.native_id != known.native_id and each.held)
    return Before(
        digest=known.digest,
        attempt=known.attempt,
        outcome=known.outcome,
        method=known.method,
        held=known.held,
        ever=known.ever,
        redemption_id=known.redemption_id,
        state=state,
        captured=captured,
        used=known.kind is Kind.VOUCHER and _used(work, known),
        spent=known.spent,
        live=not known.historic,
        authorized=authorized,
        others=others,
    )


def _used(work: Work, known: Known) -> bool:
    """Say whether the hub has told of a redemption that stands and draws on the notes. What it has not told yet, a cancellation shows."""
    if not known.held:
        return False
    issued = voucher.IssueVouchersRequest.FromString(known.held)
    by = work.state.told.drawn_by(issued.issuer, numbers_of(known.held))
    return any(row.state not in CLOSED for row in work.state.told.redemptions(by).values())


def _send(work: Work, delivered: Delivered, known: Known | None, step: Send) -> None:
    """Queue a command and remember it. A step of a correction leaves the edition parked: its answer asks for the next."""
    edition = delivered.edition
    source = source_of(work.province, edition.kind, edition.native_id, edition.digest, step.attempt, step.step)
    identity = request_id(source)
    if known is None:
        sent = _first(delivered, step, source, identity)
    else:
        retried = known.digest == edition.digest and not step.step
        sent = _now_of(
            known,
            delivered,
            attempt=step.attempt,
            request_id=identity,
            method=step.method,
            outcome="",
            message_zh="",
            message_en="",
            request=step.request,
            key=step.key,
            source=source,
            retries=known.retries + 1 if retried else 0,
            due_at="",
            sent_at="",
            sends=0,
        )
    work.remember(sent)
    command_of(work, sent, source)
    if step.step:
        work.park(delivered)
    else:
        work.unpark(delivered.record)


def _first(delivered: Delivered, step: Send, source: str, identity: str) -> Known:
    """Return what is known of a record with its first command. Nearly every record comes once: this is made without a copy."""
    edition = delivered.edition
    return Known(
        kind=edition.kind,
        native_id=edition.native_id,
        phase=PHASE_OF[edition.kind],
        file=delivered.file,
        line=delivered.line,
        digest=edition.digest,
        attempt=step.attempt,
        request_id=identity,
        method=step.method,
        redemption_id=_redemption_of(delivered),
        delivery=delivered.delivery,
        row=delivered.row,
        deleted=edition.deleted,
        request=step.request,
        key=step.key,
        source=source,
        id_field=edition.id_field,
        refers_to=delivered.refers_to,
        historic=edition.historic,
    )


def command_of(work: Work, known: Known, source: str) -> None:
    """Queue a record's last command under a CloudEvents id."""
    value = with_request_id(known.request, known.request_id)
    work.queue(known.phase, known.key, dict(headers(source, work.province, known.method, work.now)), value, known.request_id)


def with_request_id(request: bytes, identity: str) -> bytes:
    """Return a request's bytes with its id. It is field 1 of every mutation (a test says so), so this is the canonical order of fields."""
    name = identity.encode()
    return b"\x0a" + bytes((len(name),)) + name + request


def _settled(work: Work, known: Known | None, delivered: Delivered) -> Known:
    """Return what is known of a record whose edition the hub holds already, or of a withdrawn one that it never held."""
    if known is not None:
        return _now_of(known, delivered, outcome="OK", message_zh="", message_en="", due_at="")
    kind, native_id = delivered.record
    # Before the first attempt: the record may still come, and is then sent as any new one is.
    source = source_of(work.province, kind, native_id, delivered.edition.digest, -1)
    never = Known(kind, native_id, PHASE_OF[kind], "", "", "", -1, request_id(source), "", outcome="OK", source=source)
    return _now_of(never, delivered, last_answered_at=work.now)


def _now_of(known: Known, delivered: Delivered, **changes: Any) -> Known:
    """Return what is known with the edition that counts now, and whatever else changes."""
    edition = delivered.edition
    return replace(
        known,
        file=delivered.file,
        line=delivered.line,
        delivery=delivered.delivery,
        row=delivered.row,
        digest=edition.digest,
        deleted=edition.deleted,
        id_field=edition.id_field,
        historic=edition.historic,
        refers_to=delivered.refers_to or known.refers_to,
        redemption_id=_redemption_of(delivered) or known.redemption_id,
        **changes,
    )


def _redemption_of(delivered: Delivered) -> str:
    if delivered.edition.kind is not Kind.CAPTURE or not delivered.edition.request:
        return ""
    request = unpacked(delivered.edition.method, delivered.edition.request)
    return request.redemption_id if isinstance(request, clearing.CaptureRequest) else ""


def _hold(work: Work, delivered: Delivered, reject: Reject) -> None:
    edition = delivered.edition
    zh, en = describe(reject.code, reject.detail)
    broken = Broken(delivered.file, delivered.line, reject.field, reject.code, zh, en, reject.value[:200], edition.native_id)
    work.hold(broken, PHASE_OF[edition.kind], edition.kind, delivered.delivery, delivered.row)
