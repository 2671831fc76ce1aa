"""What the checks' statements are made of.

No sum is made smaller than it is: sums are numeric, and what does not fit is a difference like any other. Text comes from `concat`, so
that a row that is missing on one side is named all the same.
"""

from __future__ import annotations

SHANGHAI_DAY = "({} AT TIME ZONE 'Asia/Shanghai')::date"
"""The date of an instant (docs/rules.md M3)."""

TERMS = """
terms AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(terms)s) AS t(policy_id bigint, issuer text, payee_kind text, net bool, by_subsidy bool, claim bool,
    ttl_days int, clears_up_to bigint))"""
"""The published policies, as far as they decide what rows must be."""


def differences(*compared: tuple[str, str, str]) -> str:
    """Return an expression that says what of (what it is, SQL of what is kept, SQL of what is derived) differs, '' where nothing does."""
    parts = (
        f"CASE WHEN {kept} IS DISTINCT FROM {derived} THEN concat('{what} kept ', {kept}, ', derived ', {derived}) END"
        for what, kept, derived in compared
    )
    return f"concat_ws('; ', {', '.join(parts)})"


def found(name: str, key: str, difference: str, source: str) -> str:
    """Return a select of what a check found: of `source`, the rows whose `difference` is not empty, each with its `key`."""
    return (
        f"SELECT '{name}', concat(key, ': ', difference) "
        f"FROM (SELECT {key} AS key, {difference} AS difference FROM {source}) AS compared WHERE difference <> ''"
    )


def moved(amount: str, account: str) -> str:
    """Return the sum of `amount` over transfers to some accounts less that over transfers from them. `account` is SQL after an account."""
    return f"coalesce(sum({amount}) FILTER (WHERE credit {account}), 0) - coalesce(sum({amount}) FILTER (WHERE debit {account}), 0)"


def number(value: str) -> str:
    """Return what a JSON value says, where it is a number."""
    return f"CASE jsonb_typeof({value}) WHEN 'number' THEN ({value})::numeric END"
