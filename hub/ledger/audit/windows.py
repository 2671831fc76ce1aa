"""Checks of settlement windows: what each comes to by its transfers, what is owed, carried and settled (docs/rules.md T1-T3)."""

from __future__ import annotations

from hub.ledger.audit.sql import TERMS, differences, found

# Each movement is split by itself, floored in magnitude, and the rest is the issuer's: sums of movements would be split otherwise.
_PART = """
CASE WHEN s.bp = 10000 THEN j.amount::numeric WHEN s.bp IS NOT NULL THEN div(j.amount::numeric * s.bp, 10000)
  ELSE j.amount - (SELECT sum(div(j.amount::numeric * bp, 10000)) FROM unnest(s.all_bp) AS bp) END"""

_SUMS = f"""
shares AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(shares)s) AS s(policy_id bigint, division text, bp int, all_bp int[])),
sums AS MATERIALIZED (
  SELECT j.issuer, j.window_no, r.payee, s.division AS funder, left(r.acquirer, 2) || '0000' AS home,
    t.net AND r.payee_kind = 'PROVIDER' AS net,
    coalesce(sum({_PART}) FILTER (WHERE j.credit = 'payable'), 0) - coalesce(sum({_PART}) FILTER (WHERE j.credit <> 'payable'), 0) AS amount
  FROM journal AS j JOIN redemption AS r USING (redemption_id) JOIN terms AS t USING (policy_id) JOIN shares AS s USING (policy_id)
  WHERE j.window_no > 0 AND j.cause IN ('CLEAR', 'REFUND') GROUP BY 1, 2, 3, 4, 5, 6),
closed AS MATERIALIZED (SELECT c.window_id, s.* FROM sums AS s JOIN window_issuer AS c USING (issuer, window_no))"""

_DEBTS = """
debts AS MATERIALIZED (
  SELECT window_id, CASE WHEN net THEN home ELSE funder END AS debtor, payee AS creditor, sum(amount) AS amount
  FROM closed GROUP BY 1, 2, 3),
pairs AS MATERIALIZED (
  SELECT debtor, creditor, sum(amount) AS amount, min(amount) < 0 AS mixed, count(*) AS windows FROM debts GROUP BY 1, 2)"""

# Where a pair has sums below zero, what it owes rests on the order of the closings. That is the order of the numbers of an issuer whose
# windows all of them closed; instants count for nothing (docs/adr/0016) but where they disagree the order is taken to be unknown.
_ORDERED = """
numbered AS (
  SELECT d.*, c.issuer, row_number() OVER by_number AS place,
    row_number() OVER by_number = row_number() OVER (PARTITION BY debtor, creditor, c.issuer ORDER BY w.closed_at, c.window_no) AS agrees,
    count(*) OVER (PARTITION BY debtor, creditor, c.issuer) = p.windows AS common
  FROM debts AS d JOIN pairs AS p USING (debtor, creditor) JOIN window_issuer AS c USING (window_id)
    JOIN settlement_window AS w USING (window_id)
  WHERE p.mixed WINDOW by_number AS (PARTITION BY debtor, creditor, c.issuer ORDER BY c.window_no)),
chosen AS (
  SELECT debtor, creditor, min(issuer) AS issuer FROM numbered WHERE common GROUP BY debtor, creditor HAVING bool_and(agrees)),
running AS (
  SELECT n.*, sum(amount) OVER (PARTITION BY debtor, creditor ORDER BY place) AS until
  FROM numbered AS n JOIN chosen USING (debtor, creditor, issuer) WHERE common),
highest AS (SELECT *, greatest(0, max(until) OVER (PARTITION BY debtor, creditor ORDER BY place)) AS high FROM running),
ordered AS MATERIALIZED (
  SELECT window_id, debtor, creditor, high - coalesce(lag(high) OVER (PARTITION BY debtor, creditor ORDER BY place), 0) AS amount
  FROM highest)"""

