"""Settlement: closing windows, payments, positions (rules.md T1-T4)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text

from hub.application.settling import settle_payees
from hub.application.transaction import Transaction, UseCase
from hub.codec import encode, events
from hub.codec.fields import Fields
from hub.domain.caller import Caller, Role
from hub.domain.divisions import contains, province_of
from hub.domain.model import PayeeKind
from hub.domain.participation import outsider
from hub.domain.refusals import Refusal, RefusalCode, invalid_state, not_permitted
from hub.domain.settlement import Closing, Debt, Movement, close
from hub.ledger import reading
from hub.ledger.lookups import WINDOW_LOCK
from yrd.settlement.v1 import settlement_pb2 as pb

_WINDOW_NAMESPACE = UUID("9c1f6c1e-58a3-4f0e-9a55-3b9d1d6b7a10")

_MOVEMENTS = """
SELECT r.policy_id, r.payee, r.payee_kind, r.acquirer,
  CASE WHEN j.credit = 'payable' THEN j.amount ELSE -j.amount END
FROM journal AS j JOIN redemption AS r USING (redemption_id)
WHERE (j.issuer, j.window_no) IN (SELECT * FROM unnest(CAST(:issuers AS text[]), CAST(:numbers AS bigint[])))
  AND j.cause IN ('CLEAR', 'REFUND')"""


async def close_window(
    tx: Transaction, request: pb.CloseWindowRequest, provinces: Collection[str] | None = None
) -> pb.CloseWindowResponse | Refusal:
    """Close the open windows of issuers into one settlement window (rules.md T1, T2).

    NOT_PERMITTED for others than the coordination group and the issuers' platforms; PARTICIPANT_NOT_FOUND where an issuer is of none of
    `provinces`, unless that is None.

    The exclusive lock waits for every clearing in flight and keeps new ones out until the commit, so a window closes drained.
    """
    fields = Fields()
    for index, issuer in enumerate(request.issuers):
        fields.division(f"issuers[{index}]", issuer)
    if fields.refusal is not None:
        return fields.refusal
    if any(not _may_close(tx.caller, issuer) for issuer in request.issuers):
        return not_permitted("仅协调组或发券地平台可以关闭结算期", "only the coordination group or the issuer's platform closes")
    if provinces is not None:
        refusal = outsider(((f"issuers[{index}]", issuer) for index, issuer in enumerate(request.issuers)), provinces)
        if refusal is not None:
            return refusal
    issuers = sorted(set(request.issuers)) or await _closable(tx)
    numbers = await _advance_windows(tx, issuers)
    movements = await _movements(tx, numbers)
    carried = {Debt(debtor, creditor): amount for debtor, creditor, amount in (await tx.session.execute(text(_CARRIES))).all()}
    closing = close(movements, await reading.policies(tx.session), carried)
    window_id = str(uuid5(_WINDOW_NAMESPACE, f"{tx.caller.participant_id}/{request.request_id}"))
    await _store(tx, window_id, numbers, closing)
    window = _window(window_id, numbers, closing, tx.now)
    _tell(tx, window)
    owed = {debt.creditor for debt in closing.obligations}
    # Nothing is owed to the others: carried refunds offset it, and their redemptions are settled now (rules.md T3).
    await settle_payees(tx, window_id, closing.payees - owed)
    return pb.CloseWindowResponse(window=window)


_CARRIES = "SELECT debtor, creditor, amount FROM carry"


def _may_close(caller: Caller, issuer: str) -> bool:
    return caller.role is Role.COORDINATOR or caller.acts_for(issuer)


async def _closable(tx: Transaction) -> list[str]:
    found = (await tx.session.execute(text("SELECT DISTINCT issuer FROM policy ORDER BY issuer"))).scalars().all()
    return [issuer for issuer in found if _may_close(tx.caller, issuer)]


async def _advance_windows(tx: Transaction, issuers: list[str]) -> dict[str, int]:
    """Lock each issuer's window exclusively, in order, close it and open the next; return the numbers closed."""
    numbers: dict[str, int] = {}
    # One closing at a time: what is carried belongs to pairs of debtor and creditor, which different issuers may share.
    await tx.session.execute(text("SELECT pg_advisory_xact_lock(:space, 0)"), {"space": WINDOW_LOCK})
    for issuer in issuers:
        await tx.session.execute(text("SELECT pg_advisory_xact_lock(:space, :issuer)"), {"space": WINDOW_LOCK, "issuer": int(issuer)})
    for issuer in issuers:
        statement = text(
            "INSERT INTO open_window AS w (issuer, window_no) VALUES (:issuer, 2) "
            "ON CONFLICT (issuer) DO UPDATE SET window_no = w.window_no + 1 RETURNING window_no - 1"
        )
        numbers[issuer] = (await tx.session.execute(statement, {"issuer": issuer})).scalar_one()
    return numbers


