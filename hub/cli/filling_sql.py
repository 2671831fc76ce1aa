"""One chunk of a fill as set-based SQL: what the hub itself would have written, had it cleared these redemptions one by one.

Every statement takes the same named parameters (`hub.cli.filling.Chunk`). A chunk is complete in itself: its notes are issued, drawn,
cleared, paid and expired inside it, and its redemptions settle in a window of their own.
"""

from __future__ import annotations

FIRM = "CREATE TEMP TABLE bench_firm (n bigint PRIMARY KEY, issuer text, uscc text)"
LAB = "CREATE TEMP TABLE bench_lab (n bigint PRIMARY KEY, home text, uscc text)"
POLICY = """
CREATE TEMP TABLE bench_policy AS
SELECT p.issuer, p.policy_id, m.post, m.net FROM policy AS p
JOIN unnest(%s::text[], %s::bool[], %s::bool[]) AS m(issuer, post, net) ON m.issuer = p.issuer WHERE p.version = %s"""

# Redemption k of the chunk belongs to unit k % units, which is one firm's ten notes and its up to twenty redemptions, two a note.
# The multipliers only scatter: amounts, states and providers need to look random and be the same every time.
DRAFT = """
CREATE TEMP TABLE draft ON COMMIT DROP AS
WITH spread AS (
  SELECT k, %(first)s + k AS i, %(first_unit)s + k %% %(units)s AS unit, k / %(units)s AS j,
    20000 + ((%(first)s + k - (k / %(units)s %% 2) * %(units)s) * 104729) %% 40001 AS pair_first,
    ((%(first)s + k) * 7919 + (%(first)s + k) / 13) %% 100 AS fate,
    md5(%(salt)s || (%(first)s + k)::text) AS noise,
    %(start)s::timestamptz + (%(end)s::timestamptz - %(start)s::timestamptz) * (k::float8 / %(count)s) AS at
  FROM generate_series(0::bigint, %(count)s - 1) AS k),
fated AS (
  SELECT *, (at AT TIME ZONE 'Asia/Shanghai')::date AS day, at + (%(end)s::timestamptz - at) / 2 AS later,
    CASE j %% 2 WHEN 0 THEN pair_first ELSE CASE WHEN i %% 10 < 7 THEN 100000 - pair_first
      ELSE 20000 + (i * 7919) %% (80001 - pair_first) END END AS amount
  FROM spread)
SELECT d.i, f.issuer, f.uscc AS enterprise, l.uscc AS provider, l.home AS acquirer, p.policy_id, p.net,
  %(prefix)s || lpad(d.i::text, 9, '0') AS order_no, d.amount, 2 * d.amount AS expenditure,
  CASE WHEN d.fate < 4 THEN 'VOIDED'
    WHEN d.day + 90 > %(today)s::date AND d.fate < 24 THEN 'AUTHORIZED'
    WHEN d.fate < 8 AND d.day + 90 <= %(today)s::date THEN 'EXPIRED'
    WHEN %(paid_at)s::timestamptz IS NULL THEN 'CLEARED' ELSE 'SETTLED' END AS state,
  CASE WHEN p.post THEN f.uscc ELSE l.uscc END AS payee,
  CASE WHEN p.post THEN 'ENTERPRISE' ELSE 'PROVIDER' END AS payee_kind,
  (lpad(to_hex((extract(epoch FROM d.at) * 1000)::bigint), 12, '0') || '7' || substr(d.noise, 1, 3) || '8' || substr(d.noise, 4, 15))::uuid
    AS redemption_id,
  d.at, d.day, d.later, %(note_base)s + (d.k %% %(units)s) * 10 + d.j / 2 AS note_id, extract(year FROM d.day)::smallint AS year,
  d.noise
FROM fated AS d
JOIN bench_firm AS f ON f.n = d.unit %% %(firms)s
JOIN bench_lab AS l ON l.n = (d.i * 7919 + d.i / 500) %% %(labs)s
JOIN bench_policy AS p ON p.issuer = f.issuer
ORDER BY d.k"""