_OWED = """
owed AS (
  SELECT window_id, debtor, creditor, o.amount AS kept,
    CASE WHEN NOT coalesce(p.mixed, false) THEN coalesce(d.amount, 0)
      ELSE coalesce(e.amount, least(coalesce(o.amount, 0), greatest(d.amount, 0))) END AS derived
  FROM obligation AS o FULL JOIN debts AS d USING (window_id, debtor, creditor)
    LEFT JOIN ordered AS e USING (window_id, debtor, creditor) LEFT JOIN pairs AS p USING (debtor, creditor)),
books AS (
  SELECT debtor, creditor, p.amount AS derived, coalesce(o.amount, 0) + coalesce(c.amount, 0) AS kept
  FROM pairs AS p FULL JOIN (SELECT debtor, creditor, sum(amount) AS amount FROM obligation GROUP BY 1, 2) AS o USING (debtor, creditor)
    FULL JOIN carry AS c USING (debtor, creditor)),
positions AS (
  SELECT window_id, division, sum(amount) AS amount FROM (
    SELECT window_id, funder AS division, -amount AS amount FROM closed WHERE net
    UNION ALL SELECT window_id, home, amount FROM closed WHERE net) AS sides GROUP BY 1, 2)"""

_WINDOWS = (
    f"""
WITH {TERMS}, {_SUMS}, {_DEBTS}, {_ORDERED}, {_OWED},
open AS (
  SELECT issuer, coalesce(o.window_no, 1) AS window_no
  FROM (SELECT DISTINCT issuer FROM sums) AS s LEFT JOIN open_window AS o USING (issuer))
SELECT 'windows', concat(s.issuer, '/', s.window_no, ': transfers of ', sum(abs(s.amount)), ' fen, but window ', o.window_no, ' is open')
FROM sums AS s JOIN open AS o USING (issuer) LEFT JOIN window_issuer AS c ON c.issuer = s.issuer AND c.window_no = s.window_no
WHERE c.window_id IS NULL AND s.window_no <> o.window_no GROUP BY s.issuer, s.window_no, o.window_no
UNION ALL SELECT 'windows', concat(issuer, '/', window_no, ': open, and closed by ', c.window_id)
FROM open JOIN window_issuer AS c USING (issuer, window_no)
UNION ALL """
    + found("obligations", "concat_ws('/', window_id, debtor, creditor)", differences(("amount", "coalesce(kept, 0)", "derived")), "owed")
    + """
UNION ALL """
    + found(
        "obligations and carries",
        "concat_ws('/', debtor, creditor)",
        differences(("obligations and carry", "kept", "coalesce(derived, 0)")),
        "books",
    )
    + """
UNION ALL """
    + found(
        "net positions",
        "concat_ws('/', window_id, division)",
        differences(("amount", "coalesce(k.amount, 0)", "coalesce(p.amount, 0)")),
        "net_position AS k FULL JOIN positions AS p USING (window_id, division)",
    )
)

# A cleared redemption is settled with its window, once nothing is owed to its payee there any more, and not before (docs/rules.md T3).
_SETTLED = """
WITH unpaid AS (SELECT DISTINCT window_id, creditor FROM obligation WHERE paid_at IS NULL),
groups AS (
  SELECT issuer, window_no, payee, state, count(*) AS redemptions FROM redemption WHERE state IN ('CLEARED', 'SETTLED') GROUP BY 1, 2, 3, 4)
""" + found(
    "settled windows",
    "concat(coalesce(w.window_id::text, concat(issuer, '/', window_no)), '/', payee, ': ', redemptions, ' redemptions')",
    differences(("state", "state", "CASE WHEN w.window_id IS NULL OR u.creditor IS NOT NULL THEN 'CLEARED' ELSE 'SETTLED' END")),
    "groups LEFT JOIN window_issuer AS w USING (issuer, window_no) "
    "LEFT JOIN unpaid AS u ON u.window_id = w.window_id AND u.creditor = payee",
)

PASSES = (
    (("windows", "obligations", "obligations and carries", "net positions"), _WINDOWS),
    (("settled windows",), _SETTLED),
)
