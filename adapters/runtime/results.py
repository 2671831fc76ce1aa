"""What the hub told a province, as plain rows: the content of its native result files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from adapters.runtime.state import SentRow
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


def _outcome_row(sent: SentRow) -> OutcomeRow:
    """Return a record's outcome as a row; the message on one line."""
    return OutcomeRow(sent.kind, sent.native_id, sent.file, sent.line, sent.outcome or "UNANSWERED", _one_line(sent.message_zh))


class Folding:
    """Events, one after the other, into how things stand after the last."""

    def __init__(self) -> None:
        self._redemptions: dict[str, RedemptionRow] = {}
        self._vouchers: dict[tuple[str, str], VoucherRow] = {}
        self._obligations: dict[tuple[str, str, str], ObligationRow] = {}
        self._positions: dict[tuple[str, str], PositionRow] = {}

    def take(self, event: Message) -> None:
        """Take an event in. Of a kind that has no result file, nothing is kept."""
        if isinstance(event, events.RedemptionChanged):
            row = redemption_row(event.redemption, event.reasons)
            before = self._redemptions.get(row.redemption_id)
            # A later step, such as a payment, explains itself and not the amount: the amount's reasoning stays.
            self._redemptions[row.redemption_id] = row if row.basis or before is None else replace(row, basis=before.basis)
        elif isinstance(event, events.VouchersIssued):
            for note in event.vouchers:
                self._vouchers[(note.issuer, note.voucher_no)] = voucher_row(note)
        elif isinstance(event, events.VoucherReturned):
            self._vouchers[(event.voucher.issuer, event.voucher.voucher_no)] = voucher_row(event.voucher)
        elif isinstance(event, events.WindowClosed):
            self._close(event.window)
        elif isinstance(event, events.ObligationPaid):
            self._owe(obligation_row(event.window_id, event.obligation))

    def _close(self, window: settlement.Window) -> None:
        for obligation in window.obligations:
            self._owe(obligation_row(window.window_id, obligation))
        for position in window.positions:
            self._positions[(window.window_id, position.division)] = PositionRow(window.window_id, position.division, position.amount_fen)

    def _owe(self, row: ObligationRow) -> None:
        key = (row.window_id, row.debtor, row.creditor)
        before = self._obligations.get(key)
        # Window and payment may come over different partitions: paid once seen stays paid.
        if before is None or before.state != "PAID":
            self._obligations[key] = row

    def results(self, sent: Sequence[SentRow] = ()) -> Results:
        """Return how things stand, in a fixed order, with the outcomes of the records sent."""
        return Results(
            redemptions=tuple(
                sorted(self._redemptions.values(), key=lambda row: (row.issuer, row.provider, row.order_no, row.redemption_id))
            ),
            vouchers=tuple(row for _, row in sorted(self._vouchers.items())),
            obligations=tuple(row for _, row in sorted(self._obligations.items())),
            positions=tuple(row for _, row in sorted(self._positions.items())),
            outcomes=tuple(_outcome_row(row) for row in sent),
        )


_EVENTS: dict[str, type[Message]] = {
    f"yrd.events.v1.{kind.DESCRIPTOR.name}": kind
    for kind in (events.RedemptionChanged, events.VouchersIssued, events.VoucherReturned, events.WindowClosed, events.ObligationPaid)
}


def fold(stream: Iterable[tuple[str, bytes]], sent: Sequence[SentRow] = ()) -> Results:
    """Return the results of a stream of (type, body); a type that is new to the adapter is passed over."""
    folding = Folding()
    for name, body in stream:
        kind = _EVENTS.get(name)
        if kind is not None:
            folding.take(kind.FromString(body))
    return folding.results(sent)