async def _movements(tx: Transaction, numbers: dict[str, int]) -> list[Movement]:
    parameters = {"issuers": list(numbers), "numbers": list(numbers.values())}
    found = (await tx.session.execute(text(_MOVEMENTS), parameters)).all()
    return [Movement(policy, payee, PayeeKind(kind), home, amount) for policy, payee, kind, home, amount in found]


async def _store(tx: Transaction, window_id: str, numbers: dict[str, int], closing: Closing) -> None:
    execute = tx.session.execute
    head = {"w": window_id, "at": tx.now, "by": tx.caller.participant_id}
    await execute(text("INSERT INTO settlement_window (window_id, closed_at, closed_by) VALUES (:w, :at, :by)"), head)
    if numbers:
        await execute(
            text("INSERT INTO window_issuer (window_id, issuer, window_no) VALUES (:w, :issuer, :no)"),
            [{"w": window_id, "issuer": issuer, "no": number} for issuer, number in numbers.items()],
        )
    if closing.obligations:
        await execute(
            text("INSERT INTO obligation (window_id, debtor, creditor, amount) VALUES (:w, :debtor, :creditor, :amount)"),
            [{"w": window_id, **debt._asdict(), "amount": amount} for debt, amount in sorted(closing.obligations.items())],
        )
    if closing.positions:
        await execute(
            text("INSERT INTO net_position (window_id, division, amount) VALUES (:w, :division, :amount)"),
            [{"w": window_id, "division": division, "amount": amount} for division, amount in sorted(closing.positions.items())],
        )
    for debt, amount in sorted(closing.carries.items()):
        if amount:
            statement = (
                "INSERT INTO carry (debtor, creditor, amount) VALUES (:debtor, :creditor, :amount) "
                "ON CONFLICT (debtor, creditor) DO UPDATE SET amount = excluded.amount"
            )
        else:
            statement = "DELETE FROM carry WHERE debtor = :debtor AND creditor = :creditor"
        await execute(text(statement), {**debt._asdict(), **({"amount": amount} if amount else {})})


def _window(window_id: str, numbers: dict[str, int], closing: Closing, now: datetime) -> pb.Window:
    return pb.Window(
        window_id=window_id,
        issuers=sorted(numbers),
        closed_at=encode.timestamp(now),
        obligations=[
            pb.Obligation(debtor=debt.debtor, creditor=debt.creditor, amount_fen=amount, state=pb.OBLIGATION_STATE_DUE)
            for debt, amount in sorted(closing.obligations.items())
        ],
        positions=[pb.Position(division=division, amount_fen=amount) for division, amount in sorted(closing.positions.items())],
    )


def _part(window: pb.Window, wanted: Callable[[str], bool]) -> pb.Window:
    """Return the part of a window that concerns the divisions wanted: what they owe and their own positions."""
    part = pb.Window(window_id=window.window_id, issuers=window.issuers, closed_at=window.closed_at)
    part.obligations.extend(item for item in window.obligations if wanted(item.debtor))
    part.positions.extend(item for item in window.positions if wanted(item.division))
    return part


