"""Checks of the journal by itself: what each transfer may be, and the accounts that all of them together make."""

from __future__ import annotations

from hub.ledger.audit.sql import moved

# Most transfers move one note, and asking for a sum of one costs more than everything else here.
_NOTES_WRONG = """
(cardinality(notes) <> cardinality(note_amounts) OR cause <> 'PAY' AND CASE cardinality(note_amounts)
  WHEN 0 THEN amount <> 0 WHEN 1 THEN amount <> note_amounts[array_lower(note_amounts, 1)]
  ELSE NOT 0 < ALL (note_amounts) OR amount <> (SELECT sum(a) FROM unnest(note_amounts) AS a) END)"""

# Amounts of zero carry the change of a second year's quota (docs/adr/0002) and nothing else.
_KIND_WRONG = """
NOT (CASE cause
    WHEN 'ISSUE' THEN debit = 'appropriation' AND credit = 'outstanding'
    WHEN 'AUTHORIZE' THEN debit = 'outstanding' AND credit = 'reserved'
    WHEN 'RELEASE' THEN debit = 'reserved' AND (credit IN ('outstanding', 'returned') OR amount = 0)
    WHEN 'CLEAR' THEN debit = 'reserved' AND credit = 'payable'
    WHEN 'REFUND' THEN debit IN ('payable', 'paid') AND (credit IN ('outstanding', 'returned') OR amount = 0)
    WHEN 'PAY' THEN debit = 'payable' AND credit = 'paid'
    WHEN 'FORFEIT' THEN debit = 'outstanding' AND credit = 'returned'
    WHEN 'EXPIRE' THEN debit = 'outstanding' AND credit = 'returned'
    WHEN 'CANCEL' THEN debit = 'outstanding' AND credit = 'returned'
    ELSE false END
  AND (amount = 0) = (debit = credit)
  AND (redemption_id IS NULL) = (cause IN ('ISSUE', 'EXPIRE', 'CANCEL'))
  AND (provider <> '') = (amount > 0 AND cause IN ('AUTHORIZE', 'RELEASE', 'CLEAR', 'REFUND', 'PAY'))
  AND (payee <> '') = (amount > 0 AND cause IN ('CLEAR', 'REFUND', 'PAY'))
  AND (window_no > 0) = (amount > 0 AND cause IN ('CLEAR', 'REFUND'))
  AND CASE WHEN cause = 'AUTHORIZE' THEN committed = amount AND quota >= 0
    WHEN cause IN ('RELEASE', 'REFUND') THEN committed <= 0 AND quota <= 0 ELSE committed = 0 AND quota = 0 END)"""

_TRANSFERS = f"""
SELECT 'transfers', concat(seq, ': none is like this: ', cause, ' of ', amount, ' from ', debit, ' to ', credit, ', committed ', committed,
  ', quota ', quota, ', payee ', payee, ', window ', window_no, ', order ', provider, '/', order_no, ', redemption ', redemption_id)
FROM journal WHERE {_KIND_WRONG}
UNION ALL SELECT 'notes of a transfer add up',
  concat(seq, ': ', cardinality(notes), ' notes with ', (SELECT sum(a) FROM unnest(note_amounts) AS a), ', not ', amount)
FROM journal WHERE {_NOTES_WRONG}"""

# One way through the journal for all that is of accounts: what is added up below are some sums of each issuer and payee.
_ACCOUNTS = f"""
WITH moves AS MATERIALIZED (
  SELECT issuer, debit, credit, payee, seq <= (SELECT until_seq FROM account_sum_until) AS closed, sum(amount) AS amount
  FROM journal GROUP BY 1, 2, 3, 4, 5),
sides AS (
  SELECT issuer, credit AS account, payee, closed, amount FROM moves UNION ALL SELECT issuer, debit, payee, closed, -amount FROM moves),
negative AS (
  SELECT issuer, account, CASE account WHEN 'payable' THEN payee ELSE '' END AS payee, sum(amount) AS amount FROM sides
  WHERE account <> 'appropriation' GROUP BY 1, 2, 3 HAVING sum(amount) < 0),
closed AS (SELECT issuer, account, sum(amount) AS amount FROM sides WHERE closed GROUP BY issuer, account),
books AS (
  SELECT issuer, {moved("amount", "= 'outstanding'")} AS outstanding, {moved("amount", "= 'reserved'")} AS reserved,
    {moved("amount", "IN ('payable', 'paid')")} AS redeemed, {moved("amount", "= 'returned'")} AS returned
  FROM moves GROUP BY issuer),
held AS (
  SELECT issuer, sum(available) AS outstanding, sum(reserved) AS reserved, sum(redeemed) AS redeemed, sum(returned) AS returned
  FROM voucher GROUP BY issuer)
SELECT 'accounts not negative', concat(concat_ws('/', issuer, account, nullif(payee, '')), ' is ', amount) FROM negative
UNION ALL SELECT 'closed sums', concat(issuer, '/', account, ': kept ', a.amount, ', derived ', d.amount)
FROM account_sum AS a FULL JOIN closed AS d USING (issuer, account) WHERE coalesce(a.amount, 0) <> coalesce(d.amount, 0)
UNION ALL SELECT 'trial balance', concat(issuer, ': accounts ', (b.outstanding, b.reserved, b.redeemed, b.returned)::text, ', notes ',
  (h.outstanding, h.reserved, h.redeemed, h.returned)::text)
FROM books AS b FULL JOIN held AS h USING (issuer)
WHERE (b.outstanding, b.reserved, b.redeemed, b.returned) IS DISTINCT FROM (h.outstanding, h.reserved, h.redeemed, h.returned)"""

PASSES = (
    (("transfers", "notes of a transfer add up"), _TRANSFERS),
    (("accounts not negative", "closed sums", "trial balance"), _ACCOUNTS),
)