DRAFT_NOTES = """
CREATE TEMP TABLE draft_note ON COMMIT DROP AS
SELECT %(note_base)s + u * 10 + m AS note_id, f.issuer, f.uscc AS enterprise,
  f.issuer || '-' || extract(year FROM %(issued_on)s::date) || '-' || lpad((%(note_base)s + u * 10 + m)::text, 10, '0') AS voucher_no,
  coalesce(used.reserved, 0) AS reserved, coalesce(used.redeemed, 0) AS redeemed,
  %(note_fen)s - coalesce(used.reserved, 0) - coalesce(used.redeemed, 0) AS rest
FROM generate_series(0::bigint, %(units)s - 1) AS u
CROSS JOIN generate_series(0::bigint, 9) AS m
JOIN bench_firm AS f ON f.n = (%(first_unit)s + u) %% %(firms)s
LEFT JOIN (
  SELECT note_id, sum(amount) FILTER (WHERE state = 'AUTHORIZED') AS reserved,
    sum(amount) FILTER (WHERE state IN ('CLEARED', 'SETTLED')) AS redeemed
  FROM draft GROUP BY note_id) AS used ON used.note_id = %(note_base)s + u * 10 + m"""

_WALLET = """
INSERT INTO wallet AS w (issuer, enterprise, last_expiry)
SELECT DISTINCT issuer, enterprise, %(expires_on)s::date FROM draft_note ORDER BY issuer, enterprise
ON CONFLICT (issuer, enterprise) DO UPDATE SET last_expiry = greatest(w.last_expiry, excluded.last_expiry), version = w.version + 1"""

_VOUCHER = """
INSERT INTO voucher (note_id, issuer, enterprise, voucher_no, face, available, reserved, redeemed, returned, issued_on, expires_on,
  counted_year, cancelled)
SELECT note_id, issuer, enterprise, voucher_no, %(note_fen)s, CASE WHEN %(expired)s THEN 0 ELSE rest END, reserved, redeemed,
  CASE WHEN %(expired)s THEN rest ELSE 0 END, %(issued_on)s::date, %(expires_on)s::date, 0, false
FROM draft_note ORDER BY note_id"""

_QUOTA = """
INSERT INTO quota AS q (issuer, enterprise, year, used, issued)
SELECT issuer, enterprise, year, sum(used), sum(issued) FROM (
  SELECT issuer, enterprise, year, amount AS used, 0 AS issued FROM draft WHERE state NOT IN ('VOIDED', 'EXPIRED')
  UNION ALL SELECT issuer, enterprise, extract(year FROM %(issued_on)s::date)::smallint, 0, %(note_fen)s FROM draft_note) AS parts
GROUP BY issuer, enterprise, year ORDER BY issuer, enterprise, year
ON CONFLICT (issuer, enterprise, year) DO UPDATE SET used = q.used + excluded.used, issued = q.issued + excluded.issued"""

_ISSUED_TOTAL = """
INSERT INTO issued_total AS t (issuer, face) SELECT issuer, count(*) * %(note_fen)s FROM draft_note GROUP BY issuer ORDER BY issuer
ON CONFLICT (issuer) DO UPDATE SET face = t.face + excluded.face"""

_ORDER = """
INSERT INTO service_order (provider, order_no, enterprise, lines, expenditure, committed, committed_total)
SELECT provider, order_no, enterprise, jsonb_build_array(jsonb_build_array('RESEARCH', expenditure, '[]'::jsonb)), expenditure,
  CASE WHEN state IN ('VOIDED', 'EXPIRED') THEN '{}'::jsonb ELSE jsonb_build_object(issuer, amount) END,
  CASE WHEN state IN ('VOIDED', 'EXPIRED') THEN 0 ELSE amount END
FROM draft ORDER BY i"""

