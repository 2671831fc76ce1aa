"""Turning cleared redemptions SETTLED (rules.md T3, T4): set-based, in the transaction of the payment or the closing."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text

from hub.application.transaction import Transaction
from hub.codec import encode, events
from hub.domain.clock import local_date
from hub.domain.posting import Account, Cause
from hub.domain.reasons import Reason
from hub.ledger import reading

# Locked in id order over all payees, as every other command on redemptions does; no wallet or order is touched, so there is no circle.
_LOCK = """
SELECT redemption_id FROM redemption WHERE state = 'CLEARED' AND redemption_id IN (
  SELECT j.redemption_id FROM journal AS j JOIN window_issuer AS w ON w.issuer = j.issuer AND w.window_no = j.window_no
  WHERE w.window_id = :w AND j.window_no > 0 AND j.payee = ANY(CAST(:payees AS text[])) AND j.cause = 'CLEAR')
ORDER BY redemption_id FOR UPDATE"""

_SETTLE = """
UPDATE redemption SET state = 'SETTLED', settled_on = greatest(CAST(:today AS date), delivered_on)
WHERE redemption_id = ANY(CAST(:ids AS uuid[]))"""

_POST = f"""
INSERT INTO journal (at, cause, debit, credit, amount, issuer, enterprise, notes, note_amounts, payee, redemption_id, provider,
  order_no, committed, quota_year, quota, window_no)
SELECT :at, '{Cause.PAY.value}', '{Account.PAYABLE.value}', '{Account.PAID.value}', subsidy, issuer, enterprise, '{{}}', '{{}}', payee,
  redemption_id, provider, order_no, 0, 0, 0, 0
FROM redemption WHERE redemption_id = ANY(CAST(:ids AS uuid[])) ORDER BY redemption_id"""


async def settle_payees(tx: Transaction, window_id: str, payees: Collection[str]) -> int:
    """Settle every cleared redemption of a window to these payees; return how many. The date is no earlier than the delivery."""
    locked = (await tx.session.execute(text(_LOCK), {"w": window_id, "payees": sorted(payees)})).scalars().all()
    if not locked:
        return 0
    ids = [str(item) for item in locked]
    await tx.session.execute(text(_SETTLE), {"ids": ids, "today": local_date(tx.now)})
    await tx.session.execute(text(_POST), {"ids": ids, "at": tx.now})
    reason = Reason(rule="T3", zh="结算期内应付已结清", en="everything owed to the payee in the window is paid")
    steps = encode.reasons([reason])
    for item, window in await reading.redemptions(tx.session, "r.redemption_id = ANY(CAST(:ids AS uuid[]))", {"ids": ids}, len(ids)):
        told = encode.redemption_field(item, window)
        for event in events.redemption_changed(item, told, "Settle", steps, tx.now):
            tx.emit(event)
    return len(ids)
