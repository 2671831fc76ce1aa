"""Checks of redemptions against their transfers."""

from __future__ import annotations

from hub.ledger.audit.sql import SHANGHAI_DAY, TERMS, differences, found

# Forfeits say for whom they were made and move nothing of the redemption; transfers of zero carry quota alone.
_DERIVED = """
derived AS (
  SELECT redemption_id, issuer, enterprise, provider, order_no, sum(committed) AS committed,
    coalesce(sum(amount) FILTER (WHERE cause = 'AUTHORIZE'), 0) AS authorized,
    coalesce(sum(amount) FILTER (WHERE cause = 'RELEASE'), 0) AS released,
    sum(amount) FILTER (WHERE cause = 'CLEAR') AS cleared,
    sum(amount) FILTER (WHERE cause = 'PAY') AS paid,
    coalesce(sum(amount) FILTER (WHERE cause = 'REFUND'), 0) AS refunded,
    coalesce(sum(amount) FILTER (WHERE cause = 'REFUND' AND debit = 'payable'), 0) AS unpaid_refunded,
    max(window_no) FILTER (WHERE cause = 'CLEAR') AS window_no,
    min(payee) FILTER (WHERE payee <> '') AS first_payee, max(payee) FILTER (WHERE payee <> '') AS last_payee,
    max(notes) FILTER (WHERE cause = 'AUTHORIZE') AS notes, max(note_amounts) FILTER (WHERE cause = 'AUTHORIZE') AS note_amounts,
    max(at) FILTER (WHERE cause = 'AUTHORIZE') AS authorized_at, max(at) FILTER (WHERE cause = 'RELEASE') AS released_at,
    max(at) FILTER (WHERE cause = 'PAY') AS paid_at
  FROM journal WHERE redemption_id IS NOT NULL AND amount > 0 AND cause <> 'FORFEIT' GROUP BY 1, 2, 3, 4, 5)"""

_LEFT = "(d.authorized - d.released - d.refunded)"
_DAY, _RELEASED_ON = SHANGHAI_DAY.format("d.authorized_at"), SHANGHAI_DAY.format("d.released_at")

# Some states have the same transfers; then the row's own word is taken where nothing speaks against it.
_STATE = f"""
CASE WHEN {_LEFT} > 0 AND d.paid IS NOT NULL THEN 'SETTLED' WHEN {_LEFT} > 0 AND d.cleared IS NOT NULL THEN 'CLEARED'
  WHEN {_LEFT} > 0 AND r.invoice_no = '' THEN 'AUTHORIZED'
  WHEN {_LEFT} > 0 AND (r.state = 'HELD' OR t.clears_up_to IS NULL OR r.subsidy <= t.clears_up_to) THEN 'HELD'
  WHEN {_LEFT} > 0 THEN 'PENDING_REVIEW'
  WHEN d.cleared IS NOT NULL THEN 'REFUNDED'
  WHEN r.invoice_no <> '' THEN 'REJECTED'
  WHEN {_RELEASED_ON} >= r.expires_on THEN 'EXPIRED'
  WHEN r.state = 'EXPIRED' AND t.claim
    AND EXISTS (SELECT FROM voucher AS v WHERE v.note_id = ANY (d.notes) AND v.expires_on <= {_RELEASED_ON}) THEN 'EXPIRED'
  ELSE 'VOIDED' END"""

_DRAWN = "CASE WHEN r.subsidy = r.authorized THEN {all} WHEN r.subsidy = 0 THEN '{{}}' ELSE {kept} END"

