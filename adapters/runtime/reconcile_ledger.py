"""The second half of a reconciliation: the ledger beside the records and beside the result files. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.runtime.effects import CLOSED
from adapters.runtime.model import Kind
from adapters.runtime.reconcile import Account, Difference, Fault, Memory, Native, OrderFacts
from adapters.runtime.results import OutcomeRow, RedemptionRow

_COMPARED = (
    "order_no",
    "issuer",
    "acquirer",
    "enterprise",
    "provider",
    "state",
    "authorized_fen",
    "subsidy_fen",
    "refunded_fen",
    "invoice_no",
    "delivered_on",
)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A redemption as the hub's ledger holds it; `amount_fen` is the sum of the order's lines. Of a result row it is 0: none has it."""

    redemption_id: str
    order_no: str
    issuer: str
    acquirer: str
    enterprise: str
    provider: str
    state: str
    authorized_fen: int
    subsidy_fen: int
    refunded_fen: int
    invoice_no: str
    delivered_on: str
    amount_fen: int = 0


def of_result(row: RedemptionRow) -> LedgerRow:
    """Return a result row as far as the ledger has the same."""
    return LedgerRow(
        *(row.redemption_id, row.order_no, row.issuer, row.acquirer, row.enterprise, row.provider, row.state),
        *(row.authorized_fen, row.subsidy_fen, row.refunded_fen, row.invoice_no, row.delivered_on),
    )


@dataclass(frozen=True, slots=True)
class Sum:
    """Redemptions of an issuer in a state: how many, and their money in fen."""

    count: int = 0
    authorized_fen: int = 0
    subsidy_fen: int = 0
    refunded_fen: int = 0


def sums(rows: Iterable[LedgerRow]) -> dict[tuple[str, str], Sum]:
    """Return the sums by (issuer, state)."""
    found: dict[tuple[str, str], Sum] = {}
    for row in rows:
        before = found.get((row.issuer, row.state), Sum())
        found[(row.issuer, row.state)] = Sum(
            before.count + 1,
            before.authorized_fen + row.authorized_fen,
            before.subsidy_fen + row.subsidy_fen,
            before.refunded_fen + row.refunded_fen,
        )
    return found


def orders(found: Account, memory: Memory, ledger: Mapping[str, LedgerRow], acquired: Iterable[str]) -> list[Difference]:
    """Compare the orders that the province sent with the redemptions that came of them.

    `acquired` are the ids of the redemptions of the province's own providers: each live one must come of a record.
    """
    standing = list(found.standing.values())
    captures = {native.refers_to: native for native in standing if native.kind is Kind.CAPTURE and not native.deleted}
    differences: list[Difference] = []
    known: dict[tuple[str, str, str, str], str] = {}
    for native in standing:
        if native.kind is Kind.AUTHORIZATION and native.order is not None:
            known[_parties(native.order)] = native.native_id
            redemption_id = memory.sent[native.key].redemption_id
            differences += _order(native, captures.get(native.native_id), redemption_id, ledger.get(redemption_id))
    referred = {each.redemption_id for each in memory.sent.values() if each.redemption_id}
    for redemption_id in acquired:
        row = ledger[redemption_id]
        if redemption_id not in referred and row.state not in CLOSED:
            native_id = known.get((row.issuer, row.enterprise, row.provider, row.order_no), "")
            fault = Fault.REDEMPTION_DOUBLED if native_id else Fault.REDEMPTION_UNKNOWN
            differences.append(Difference(fault, Kind.AUTHORIZATION, native_id, redemption_id=redemption_id, found=row.order_no))
    return differences


def _parties(order: OrderFacts) -> tuple[str, str, str, str]:
    return order.issuer, order.enterprise, order.provider, order.order_no


