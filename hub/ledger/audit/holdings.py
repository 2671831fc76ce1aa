"""Checks of what enterprises hold: notes, wallets, quotas."""

from __future__ import annotations

from hub.ledger.audit.sql import SHANGHAI_DAY, TERMS, differences, found, moved

# A transfer belongs to the wallet that it names: of a note in another, both the note and the transfer stand alone.
_DERIVED_NOTES = f"""
WITH derived AS (
  SELECT n.note_id, issuer, enterprise,
    {moved("n.amount", "= 'outstanding'")} AS available, {moved("n.amount", "= 'reserved'")} AS reserved,
    {moved("n.amount", "IN ('payable', 'paid')")} AS redeemed, {moved("n.amount", "= 'returned'")} AS returned,
    coalesce(sum(n.amount) FILTER (WHERE debit = 'appropriation'), 0) AS face,
    min(at) FILTER (WHERE cause = 'ISSUE') AS issued_at, min(at) FILTER (WHERE cause = 'EXPIRE') AS expired_at,
    max(at) FILTER (WHERE cause = 'AUTHORIZE' OR cause IN ('RELEASE', 'REFUND') AND credit = 'outstanding') AS lived_at,
    count(*) FILTER (WHERE cause = 'CANCEL') AS cancellations
  FROM journal AS j, unnest(j.notes, j.note_amounts) AS n(note_id, amount) GROUP BY 1, 2, 3)"""

_PARTS = ("face", "available", "reserved", "redeemed", "returned")

_NOTE_DIFFERS = differences(
    *((part, f"v.{part}", f"d.{part}") for part in _PARTS),
    ("issued_on", "v.issued_on", f"least(v.issued_on, {SHANGHAI_DAY.format('d.issued_at')})"),
    ("expires_on", "v.expires_on", f"least(v.expires_on, {SHANGHAI_DAY.format('d.expired_at')})"),
    ("expires_on", "v.expires_on", f"greatest(v.expires_on, {SHANGHAI_DAY.format('d.lived_at')} + 1)"),
    ("cancelled", "v.cancelled", "CASE WHEN d.cancellations > 0 THEN true ELSE v.cancelled AND v.available = 0 END"),
    ("counted_year", "v.counted_year", "CASE WHEN v.reserved + v.redeemed = 0 THEN 0 ELSE v.counted_year END"),
)

_NOTES = f"""{_DERIVED_NOTES}
""" + found(
    "notes",
    "concat_ws('/', issuer, enterprise, coalesce(v.voucher_no, note_id::text))",
    _NOTE_DIFFERS,
    "voucher AS v FULL JOIN derived AS d USING (note_id, issuer, enterprise)",
)

_WALLETS = """
WITH held AS (
  SELECT issuer, enterprise, max(expires_on) AS last_expiry FROM (
    SELECT issuer, enterprise, expires_on FROM voucher UNION ALL SELECT issuer, enterprise, NULL FROM quota) AS parts
  GROUP BY issuer, enterprise)
""" + found(
    "wallets",
    "concat_ws('/', issuer, enterprise)",
    differences(("row", "(w.issuer IS NOT NULL)", "(h.issuer IS NOT NULL)"), ("last_expiry", "w.last_expiry", "h.last_expiry")),
    "wallet AS w FULL JOIN held AS h USING (issuer, enterprise)",
)

# What counts against a quota is known twice over: by the transfers, and by what stands now (docs/rules.md A2): subsidies, or faces.
_QUOTAS = f"""
WITH {TERMS},
parts AS (
  SELECT issuer, enterprise, quota_year::numeric AS year, sum(quota) AS used, 0::numeric AS counted, 0::numeric AS issued
  FROM journal WHERE quota <> 0 GROUP BY 1, 2, 3
  UNION ALL SELECT r.issuer, enterprise, quota_year, 0, sum(subsidy), 0
  FROM redemption AS r JOIN terms AS t USING (policy_id) WHERE t.by_subsidy AND subsidy > 0 GROUP BY 1, 2, 3
  UNION ALL SELECT issuer, enterprise, counted_year, 0, sum(face), 0 FROM voucher WHERE counted_year <> 0 GROUP BY 1, 2, 3
  UNION ALL SELECT issuer, enterprise, extract(year FROM issued_on), 0, 0, sum(face) FROM voucher GROUP BY 1, 2, 3),
derived AS (
  SELECT issuer, enterprise, year, sum(used) AS used, sum(counted) AS counted, sum(issued) AS issued FROM parts GROUP BY 1, 2, 3)
""" + found(
    "quotas",
    "concat_ws('/', issuer, enterprise, year)",
    differences(
        ("used", "coalesce(q.used, 0)", "coalesce(d.used, 0)"),
        ("issued", "coalesce(q.issued, 0)", "coalesce(d.issued, 0)"),
        ("used by what stands", "coalesce(q.used, 0)", "coalesce(d.counted, 0)"),
    ),
    "(SELECT issuer, enterprise, year::numeric AS year, used, issued FROM quota) AS q "
    "FULL JOIN derived AS d USING (issuer, enterprise, year)",
)

# What an issuer issued in all is kept in one row, which bounds the next issue (docs/rules.md V1).
_ISSUED = """
WITH derived AS (SELECT issuer, sum(face) AS face FROM voucher GROUP BY issuer)
""" + found(
    "issued",
    "issuer",
    differences(("face", "coalesce(t.face, 0)", "coalesce(d.face, 0)")),
    "issued_total AS t FULL JOIN derived AS d USING (issuer)",
)

PASSES = ((("notes",), _NOTES), (("wallets",), _WALLETS), (("quotas",), _QUOTAS), (("issued",), _ISSUED))
