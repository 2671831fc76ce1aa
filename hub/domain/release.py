"""Moving a redemption's money: release, clearing, forfeit (docs/rules.md, Capture; C8, residual). Shared by the commands."""

from __future__ import annotations

from datetime import date

from hub.domain.decision import Decision
from hub.domain.drawing import GivenBack, give_back
from hub.domain.model import InvoiceUse, OrderState, Redemption, State, Wallet
from hub.domain.policy import Policy, QuotaBasis, RefundTarget, Residual
from hub.domain.posting import Account, Cause, Transfer
from hub.domain.reasons import SCOPE_CLAUSE, TRIAL_CLAUSE, step
from hub.domain.snapshot import Snapshot


def parts(snapshot: Snapshot) -> tuple[Redemption, Policy, Wallet, OrderState]:
    """Return what every command on a redemption needs; the loader guarantees their presence."""
    redemption, policy, wallet, order = snapshot.redemption, snapshot.policy, snapshot.wallet, snapshot.order
    assert redemption is not None and policy is not None and wallet is not None and order is not None
    return redemption, policy, wallet, order


def changing(decision: Decision, redemption: Redemption) -> Redemption:
    """Return the redemption as the decision leaves it, to be changed further. What was loaded stays as it is until the ledger applies
    the decision."""
    if decision.redemption is None:
        decision.redemption = redemption.copied()
    return decision.redemption


def release(snapshot: Snapshot, decision: Decision, amount: int, state: State, cause: Cause, today: date) -> None:
    """Release `amount` of the reservation to where it came from and put the redemption in `state` (rules.md C6, C8)."""
    redemption, policy, wallet, order = parts(snapshot)
    current = changing(decision, redemption)
    back = give_back(wallet, current.draws, amount, today)
    _post_back(decision, redemption, policy, back, amount, Account.RESERVED, cause)
    decision.counts.extend(back.uncounted)
    decision.released += amount
    current.draws, current.subsidy, current.state = back.remaining, current.subsidy - amount, state
    decision.order = uncommit(decision.order or order, redemption.wallet.issuer, amount)


def uncommit(order: OrderState, issuer: str, amount: int) -> OrderState:
    """Return the order with `amount` less committed by `issuer`."""
    left = order.committed.get(issuer, 0) - amount
    committed = {key: value for key, value in order.committed.items() if key != issuer}
    if left:
        committed[issuer] = left
    return OrderState(order.key, order.enterprise, order.lines, committed)


def _post_back(
    decision: Decision, redemption: Redemption, policy: Policy, back: GivenBack, amount: int, debit: Account, cause: Cause
) -> None:
    """Write the transfers of an amount given back: to live notes, and to the issuer for the rest. The quota falls with it."""
    quota = _quota_changes(redemption, policy, back, amount)
    uncommitted = amount
    for notes, credit in ((back.to_notes, Account.OUTSTANDING), (back.to_issuer, Account.RETURNED)):
        if not notes:
            continue
        total = sum(part for _, part in notes)
        year, change = quota.pop(0) if quota else (0, 0)
        decision.transfers.append(
            Transfer(
                cause=cause,
                debit=debit,
                credit=credit,
                amount=total,
                wallet=redemption.wallet,
                notes=notes,
                payee=redemption.payee if debit in (Account.PAYABLE, Account.PAID) else "",
                redemption_id=redemption.redemption_id,
                order=redemption.order,
                committed=-uncommitted,
                quota_year=year,
                quota=change,
                windowed=debit in (Account.PAYABLE, Account.PAID),
            )
        )
        uncommitted = 0
    # Under FACE a redemption may touch notes counted in different years; each year's change needs a transfer to carry it.
    for year, change in quota:
        decision.transfers.append(
            Transfer(cause, debit, debit, 0, redemption.wallet, redemption_id=redemption.redemption_id, quota_year=year, quota=change)
        )