_DIFFERS = differences(
    ("state", "r.state", _STATE),
    ("issuer", "r.issuer", "d.issuer"),
    ("enterprise", "r.enterprise", "d.enterprise"),
    ("provider", "r.provider", "d.provider"),
    ("order_no", "r.order_no", "d.order_no"),
    ("enterprise of its order", "r.enterprise", "o.enterprise"),
    ("authorized", "r.authorized", "d.authorized"),
    ("subsidy", "r.subsidy", _LEFT),
    ("refunded", "r.refunded", "d.refunded"),
    ("committed", "r.subsidy", "d.committed"),
    ("transfer to its payee", "d.cleared", "CASE WHEN d.cleared IS NOT NULL THEN d.authorized - d.released END"),
    ("payment", "d.paid", "CASE WHEN d.paid IS NOT NULL THEN d.authorized - d.released - d.unpaid_refunded END"),
    ("window_no", "r.window_no", "coalesce(d.window_no, 0)"),
    ("payee_kind", "r.payee_kind", "t.payee_kind"),
    ("payee", "r.payee", "CASE t.payee_kind WHEN 'PROVIDER' THEN r.provider ELSE r.enterprise END"),
    ("payee of its transfers", "r.payee", "coalesce(nullif(d.first_payee, r.payee), d.last_payee, r.payee)"),
    ("issuer of its policy", "r.issuer", "t.issuer"),
    ("quota_year", "r.quota_year", f"extract(year FROM {_DAY})"),
    ("authorized_at", "r.authorized_at", "d.authorized_at"),
    ("expires_on", "r.expires_on", f"({_DAY} + t.ttl_days)"),
    ("settled_on", "r.settled_on", f"CASE WHEN d.paid IS NOT NULL THEN greatest({SHANGHAI_DAY.format('d.paid_at')}, r.delivered_on) END"),
    ("delivered", "(r.delivered_on IS NOT NULL)", "(r.invoice_no <> '')"),
    ("draw_notes", "r.draw_notes", _DRAWN.format(all="d.notes", kept="r.draw_notes")),
    ("draw_amounts", "r.draw_amounts", _DRAWN.format(all="d.note_amounts", kept="r.draw_amounts")),
)

_REDEMPTIONS = f"""
WITH {TERMS}, {_DERIVED}
""" + found(
    "redemptions",
    "redemption_id",
    _DIFFERS,
    "redemption AS r FULL JOIN derived AS d USING (redemption_id) LEFT JOIN terms AS t ON t.policy_id = r.policy_id "
    "LEFT JOIN service_order AS o ON o.provider = r.provider AND o.order_no = r.order_no",
)

# Of what came back in part alone; what stands as authorized, or not at all any more, is compared above.
_DRAWS = (
    """
WITH part AS (SELECT redemption_id FROM redemption WHERE subsidy > 0 AND subsidy < authorized),
derived AS (
  SELECT redemption_id, n.note_id,
    coalesce(sum(n.amount) FILTER (WHERE cause = 'AUTHORIZE'), 0) - coalesce(sum(n.amount) FILTER (WHERE cause <> 'AUTHORIZE'), 0) AS amount
  FROM journal AS j JOIN part USING (redemption_id) CROSS JOIN LATERAL unnest(j.notes, j.note_amounts) AS n(note_id, amount)
  WHERE cause IN ('AUTHORIZE', 'RELEASE', 'REFUND') GROUP BY 1, 2),
kept AS (
  SELECT redemption_id, n.note_id, n.amount
  FROM redemption AS r JOIN part USING (redemption_id) CROSS JOIN LATERAL unnest(r.draw_notes, r.draw_amounts) AS n(note_id, amount))
"""
    + found(
        "draws",
        "concat_ws('/', redemption_id, note_id)",
        differences(("amount", "coalesce(k.amount, 0)", "coalesce(d.amount, 0)")),
        "kept AS k FULL JOIN derived AS d USING (redemption_id, note_id)",
    )
    + """
UNION ALL """
    + found(
        "draws",
        "concat_ws('/', redemption_id, n.note_id)",
        differences(("voucher_no", "n.voucher_no", "v.voucher_no")),
        "redemption AS r CROSS JOIN LATERAL unnest(r.draw_notes, r.draw_numbers) AS n(note_id, voucher_no) "
        "LEFT JOIN voucher AS v ON v.note_id = n.note_id",
    )
)

PASSES = ((("redemptions",), _REDEMPTIONS), (("draws",), _DRAWS))