def _tell(tx: Transaction, window: pb.Window) -> None:
    divisions = [*window.issuers, *(item.debtor for item in window.obligations), *(item.division for item in window.positions)]
    for province in sorted({province_of(division) for division in divisions}):
        tx.emit(events.window_closed(province, _part(window, partial(contains, province))))


async def get_window(tx: Transaction, request: pb.GetWindowRequest) -> pb.GetWindowResponse | Refusal:
    """Return a closed window, as far as it concerns the caller."""
    fields = Fields()
    window_id = fields.uuid("window_id", request.window_id)
    if fields.refusal is not None:
        return fields.refusal
    window = await _read_window(tx, window_id)
    if window is None:
        return Refusal(RefusalCode.WINDOW_NOT_FOUND)
    return pb.GetWindowResponse(window=_part(window, tx.caller.sees))


async def _read_window(tx: Transaction, window_id: str) -> pb.Window | None:
    execute, key = tx.session.execute, {"w": window_id}
    closed_at = await reading.one(tx.session, "SELECT closed_at FROM settlement_window WHERE window_id = :w", key)
    if closed_at is None:
        return None
    issuers = (await execute(text("SELECT issuer FROM window_issuer WHERE window_id = :w ORDER BY issuer"), key)).scalars().all()
    window = pb.Window(window_id=window_id, issuers=issuers, closed_at=encode.timestamp(closed_at))
    owed = "SELECT debtor, creditor, amount, paid_at FROM obligation WHERE window_id = :w ORDER BY debtor, creditor"
    for debtor, creditor, amount, paid_at in (await execute(text(owed), key)).all():
        window.obligations.add(debtor=debtor, creditor=creditor, amount_fen=amount, state=_obligation_state(paid_at))
    positions = "SELECT division, amount FROM net_position WHERE window_id = :w ORDER BY division"
    for division, amount in (await execute(text(positions), key)).all():
        window.positions.add(division=division, amount_fen=amount)
    return window


def _obligation_state(paid_at: datetime | None) -> Any:
    return pb.OBLIGATION_STATE_DUE if paid_at is None else pb.OBLIGATION_STATE_PAID


_LOCK_OBLIGATIONS = """
SELECT debtor, amount, paid_at FROM obligation WHERE window_id = :w AND creditor = :creditor ORDER BY debtor FOR UPDATE"""


async def confirm_payment(tx: Transaction, request: pb.ConfirmPaymentRequest) -> pb.ConfirmPaymentResponse | Refusal:
    """Confirm that an obligation was paid; when all to the payee are, its redemptions of the window are settled (rules.md T3)."""
    fields = Fields()
    window_id = fields.uuid("window_id", request.window_id)
    fields.division("debtor", request.debtor)
    fields.uscc("creditor", request.creditor)
    fields.positive_fen("amount_fen", request.amount_fen)
    if fields.refusal is not None:
        return fields.refusal
    if not tx.caller.acts_for(request.debtor):
        return not_permitted("仅付款方平台可以确认付款", "only the debtor's platform confirms a payment")
    key = {"w": window_id, "creditor": request.creditor}
    found = {row[0]: row for row in (await tx.session.execute(text(_LOCK_OBLIGATIONS), key)).all()}
    if request.debtor not in found:
        exists = await reading.one(tx.session, "SELECT true FROM settlement_window WHERE window_id = :w", {"w": window_id})
        return Refusal(RefusalCode.OBLIGATION_NOT_FOUND if exists else RefusalCode.WINDOW_NOT_FOUND)
    _, amount, paid_at = found[request.debtor]
    if paid_at is not None:
        return invalid_state("该笔应付已确认付款", "the obligation is paid already")
    if request.amount_fen != amount:
        return _mismatch(request.amount_fen, amount)
    statement = text("UPDATE obligation SET paid_at = :at WHERE window_id = :w AND creditor = :creditor AND debtor = :debtor")
    await tx.session.execute(statement, {**key, "debtor": request.debtor, "at": tx.now})
    settled = 0
    if all(row[2] is not None or debtor == request.debtor for debtor, row in found.items()):
        settled = await settle_payees(tx, window_id, [request.creditor])
    obligation = pb.Obligation(debtor=request.debtor, creditor=request.creditor, amount_fen=amount, state=pb.OBLIGATION_STATE_PAID)
    homes = {province_of(request.debtor)}
    home = await reading.provider_home(tx.session, request.creditor) or await reading.division_of(tx.session, request.creditor)
    if home is not None:
        homes.add(province_of(home))
    for province in sorted(homes):
        tx.emit(events.obligation_paid(province, window_id, obligation, tx.now))
    return pb.ConfirmPaymentResponse(obligation=obligation, redemptions_settled=settled)