def _order(native: Native, capture: Native | None, redemption_id: str, row: LedgerRow | None) -> list[Difference]:
    """Compare one order with its redemption."""
    if row is None:
        return [_differs(Fault.REDEMPTION_MISSING, native, redemption_id, "redemption_id", redemption_id, "")]
    if native.deleted:
        closed = row.state in CLOSED
        return [] if closed else [_differs(Fault.ORDER_DIFFERS, native, redemption_id, "state", "VOIDED", row.state)]
    assert native.order is not None
    pairs = {name: (getattr(native.order, name), getattr(row, name)) for name in ("issuer", "enterprise", "provider", "order_no")}
    expected = native.order.amount_fen
    if capture is not None and capture.order is not None:
        expected = capture.order.amount_fen or expected
        pairs |= {name: (getattr(capture.order, name), getattr(row, name)) for name in ("invoice_no", "delivered_on")}
    # What was given back is no longer on the lines, and a result row has no lines.
    if row.amount_fen and not row.refunded_fen:
        pairs["amount_fen"] = (expected, row.amount_fen)
    return [
        _differs(Fault.ORDER_DIFFERS, native, redemption_id, name, str(one), str(other))
        for name, (one, other) in pairs.items()
        if one != other
    ]


def _differs(fault: Fault, native: Native, redemption_id: str, name: str, expected: str, found: str) -> Difference:
    return Difference(fault, native.kind or "", native.native_id, native.file, native.line, redemption_id, name, expected, found)


def results(ledger: Mapping[str, LedgerRow], told: Sequence[RedemptionRow], partial: frozenset[str] | None = None) -> list[Difference]:
    """Compare the ledger with the result files, redemption by redemption, and their sums by issuer and state.

    `partial`: only these ids of the result files are compared, because the ledger was asked for a period.
    """
    rows = [of_result(row) for row in told if partial is None or row.redemption_id in partial]
    by_id = {row.redemption_id: row for row in rows}
    doubled = [redemption_id for redemption_id, count in Counter(row.redemption_id for row in rows).items() if count > 1]
    differences = [Difference(Fault.RESULT_DOUBLED, redemption_id=redemption_id) for redemption_id in doubled]
    for redemption_id, row in ledger.items():
        other = by_id.get(redemption_id)
        if other is None:
            differences.append(Difference(Fault.RESULT_MISSING, redemption_id=redemption_id, expected=f"{row.order_no} {row.state}"))
            continue
        for name in _COMPARED:
            one, two = getattr(row, name), getattr(other, name)
            if one != two:
                differences.append(
                    Difference(Fault.RESULT_DIFFERS, redemption_id=redemption_id, field=name, expected=str(one), found=str(two))
                )
    strange = [row for redemption_id, row in by_id.items() if redemption_id not in ledger]
    differences += [
        Difference(Fault.RESULT_UNKNOWN, redemption_id=row.redemption_id, found=f"{row.order_no} {row.state}") for row in strange
    ]
    return differences + _sums_differ(sums(ledger.values()), sums(rows))


def _sums_differ(ledger: Mapping[tuple[str, str], Sum], told: Mapping[tuple[str, str], Sum]) -> list[Difference]:
    differences = []
    for key in sorted({*ledger, *told}):
        one, two = ledger.get(key, Sum()), told.get(key, Sum())
        for name in ("count", "authorized_fen", "subsidy_fen", "refunded_fen"):
            if getattr(one, name) != getattr(two, name):
                what = f"{key[0]} {key[1]} {name}"
                differences.append(
                    Difference(Fault.SUM_DIFFERS, field=what, expected=str(getattr(one, name)), found=str(getattr(two, name)))
                )
    return differences


def outcomes(found: Account, memory: Memory, told: Sequence[OutcomeRow]) -> list[Difference]:
    """Compare the outcomes in the result files with those in memory, for the records delivered."""
    by_key = {(row.kind, row.native_id): row for row in told}
    counts = Counter((row.kind, row.native_id) for row in told)
    differences = [Difference(Fault.OUTCOME_DOUBLED, *key, found=str(count)) for key, count in counts.items() if count > 1]
    for key, known in memory.sent.items():
        if key not in found.known:
            continue
        row = by_key.get(key)
        expected = known.outcome or "UNANSWERED"
        if row is None:
            # What was withdrawn before it was sent has no answer, and so no outcome to tell.
            if not known.never_sent:
                differences.append(Difference(Fault.OUTCOME_MISSING, *key, known.file, known.line, expected=expected))
        elif row.outcome != expected:
            differences.append(
                Difference(Fault.OUTCOME_DIFFERS, *key, row.file, row.line, field="outcome", expected=expected, found=row.outcome)
            )
    strange = [key for key in by_key if key not in memory.sent]
    return differences + [Difference(Fault.OUTCOME_UNKNOWN, *key, found=by_key[key].outcome) for key in strange]