def _quota_changes(redemption: Redemption, policy: Policy, back: GivenBack, amount: int) -> list[tuple[int, int]]:
    """Return what the quota used changes by, per year: under OFFSET the amount in the redemption's year, and under either basis the
    faces that stop counting. An issuer may change the basis from one policy to the next, so a note may have been counted by another
    redemption than the one that lets go of it last."""
    changes = {year: -face for year, face in back.face_uncounted.items()}
    if policy.quota_basis is QuotaBasis.OFFSET and amount:
        changes[redemption.quota_year] = changes.get(redemption.quota_year, 0) - amount
    return sorted(changes.items())


def clear(snapshot: Snapshot, decision: Decision, today: date) -> None:
    """Move what is still reserved to the payee, and forfeit the undrawn rest where the policy says so (residual)."""
    redemption, policy, wallet, _ = parts(snapshot)
    current = changing(decision, redemption)
    current.state = State.CLEARED
    decision.transfers.append(
        Transfer(
            cause=Cause.CLEAR,
            debit=Account.RESERVED,
            credit=Account.PAYABLE,
            amount=current.subsidy,
            wallet=redemption.wallet,
            notes=tuple([(draw.note_id, draw.amount) for draw in current.draws]),
            payee=redemption.payee,
            redemption_id=redemption.redemption_id,
            order=redemption.order,
            windowed=True,
        )
    )
    decision.reasons.append(
        step(
            rule="C1",
            zh="核定金额转为应付",
            en="the captured amount is now owed to the payee",
            policy_version=policy.version,
            clause=SCOPE_CLAUSE,
            facts=(("cleared_fen", current.subsidy),),
        )
    )
    if policy.residual is Residual.FORFEIT:
        _forfeit(decision, redemption, wallet, current)


def _forfeit(decision: Decision, redemption: Redemption, wallet: Wallet, current: Redemption) -> None:
    released = {
        note: amount for transfer in decision.transfers if transfer.credit is Account.OUTSTANDING for note, amount in transfer.notes
    }
    rest = []
    for draw in current.draws:
        left = wallet.note(draw.note_id).available + released.get(draw.note_id, 0)
        if left > 0:
            rest.append((draw.note_id, left))
    total = sum(left for _, left in rest)
    if not total:
        return
    decision.forfeited = total
    decision.transfers.append(
        Transfer(
            cause=Cause.FORFEIT,
            debit=Account.OUTSTANDING,
            credit=Account.RETURNED,
            amount=total,
            wallet=redemption.wallet,
            notes=tuple(rest),
            redemption_id=redemption.redemption_id,
        )
    )
    decision.reasons.append(
        step(
            rule="residual",
            zh="不找零:已抵用券的余额退回发券地",
            en="no change is given: the rest of the notes drawn returns to the issuer",
            clause=TRIAL_CLAUSE,
            facts=(("forfeited_fen", total),),
        )
    )


def take_back(snapshot: Snapshot, decision: Decision, amount: int, refunds: tuple[int, ...], today: date) -> None:
    """Take `amount` of a cleared or settled subsidy back to the issuer or the voucher (rules.md C7, C8)."""
    redemption, policy, wallet, order = parts(snapshot)
    debit = Account.PAID if redemption.state is State.SETTLED else Account.PAYABLE
    back = give_back(wallet, redemption.draws, amount, today, to_notes=policy.refund is RefundTarget.TO_VOUCHER)
    _post_back(decision, redemption, policy, back, amount, debit, Cause.REFUND)
    decision.counts.extend(back.uncounted)
    decision.returned = amount
    current = changing(decision, redemption)
    current.draws, current.line_refunds = back.remaining, refunds
    current.subsidy -= amount
    current.refunded += amount
    if current.subsidy == 0:
        current.state = State.REFUNDED
    decision.order = uncommit(order, redemption.wallet.issuer, amount)


def invoice_use(redemption: Redemption, invoice_no: str) -> InvoiceUse:
    """Return the record that an invoice serves a redemption (rules.md C3)."""
    return InvoiceUse(redemption.wallet.issuer, redemption.redemption_id, redemption.order.order_no)