def _mismatch(got: int, owed: int) -> Refusal:
    return Refusal(
        RefusalCode.AMOUNT_MISMATCH,
        metadata=(("amount_fen", str(got)), ("obligation_fen", str(owed))),
        detail_zh=f"确认金额 {got} 分与应付 {owed} 分不符",
        detail_en=f"{got} fen confirmed, {owed} fen owed",
    )


async def get_issuer_position(tx: Transaction, request: pb.GetIssuerPositionRequest) -> pb.GetIssuerPositionResponse | Refusal:
    """Return the balances of an issuer's accounts, from its journal."""
    fields = Fields()
    issuer = fields.division("issuer", request.issuer)
    if fields.refusal is not None:
        return fields.refusal
    if not tx.caller.sees(issuer):
        return not_permitted("仅发券地平台可以查询", "only the issuer's platform may look")
    sums = await reading.account_sums(tx.session, issuer)
    return pb.GetIssuerPositionResponse(
        appropriation_used_fen=-sums.get("appropriation", 0),
        outstanding_fen=sums.get("outstanding", 0),
        reserved_fen=sums.get("reserved", 0),
        payable_fen=sums.get("payable", 0),
        paid_fen=sums.get("paid", 0),
        returned_fen=sums.get("returned", 0),
    )


_RECEIVABLE = "SELECT coalesce(sum(subsidy), 0) FROM redemption WHERE payee = :payee AND provider = :payee AND state = 'CLEARED'"
_RECEIVED = "SELECT coalesce(sum(amount), 0) FROM obligation WHERE creditor = :payee AND paid_at IS NOT NULL"


async def get_provider_position(tx: Transaction, request: pb.GetProviderPositionRequest) -> pb.GetProviderPositionResponse | Refusal:
    """Return what a provider is owed and has received."""
    fields = Fields()
    provider = fields.uscc("provider", request.provider)
    if fields.refusal is not None:
        return fields.refusal
    home = await reading.provider_home(tx.session, provider)
    if home is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    if not tx.caller.sees(home):
        return not_permitted("仅服务机构所在地平台可以查询", "only the provider's home platform may look")
    return pb.GetProviderPositionResponse(
        receivable_fen=int(await reading.one(tx.session, _RECEIVABLE, {"payee": provider})),
        received_fen=int(await reading.one(tx.session, _RECEIVED, {"payee": provider})),
    )


def methods(provinces: Collection[str]) -> dict[str, UseCase]:
    """Return the use cases by the full name of their RPC. `provinces` are those that take part."""
    return {
        "yrd.settlement.v1.SettlementService.CloseWindow": partial(close_window, provinces=provinces),
        "yrd.settlement.v1.SettlementService.GetWindow": get_window,
        "yrd.settlement.v1.SettlementService.ConfirmPayment": confirm_payment,
        "yrd.settlement.v1.SettlementService.GetIssuerPosition": get_issuer_position,
        "yrd.settlement.v1.SettlementService.GetProviderPosition": get_provider_position,
    }
