"""What a batch locks and reads, as SQL; `/*lock*/` stands where rows are locked.

`redemptions` are all that a batch names, `unread` those of them that are not in memory, `strange` those whose owners or notes are not.
"""

from __future__ import annotations

from functools import lru_cache

from hub.ledger import rows

WINDOW_LOCK = 7_310
"""First key of the advisory locks on settlement windows; the second is the issuer's division."""

ISSUING_LOCK = 7_311
"""First key of the advisory locks on what an issuer issues; the second is its division."""

LOCK = "/*lock*/"

OUTCOMES = """
SELECT participant_id, request_id::text, digest, status, body, at FROM idempotency
WHERE (participant_id, request_id) IN (SELECT * FROM unnest(%s::text[], %s::uuid[]))"""

TOUCHED_ISSUERS = """
SELECT issuer FROM redemption WHERE redemption_id = ANY(%(strange)s::uuid[]) UNION SELECT unnest(%(owning)s::text[])"""

WINDOWS_LOCK = f"""
SELECT pg_advisory_xact_lock_shared({WINDOW_LOCK}, issuer::int)
FROM ({TOUCHED_ISSUERS} ORDER BY issuer) AS touched"""

WINDOWS = f"""
SELECT issuer, window_no FROM open_window
WHERE issuer IN ({TOUCHED_ISSUERS})"""

ISSUING = """
SELECT * FROM unnest(%(issuing)s::text[], %(years)s::text[]) AS issuing(issuer, year)
UNION SELECT issuer, %(year)s::text FROM voucher_application WHERE application_id = ANY(%(applications)s::uuid[])"""

ISSUED_LOCK = f"""
SELECT pg_advisory_xact_lock({ISSUING_LOCK}, issuer::int)
FROM (SELECT DISTINCT issuer FROM ({ISSUING}) AS k ORDER BY issuer) AS issuing"""

ISSUED = f"""
SELECT issuer, face FROM issued_total WHERE issuer IN (SELECT issuer FROM ({ISSUING}) AS k)"""

# Numbers that the issuer gave itself and that have the form of those generated from the ids ahead. Digits come in their order in every
# collation; what else lies between in one of them does no harm. `OFFSET 0` keeps it a look into the index for each: a plan for any values
# takes the range for half a percent of the table.
AHEAD = f"""
SELECT v.issuer, v.voucher_no FROM ({ISSUING}) AS k
CROSS JOIN LATERAL (
  SELECT issuer, voucher_no FROM voucher WHERE issuer = k.issuer
    AND voucher_no BETWEEN concat_ws('-', k.issuer, k.year, %(first)s::text) AND concat_ws('-', k.issuer, k.year, %(last)s::text)
  OFFSET 0) AS v"""

NAMED = "SELECT * FROM unnest(%(issuers)s::text[], %(enterprises)s::text[])"
OF_REDEMPTIONS = "SELECT issuer, enterprise FROM redemption WHERE redemption_id = ANY(%(strange)s::uuid[])"
OF_APPLICATIONS = "SELECT issuer, enterprise FROM voucher_application WHERE application_id = ANY(%(applications)s::uuid[])"

# Wallets whose notes and quotas this process does not have as they are now.
UNKNOWN = """
SELECT w.issuer, w.enterprise
FROM unnest(%(issuers)s::text[], %(enterprises)s::text[], %(versions)s::bigint[]) AS k(issuer, enterprise, version)
JOIN wallet AS w USING (issuer, enterprise) WHERE w.version <> k.version"""

WALLETS = """
SELECT issuer, enterprise, last_expiry, version FROM wallet WHERE (issuer, enterprise) IN ({wallets})
ORDER BY issuer, enterprise /*lock*/"""

# All that still matter, those too that are reserved to the last fen: a wallet in memory must have what its redemptions will give back.
NOTES = f"""
SELECT {rows.VOUCHER_COLUMNS} FROM voucher WHERE (issuer, enterprise) IN ({{wallets}}) AND (available > 0 OR reserved > 0)"""

DRAWN = f"""
SELECT {rows.VOUCHER_COLUMNS} FROM voucher
WHERE note_id IN (SELECT unnest(draw_notes) FROM redemption WHERE redemption_id = ANY(%(strange)s::uuid[]))"""

NUMBERED = f"""
SELECT {rows.VOUCHER_COLUMNS} FROM voucher WHERE (issuer, voucher_no) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""

QUOTAS = "SELECT issuer, enterprise, year, used, issued FROM quota WHERE (issuer, enterprise) IN ({wallets})"

ORDERS = """
SELECT provider, order_no, enterprise, lines::text, committed::text FROM service_order WHERE (provider, order_no) IN ({orders})
ORDER BY provider, order_no /*lock*/"""
ORDERS_NAMED = "SELECT * FROM unnest(%(providers)s::text[], %(order_nos)s::text[])"
ORDERS_OF_REDEMPTIONS = "SELECT provider, order_no FROM redemption WHERE redemption_id = ANY(%(strange)s::uuid[])"

CAPTURED = """
SELECT r.provider, c.invoice_no FROM unnest(%(ids)s::uuid[], %(numbers)s::text[]) AS c(id, invoice_no)
JOIN redemption AS r ON r.redemption_id = c.id
UNION SELECT * FROM unnest(%(providers)s::text[], %(known_numbers)s::text[])"""

INVOICES = f"""
SELECT provider, invoice_no, order_no FROM invoice WHERE (provider, invoice_no) IN ({CAPTURED})
ORDER BY provider, invoice_no /*lock*/"""

INVOICE_USES = f"""
SELECT u.provider, u.invoice_no, u.issuer, u.redemption_id::text FROM invoice_use AS u
WHERE (u.provider, u.invoice_no) IN ({CAPTURED})"""

REDEMPTIONS = f"""
SELECT {rows.REDEMPTION_COLUMNS} FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[])
ORDER BY redemption_id /*lock*/"""

REDEMPTION_STATES = """
SELECT redemption_id::text, state FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[])
ORDER BY redemption_id /*lock*/"""

REDEMPTIONS_LOCKED = f"""
SELECT {rows.REDEMPTION_COLUMNS} FROM redemption WHERE redemption_id = ANY(%(unread)s::uuid[])"""

APPLICATIONS = """
SELECT application_id::text, issuer, enterprise, kind, requested, approved, state, filed_at FROM voucher_application
WHERE application_id = ANY(%(applications)s::uuid[]) ORDER BY application_id /*lock*/"""


@lru_cache(256)
def composed(statement: str, wallets: str, locking: str) -> str:
    """Return a statement with its holes filled in; the very same text each time, so that it is found at once among the prepared ones."""
    return statement.replace("{wallets}", wallets).replace("{orders}", wallets).replace(LOCK, locking)
