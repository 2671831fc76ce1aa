"""Checks of orders and of the invoices on them."""

from __future__ import annotations

from hub.ledger.audit.sql import differences, found, number

# Almost every order has one line and one issuer, and asking for a sum of one costs more than everything else here.
_LINES = f"""
CASE WHEN jsonb_typeof(o.lines) <> 'array' THEN NULL WHEN jsonb_array_length(o.lines) = 1 THEN {number("o.lines -> 0 -> 1")}
  ELSE (SELECT sum({number("line -> 1")}) FROM jsonb_array_elements(o.lines) AS line) END"""

# What is committed is compared as a whole, as it is kept: by issuer, and nothing of those that have nothing on it.
_ORDERS = """
WITH parts AS (
  SELECT provider, order_no, issuer, sum(committed) AS amount FROM journal WHERE committed <> 0 GROUP BY 1, 2, 3),
derived AS (
  SELECT provider, order_no, jsonb_object_agg(issuer, amount) AS committed, sum(amount) AS total
  FROM parts WHERE amount <> 0 GROUP BY 1, 2)
""" + found(
    "orders",
    "concat_ws('/', provider, order_no)",
    differences(
        ("committed", "coalesce(o.committed, '{}')", "coalesce(d.committed, '{}')"),
        ("committed_total", "coalesce(o.committed_total, 0)", "coalesce(d.total, 0)"),
        ("expenditure", "o.expenditure", _LINES),
    ),
    "service_order AS o FULL JOIN derived AS d USING (provider, order_no)",
)

# An invoice stays with its redemption from the capture on, unless that is rejected (docs/rules.md C3, C5).
_INVOICES = """
WITH captured AS (
  SELECT redemption_id, provider, invoice_no, issuer, order_no FROM redemption
  WHERE state NOT IN ('AUTHORIZED', 'VOIDED', 'EXPIRED', 'REJECTED')),
used AS (
  SELECT redemption_id, provider, invoice_no, u.issuer, i.order_no
  FROM invoice_use AS u LEFT JOIN invoice AS i USING (provider, invoice_no))
""" + found(
    "invoices",
    "coalesce(c.redemption_id, u.redemption_id)",
    differences(
        ("invoice", "concat_ws('/', u.provider, u.invoice_no, u.issuer)", "concat_ws('/', c.provider, c.invoice_no, c.issuer)"),
        ("order of the invoice", "u.order_no", "c.order_no"),
    ),
    "captured AS c FULL JOIN used AS u ON u.redemption_id = c.redemption_id",
)

PASSES = ((("orders",), _ORDERS), (("invoices",), _INVOICES))
