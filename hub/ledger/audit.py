"""The auditor: re-derives every balance from the journal alone and says what differs from the tables.

It shares no code with the decisions: what a transfer does to accounts, notes, quotas, orders and redemptions is stated here anew, in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

SHOWN_MAX = 20
"""How many differing rows of each check are named."""

# Whatever is found, only so much of it comes over and is kept; the rest is counted where it is.
_FIRST = f"SELECT difference, count(*) OVER () FROM ({{check}}) AS found(difference) LIMIT {SHOWN_MAX}"

# Every check reads whole tables: hash tables that fit in memory, and no start-up cost of compiling.
_SETTINGS = ("work_mem = '64MB'", "max_parallel_workers_per_gather = 2", "jit = off")

_NOTES = """
WITH derived AS (
  SELECT n.note_id,
    sum(n.amount * ((j.credit = 'outstanding')::int - (j.debit = 'outstanding')::int))::bigint AS available,
    sum(n.amount * ((j.credit = 'reserved')::int - (j.debit = 'reserved')::int))::bigint AS reserved,
    sum(n.amount * ((j.credit IN ('payable', 'paid'))::int - (j.debit IN ('payable', 'paid'))::int))::bigint AS redeemed,
    sum(n.amount * ((j.credit = 'returned')::int - (j.debit = 'returned')::int))::bigint AS returned,
    sum(n.amount * ((j.debit = 'appropriation')::int - (j.credit = 'appropriation')::int))::bigint AS face
  FROM journal AS j, unnest(j.notes, j.note_amounts) AS n(note_id, amount) GROUP BY n.note_id)
SELECT coalesce(v.voucher_no, d.note_id::text) || ': ' ||
  concat_ws(', ', 'kept ' || (v.available, v.reserved, v.redeemed, v.returned, v.face)::text,
    'derived ' || (d.available, d.reserved, d.redeemed, d.returned, d.face)::text)
FROM voucher AS v FULL JOIN derived AS d USING (note_id)
WHERE (v.available, v.reserved, v.redeemed, v.returned, v.face)
  IS DISTINCT FROM (d.available, d.reserved, d.redeemed, d.returned, d.face)"""

# Most transfers move one note, and asking for a sum of one costs more than everything else here.
_NOTE_SUMS = """
SELECT seq::text || ': notes add up to ' || (SELECT sum(a) FROM unnest(note_amounts) AS a)::text || ', not ' || amount::text
FROM journal WHERE cause <> 'PAY' AND CASE cardinality(note_amounts)
  WHEN 0 THEN amount <> 0 WHEN 1 THEN amount <> note_amounts[array_lower(note_amounts, 1)]
  ELSE amount <> (SELECT sum(a) FROM unnest(note_amounts) AS a) END"""

_QUOTAS = """
WITH used AS (
  SELECT issuer, enterprise, quota_year AS year, sum(quota) AS used FROM journal WHERE quota <> 0 GROUP BY 1, 2, 3),
issued AS (
  SELECT issuer, enterprise, date_part('year', issued_on)::int AS year, sum(face) AS issued FROM voucher GROUP BY 1, 2, 3),
derived AS (
  SELECT issuer, enterprise, year, coalesce(used, 0) AS used, coalesce(issued, 0) AS issued
  FROM used FULL JOIN issued USING (issuer, enterprise, year))
SELECT concat_ws('/', issuer, enterprise, year) || ': kept ' || (coalesce(q.used, 0), coalesce(q.issued, 0))::text ||
  ', derived ' || (coalesce(d.used, 0), coalesce(d.issued, 0))::text
FROM quota AS q FULL JOIN derived AS d USING (issuer, enterprise, year)
WHERE coalesce(q.used, 0) <> coalesce(d.used, 0) OR coalesce(q.issued, 0) <> coalesce(d.issued, 0)"""

_ORDERS = """
WITH derived AS (
  SELECT provider, order_no, sum(committed) AS total FROM journal WHERE committed <> 0 GROUP BY 1, 2)
SELECT concat_ws('/', provider, order_no) || ': kept ' || coalesce(o.committed_total, 0) || ', derived ' || coalesce(d.total, 0)
FROM service_order AS o FULL JOIN derived AS d USING (provider, order_no)
WHERE coalesce(o.committed_total, 0) <> coalesce(d.total, 0)
  OR o.committed_total <> coalesce((SELECT sum(value::bigint) FROM jsonb_each_text(o.committed)), 0)"""

_REDEMPTIONS = """
WITH derived AS (
  SELECT redemption_id,
    sum(amount * ((credit = 'reserved')::int - (debit = 'reserved')::int))::bigint AS reserved,
    sum(amount * ((credit = 'payable')::int - (debit = 'payable')::int))::bigint AS payable,
    sum(amount * ((credit = 'paid')::int - (debit = 'paid')::int))::bigint AS paid
  FROM journal WHERE redemption_id IS NOT NULL AND cause <> 'FORFEIT' GROUP BY redemption_id)
SELECT redemption_id::text || ' is ' || r.state || ' with ' || r.subsidy || ': derived ' || (d.reserved, d.payable, d.paid)::text
FROM redemption AS r FULL JOIN derived AS d USING (redemption_id)
WHERE (CASE WHEN r.state IN ('AUTHORIZED', 'PENDING_REVIEW', 'HELD') THEN (r.subsidy, 0::bigint, 0::bigint)
            WHEN r.state = 'CLEARED' THEN (0::bigint, r.subsidy, 0::bigint)
            WHEN r.state = 'SETTLED' THEN (0::bigint, 0::bigint, r.subsidy)
            ELSE (0::bigint, 0::bigint, 0::bigint) END) IS DISTINCT FROM (d.reserved, d.payable, d.paid)"""

_ACCOUNTS = """
WITH sides AS (
  SELECT issuer, credit AS account, payee, amount FROM journal UNION ALL SELECT issuer, debit, payee, -amount FROM journal)