_REDEMPTION = """
INSERT INTO redemption (redemption_id, issuer, enterprise, provider, order_no, acquirer, policy_id, state, lines, line_refunds,
  authorized, subsidy, refunded, payee_kind, payee, quota_year, authorized_at, expires_on, draw_notes, draw_numbers, draw_amounts,
  invoice_no, delivered_on, window_no, settled_on)
SELECT d.redemption_id, d.issuer, d.enterprise, d.provider, d.order_no, d.acquirer, d.policy_id, d.state,
  jsonb_build_array(jsonb_build_array('RESEARCH', d.expenditure, '[]'::jsonb)),
  CASE WHEN x.captured THEN '{0}'::bigint[] ELSE '{}'::bigint[] END, d.amount, CASE WHEN x.released THEN 0 ELSE d.amount END, 0,
  d.payee_kind, d.payee, d.year, d.at, d.day + 90,
  CASE WHEN x.released THEN '{}'::bigint[] ELSE ARRAY[d.note_id] END,
  CASE WHEN x.released THEN '{}'::text[] ELSE ARRAY[n.voucher_no] END,
  CASE WHEN x.released THEN '{}'::bigint[] ELSE ARRAY[d.amount] END,
  CASE WHEN x.captured THEN 'I' || d.order_no ELSE '' END,
  CASE WHEN x.captured THEN (d.later AT TIME ZONE 'Asia/Shanghai')::date END,
  CASE WHEN x.captured THEN %(window_no)s ELSE 0 END,
  CASE WHEN d.state = 'SETTLED' THEN (%(paid_at)s::timestamptz AT TIME ZONE 'Asia/Shanghai')::date END
FROM draft AS d JOIN draft_note AS n USING (note_id)
CROSS JOIN LATERAL (SELECT d.state IN ('CLEARED', 'SETTLED') AS captured, d.state IN ('VOIDED', 'EXPIRED') AS released) AS x
ORDER BY d.i"""

_INVOICE = """
INSERT INTO invoice (provider, invoice_no, order_no)
SELECT provider, 'I' || order_no, order_no FROM draft WHERE state IN ('CLEARED', 'SETTLED') ORDER BY i"""

_INVOICE_USE = """
INSERT INTO invoice_use (provider, invoice_no, issuer, redemption_id)
SELECT provider, 'I' || order_no, issuer, redemption_id FROM draft WHERE state IN ('CLEARED', 'SETTLED') ORDER BY i"""

_TRANSFER = """
INSERT INTO journal (at, cause, debit, credit, amount, issuer, enterprise, notes, note_amounts, payee, redemption_id, provider,
  order_no, committed, quota_year, quota, window_no) """

_ISSUES = f"""{_TRANSFER}
SELECT %(start)s::timestamptz, 'ISSUE', 'appropriation', 'outstanding', %(note_fen)s * count(*), issuer, enterprise,
  array_agg(note_id ORDER BY note_id), array_agg(%(note_fen)s::bigint), '', NULL, '', '', 0, 0, 0, 0
FROM draft_note GROUP BY issuer, enterprise ORDER BY min(note_id)"""

_AUTHORIZATIONS = f"""{_TRANSFER}
SELECT at, 'AUTHORIZE', 'outstanding', 'reserved', amount, issuer, enterprise, ARRAY[note_id], ARRAY[amount], '', redemption_id,
  provider, order_no, amount, year, amount, 0 FROM draft ORDER BY i"""

_RELEASES = f"""{_TRANSFER}
SELECT CASE state WHEN 'VOIDED' THEN later ELSE at + interval '90 days' END, 'RELEASE', 'reserved', 'outstanding', amount, issuer,
  enterprise, ARRAY[note_id], ARRAY[amount], '', redemption_id, provider, order_no, -amount, year, -amount, 0
FROM draft WHERE state IN ('VOIDED', 'EXPIRED') ORDER BY i"""

_CLEARINGS = f"""{_TRANSFER}
SELECT later, 'CLEAR', 'reserved', 'payable', amount, issuer, enterprise, ARRAY[note_id], ARRAY[amount], payee, redemption_id,
  provider, order_no, 0, 0, 0, %(window_no)s FROM draft WHERE state IN ('CLEARED', 'SETTLED') ORDER BY i"""

_PAYMENTS = f"""{_TRANSFER}
SELECT %(paid_at)s::timestamptz, 'PAY', 'payable', 'paid', amount, issuer, enterprise, '{{}}', '{{}}', payee, redemption_id,
  provider, order_no, 0, 0, 0, 0 FROM draft WHERE state = 'SETTLED' ORDER BY i"""

_EXPIRIES = f"""{_TRANSFER}
SELECT %(expires_on)s::date::timestamp AT TIME ZONE 'Asia/Shanghai', 'EXPIRE', 'outstanding', 'returned', rest, issuer, enterprise,
  ARRAY[note_id], ARRAY[rest], '', NULL, '', '', 0, 0, 0, 0
FROM draft_note WHERE %(expired)s AND rest > 0 ORDER BY note_id"""

