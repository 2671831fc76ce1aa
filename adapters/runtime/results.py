"""What the hub told a province, as plain rows: the content of its native result files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from google.protobuf.message import Message

from adapters.runtime.records import SentRow
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events
from yrd.settlement.v1 import settlement_pb2 as settlement
from yrd.voucher.v1 import voucher_pb2 as voucher


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    """A redemption as it stands. Amounts in fen, dates `YYYY-MM-DD`, codes by their short names."""

    redemption_id: str
    order_no: str
    issuer: str
    acquirer: str
    enterprise: str
    provider: str
    state: str
    policy_version: str
    authorized_fen: int
    subsidy_fen: int
    refunded_fen: int
    payee: str
    invoice_no: str
    delivered_on: str
    settled_on: str
    window_id: str
    basis: str


@dataclass(frozen=True, slots=True)
class VoucherRow:
    """A note, as issued or as changed by expiry or cancellation."""

    issuer: str
    voucher_no: str
    enterprise: str
    face_fen: int
    returned_fen: int
    issued_on: str
    expires_on: str


@dataclass(frozen=True, slots=True)
class ObligationRow:
    """A debt of a closed window."""

    window_id: str
    debtor: str
    creditor: str
    amount_fen: int
    state: str


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A division's net position in a closed window; negative pays in."""

    window_id: str
    division: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What became of one native record: `OK` or the hub's refusal code, and its text."""

    kind: str
    native_id: str
    file: str
    line: str
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Results:
    """Everything a province gets back."""

    redemptions: tuple[RedemptionRow, ...] = ()
    vouchers: tuple[VoucherRow, ...] = ()
    obligations: tuple[ObligationRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()


def redemption_row(redemption: clearing.Redemption, reasons: Iterable[refusal.Reason]) -> RedemptionRow:
    """Return a redemption as a row; `basis` is the decision's reasoning in Chinese, on one line."""
    return RedemptionRow(
        redemption_id=redemption.redemption_id,
        order_no=redemption.order.order_no,
        issuer=redemption.issuer,
        acquirer=redemption.acquirer,
        enterprise=redemption.enterprise,
        provider=redemption.provider,
        state=clearing.RedemptionState.Name(redemption.state).removeprefix("REDEMPTION_STATE_"),
        policy_version=redemption.policy_version,
        authorized_fen=redemption.authorized_fen,
        subsidy_fen=redemption.subsidy_fen,
        refunded_fen=redemption.refunded_fen,
        payee=clearing.PayeeKind.Name(redemption.payee).removeprefix("PAYEE_KIND_"),
        invoice_no=redemption.invoice_no,
        delivered_on=redemption.delivered_on,
        settled_on=redemption.settled_on,
        window_id=redemption.window_id,
        basis=_one_line("；".join(reason.zh for reason in reasons if reason.zh)),
    )


def _one_line(text: str) -> str:
    """Return a text on one line and without control characters: workbooks refuse them, and line formats break on them."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def voucher_row(note: voucher.Voucher) -> VoucherRow:
    """Return a note as a row."""
    return VoucherRow(note.issuer, note.voucher_no, note.enterprise, note.face_fen, note.returned_fen, note.issued_on, note.expires_on)


def obligation_row(window_id: str, obligation: settlement.Obligation) -> ObligationRow:
    """Return an obligation as a row."""
    state = settlement.ObligationState.Name(obligation.state).removeprefix("OBLIGATION_STATE_")
    return ObligationRow(window_id, obligation.debtor, obligation.creditor, obligation.amount_fen, state)


def outcome_row(sent: SentRow) -> OutcomeRow:
    """Return a record's outcome as a row; the message on one line."""
    return OutcomeRow(sent.kind, sent.native_id, sent.file, sent.line, sent.outcome or "UNANSWERED", _one_line(sent.message_zh))


@dataclass(frozen=True, slots=True)
class DrawRow:
    """That a note was drawn on, and by which redemption last. It is in no result file: it keeps a used note from being issued otherwise."""

    issuer: str
    voucher_no: str
    redemption_id: str


FactRow = RedemptionRow | VoucherRow | ObligationRow | PositionRow | DrawRow
"""What the hub tells of itself, rather than in answer to a record."""

FACTS: dict[str, type[FactRow]] = {
    "redemption": RedemptionRow,
    "voucher": VoucherRow,
    "obligation": ObligationRow,
    "position": PositionRow,
    "draw": DrawRow,
}
"""Kinds of facts by their names."""


def facts(event: Message) -> Iterator[tuple[str, str, FactRow]]:
    """Yield (kind, id, row) of what an event says. Of an event that has no result file, nothing."""
    if isinstance(event, events.RedemptionChanged):
        redemption = event.redemption
        yield "redemption", redemption.redemption_id, redemption_row(redemption, event.reasons)
        for draw in redemption.draws:
            row = DrawRow(redemption.issuer, draw.voucher_no, redemption.redemption_id)
            yield "draw", f"{redemption.issuer}/{draw.voucher_no}", row
    elif isinstance(event, events.VouchersIssued):
        for note in event.vouchers:
            yield "voucher", f"{note.issuer}/{note.voucher_no}", voucher_row(note)
    elif isinstance(event, events.VoucherReturned):
        yield "voucher", f"{event.voucher.issuer}/{event.voucher.voucher_no}", voucher_row(event.voucher)
    elif isinstance(event, events.WindowClosed):
        yield from _closed(event.window)
    elif isinstance(event, events.ObligationPaid):
        yield _owed(event.window_id, event.obligation)


def _closed(window: settlement.Window) -> Iterator[tuple[str, str, FactRow]]:
    for obligation in window.obligations:
        yield _owed(window.window_id, obligation)
    for position in window.positions:
        row = PositionRow(window.window_id, position.division, position.amount_fen)
        yield "position", f"{window.window_id}/{position.division}", row


def _owed(window_id: str, obligation: settlement.Obligation) -> tuple[str, str, FactRow]:
    row = obligation_row(window_id, obligation)
    return "obligation", f"{row.window_id}/{row.debtor}/{row.creditor}", row


def merged(before: FactRow | None, row: FactRow) -> FactRow:
    """Return how a fact stands after `row`, where it stood as `before`."""
    if isinstance(row, RedemptionRow) and isinstance(before, RedemptionRow):
        # A later step, such as a payment, explains itself and not the amount: the amount's reasoning stays.
        return row if row.basis else replace(row, basis=before.basis)
    if isinstance(before, ObligationRow) and before.state == "PAID":
        # Window and payment may come over different partitions: paid once seen stays paid.
        return before
    return row


def results(stand: Iterable[FactRow], sent: Iterable[SentRow] = ()) -> Results:
    """Return facts as they stand, in a fixed order, with the outcomes of the records sent."""
    rows: dict[type[FactRow], list[FactRow]] = {kind: [] for kind in FACTS.values()}
    for row in stand:
        rows[type(row)].append(row)

    def of(kind: type[RowT], key: Callable[[RowT], tuple[str, ...]]) -> tuple[RowT, ...]:
        return tuple(sorted((row for row in rows[kind] if isinstance(row, kind)), key=key))

    return Results(
        redemptions=of(RedemptionRow, lambda row: (row.issuer, row.provider, row.order_no, row.redemption_id)),
        vouchers=of(VoucherRow, lambda row: (row.issuer, row.voucher_no)),
        obligations=of(ObligationRow, lambda row: (row.window_id, row.debtor, row.creditor)),
        positions=of(PositionRow, lambda row: (row.window_id, row.division)),
        outcomes=tuple(outcome_row(row) for row in sent),
    )


EVENTS: dict[str, type[Message]] = {
    f"yrd.events.v1.{kind.DESCRIPTOR.name}": kind
    for kind in (events.RedemptionChanged, events.VouchersIssued, events.VoucherReturned, events.WindowClosed, events.ObligationPaid)
}
"""The events that say facts, by their full names."""

RowT = TypeVar("RowT", RedemptionRow, VoucherRow, ObligationRow, PositionRow)