SELECT concat_ws('/', issuer, account, nullif(CASE WHEN account = 'payable' THEN payee ELSE '' END, '')) || ' is ' || sum(amount)
FROM sides GROUP BY issuer, account, CASE WHEN account = 'payable' THEN payee ELSE '' END
HAVING sum(amount) < 0 AND account <> 'appropriation'"""

_SUMS = """
WITH closed AS (SELECT issuer, debit, credit, amount FROM journal WHERE seq <= (SELECT until_seq FROM account_sum_until)),
sides AS (SELECT issuer, credit AS account, amount FROM closed UNION ALL SELECT issuer, debit, -amount FROM closed),
derived AS (SELECT issuer, account, sum(amount) AS amount FROM sides GROUP BY issuer, account)
SELECT concat_ws('/', issuer, account) || ': kept ' || coalesce(a.amount, 0) || ', derived ' || coalesce(d.amount, 0)
FROM account_sum AS a FULL JOIN derived AS d USING (issuer, account) WHERE coalesce(a.amount, 0) <> coalesce(d.amount, 0)"""

_NOTE_TOTALS = """
WITH sides AS (
  SELECT issuer, credit AS account, amount FROM journal UNION ALL SELECT issuer, debit, -amount FROM journal),
accounts AS (
  SELECT issuer, coalesce(sum(amount) FILTER (WHERE account = 'outstanding'), 0)::bigint AS outstanding,
    coalesce(sum(amount) FILTER (WHERE account = 'reserved'), 0)::bigint AS reserved,
    coalesce(sum(amount) FILTER (WHERE account IN ('payable', 'paid')), 0)::bigint AS redeemed,
    coalesce(sum(amount) FILTER (WHERE account = 'returned'), 0)::bigint AS returned
  FROM sides GROUP BY issuer),
notes AS (
  SELECT issuer, sum(available)::bigint AS outstanding, sum(reserved)::bigint AS reserved, sum(redeemed)::bigint AS redeemed,
    sum(returned)::bigint AS returned
  FROM voucher GROUP BY issuer)
SELECT issuer || ': accounts ' || (a.outstanding, a.reserved, a.redeemed, a.returned)::text || ', notes ' ||
  (n.outstanding, n.reserved, n.redeemed, n.returned)::text
FROM accounts AS a FULL JOIN notes AS n USING (issuer)
WHERE (a.outstanding, a.reserved, a.redeemed, a.returned) IS DISTINCT FROM (n.outstanding, n.reserved, n.redeemed, n.returned)"""

_INVOICES = """
SELECT concat_ws('/', u.provider, u.invoice_no, u.issuer) || ': serves redemption ' || u.redemption_id || ' of another order'
FROM invoice_use AS u JOIN invoice AS i USING (provider, invoice_no) JOIN redemption AS r USING (redemption_id)
WHERE r.order_no <> i.order_no OR r.invoice_no <> u.invoice_no OR r.issuer <> u.issuer"""

_SETTLED = """
SELECT window_id::text || '/' || payee || ': ' || count(*) || ' redemptions cleared though everything owed is paid'
FROM redemption AS r JOIN window_issuer AS w ON w.issuer = r.issuer AND w.window_no = r.window_no
WHERE r.state = 'CLEARED' AND NOT EXISTS (
  SELECT FROM obligation AS o WHERE o.window_id = w.window_id AND o.creditor = r.payee AND o.paid_at IS NULL)
GROUP BY window_id, payee"""

_POSITIONS = (
    "SELECT window_id::text || ': positions add up to ' || sum(amount) FROM net_position GROUP BY window_id HAVING sum(amount) <> 0"
)

CHECKS: tuple[tuple[str, str], ...] = (
    ("accounts not negative", _ACCOUNTS),
    ("closed sums", _SUMS),
    ("notes of a transfer add up", _NOTE_SUMS),
    ("notes", _NOTES),
    ("trial balance", _NOTE_TOTALS),
    ("quotas", _QUOTAS),
    ("orders", _ORDERS),
    ("redemptions", _REDEMPTIONS),
    ("invoices", _INVOICES),
    ("settled windows", _SETTLED),
    ("net positions", _POSITIONS),
)


@dataclass(slots=True)
class AuditReport:
    """What the auditor found. `counts` says how many rows stood behind it."""

    differences: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """True where nothing differs."""
        return not self.differences


async def audit(database_url: str) -> AuditReport:
    """Audit one consistent snapshot of the ledger. Raises psycopg.OperationalError where the database does not answer."""
    report = AuditReport()
    async with await AsyncConnection.connect(database_url, application_name="deltahub audit") as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for setting in _SETTINGS:
            await connection.execute(f"SET LOCAL {setting}")
        for table in ("journal", "voucher", "redemption", "service_order", "quota"):
            report.counts[table] = await _count(connection, table)
        for name, statement in CHECKS:
            found = await (await connection.execute(_FIRST.format(check=statement))).fetchall()
            report.differences.extend(f"{name}: {difference}" for difference, _ in found)
            if found and found[0][1] > SHOWN_MAX:
                report.differences.append(f"{name}: and {found[0][1] - SHOWN_MAX} more")
    return report


async def _count(connection: AsyncConnection[Any], table: str) -> int:
    row = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()
    assert row is not None
    return int(row[0])