_WINDOW = "INSERT INTO settlement_window (window_id, closed_at, closed_by) VALUES (%(window_id)s, %(end)s, %(by)s)"

_WINDOW_ISSUER = """
INSERT INTO window_issuer (window_id, issuer, window_no) SELECT %(window_id)s, issuer, %(window_no)s FROM bench_policy"""

# Settled net, a provider's home province owes it (rules.md T2).
_OBLIGATION = """
INSERT INTO obligation (window_id, debtor, creditor, amount, paid_at)
SELECT %(window_id)s, CASE WHEN net THEN acquirer ELSE issuer END AS debtor, payee, sum(amount), %(paid_at)s::timestamptz
FROM draft WHERE state IN ('CLEARED', 'SETTLED') GROUP BY debtor, payee ORDER BY debtor, payee"""

_POSITION = """
INSERT INTO net_position (window_id, division, amount)
SELECT %(window_id)s, division, sum(amount) FROM (
  SELECT issuer AS division, -amount AS amount FROM draft WHERE net AND state IN ('CLEARED', 'SETTLED')
  UNION ALL SELECT acquirer, amount FROM draft WHERE net AND state IN ('CLEARED', 'SETTLED')) AS sides
GROUP BY division HAVING sum(amount) <> 0"""

# Request ids of clients are random; written in that order, every insert would touch another page of the index. These rise through the
# whole space instead, and end up as evenly spread, so that later ones meet the same index.
_REQUEST_ID = """(lpad(to_hex(((2 * d.i + {turn}) / (2.0::float8 * %(total)s) * 4294967296)::bigint), 8, '0') ||
  substr(d.noise, {cut}, 4) || '4' || substr(d.noise, {cut} + 4, 3) || '8' || substr(d.noise, {cut} + 7, 15))::uuid"""

_RECORD = f"""
INSERT INTO idempotency (participant_id, request_id, digest, status, body, at)
SELECT m.participants ->> d.acquirer, r.request_id, sha256(r.request_id::text::bytea), 0, r.body, r.at
FROM draft AS d
CROSS JOIN (SELECT %(participants)s::jsonb AS participants) AS m
CROSS JOIN LATERAL (
  SELECT {_REQUEST_ID.format(turn=0, cut=1)} AS request_id, %(authorized)s::bytea AS body, d.at AS at
  UNION ALL SELECT {_REQUEST_ID.format(turn=1, cut=10)}, %(captured)s::bytea, d.later WHERE d.state IN ('CLEARED', 'SETTLED', 'VOIDED')
) AS r
ORDER BY d.i, r.at"""

_OUTBOX = """
INSERT INTO outbox (topic, key, type, occurred_at, payload, published_at)
SELECT t.topic, d.enterprise, %(event_type)s, e.at, %(event)s::bytea, e.at + interval '50 milliseconds'
FROM draft AS d
CROSS JOIN LATERAL (SELECT d.at AS at UNION ALL SELECT d.later WHERE d.state <> 'AUTHORIZED') AS e
CROSS JOIN LATERAL (SELECT d.issuer || '.out' AS topic UNION SELECT d.acquirer || '.out') AS t
WHERE %(events)s ORDER BY d.i"""

STATEMENTS = (
    _WALLET, _VOUCHER, _QUOTA, _ORDER, _REDEMPTION, _INVOICE, _INVOICE_USE, _ISSUES, _AUTHORIZATIONS, _RELEASES, _CLEARINGS, _PAYMENTS,
    _EXPIRIES, _WINDOW, _WINDOW_ISSUER, _OBLIGATION, _POSITION, _RECORD, _OUTBOX, _ISSUED_TOTAL,
)  # fmt: skip
"""What follows the drafts, in any order that respects foreign keys."""

TABLES = (
    "enterprise", "wallet", "voucher", "quota", "service_order", "redemption", "invoice", "invoice_use", "journal", "settlement_window",
    "window_issuer", "obligation", "net_position", "idempotency", "outbox",
)  # fmt: skip
"""Tables that a fill writes to."""
