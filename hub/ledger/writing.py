"""Second round trip of a batch: write everything its decisions changed, set-based, and commit (design: Batch committer).

New rows are plain inserts: where another process made the same row meanwhile (an order, a wallet, an invoice, a request id), the
unique violation aborts the batch, and the committer runs it again on what is there by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import orjson

from hub.application.batch import WorkingSet
from hub.domain.clock import local_date
from hub.domain.entitlement import expenditure
from hub.domain.model import WalletKey
from hub.failpoints import armed, failpoint
from hub.ledger import rows
from hub.ledger.arrays import columns, literal, texts
from hub.ledger.trip import LedgerConnection, Value, round_trip

_WALLET_NEW = """
INSERT INTO wallet (issuer, enterprise, last_expiry, version) SELECT * FROM unnest(%s::text[], %s::text[], %s::date[], %s::bigint[])"""

_WALLET_SET = """
UPDATE wallet AS w SET last_expiry = n.last_expiry, version = n.version
FROM unnest(%s::text[], %s::text[], %s::date[], %s::bigint[]) AS n(issuer, enterprise, last_expiry, version)
WHERE w.issuer = n.issuer AND w.enterprise = n.enterprise"""

_TELL = "pg_notify('outbox', '')"

# Notes that are past their validity when they are made: the next sweep begins before them again.
_SWEEP_AGAIN = "UPDATE sweep_mark SET until = least(until, %s) WHERE kind = 'voucher'"

_VOUCHER_NEW = f"""
INSERT INTO voucher ({rows.VOUCHER_COLUMNS})
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
  %s::bigint[], %s::date[], %s::date[], %s::smallint[], %s::bool[])"""

_VOUCHER_SET = """
UPDATE voucher AS v SET available = n.available, reserved = n.reserved, redeemed = n.redeemed, returned = n.returned,
  counted_year = n.counted_year, cancelled = n.cancelled
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::bool[])
  AS n(note_id, available, reserved, redeemed, returned, counted_year, cancelled)
WHERE v.note_id = n.note_id"""

_QUOTA_SET = """
INSERT INTO quota (issuer, enterprise, year, used, issued)
SELECT * FROM unnest(%s::text[], %s::text[], %s::smallint[], %s::bigint[], %s::bigint[])
ON CONFLICT (issuer, enterprise, year) DO UPDATE SET used = excluded.used, issued = excluded.issued"""

_ISSUED_SET = """
INSERT INTO issued_total (issuer, face) SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (issuer) DO UPDATE SET face = excluded.face"""

_ORDER_NEW = """
INSERT INTO service_order (provider, order_no, enterprise, lines, expenditure, committed, committed_total)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bigint[], %s::jsonb[], %s::bigint[])"""

_ORDER_SET = """
UPDATE service_order AS o SET enterprise = n.enterprise, lines = n.lines, expenditure = n.expenditure, committed = n.committed,
  committed_total = n.total
FROM unnest(%s::text[], %s::text[], %s::text[], %s::jsonb[], %s::bigint[], %s::jsonb[], %s::bigint[])
  AS n(provider, order_no, enterprise, lines, expenditure, committed, total)
WHERE o.provider = n.provider AND o.order_no = n.order_no"""

_REDEMPTION_NEW = """
INSERT INTO redemption (redemption_id, issuer, enterprise, provider, order_no, acquirer, policy_id, state, lines, line_refunds,
  authorized, subsidy, refunded, payee_kind, payee, quota_year, authorized_at, expires_on, draw_notes, draw_numbers, draw_amounts,
  invoice_no, delivered_on, window_no)
SELECT r.id, r.issuer, r.enterprise, r.provider, r.order_no, r.acquirer, r.policy_id, r.state, r.lines, r.line_refunds::bigint[],
  r.authorized, r.subsidy, r.refunded, r.payee_kind, r.payee, r.quota_year, r.authorized_at, r.expires_on, r.draw_notes::bigint[],
  r.draw_numbers::text[], r.draw_amounts::bigint[], r.invoice_no, r.delivered_on, r.window_no
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::jsonb[], %s::text[],
  %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::smallint[], %s::timestamptz[], %s::date[], %s::text[],
  %s::text[], %s::text[], %s::text[], %s::date[], %s::bigint[])
  AS r(id, issuer, enterprise, provider, order_no, acquirer, policy_id, state, lines, line_refunds, authorized, subsidy, refunded,
    payee_kind, payee, quota_year, authorized_at, expires_on, draw_notes, draw_numbers, draw_amounts, invoice_no, delivered_on,
    window_no)"""

_REDEMPTION_SET = """
UPDATE redemption AS r SET state = n.state, lines = n.lines, line_refunds = n.line_refunds::bigint[], subsidy = n.subsidy,
  refunded = n.refunded, draw_notes = n.draw_notes::bigint[], draw_numbers = n.draw_numbers::text[],
  draw_amounts = n.draw_amounts::bigint[], invoice_no = n.invoice_no, delivered_on = n.delivered_on, window_no = n.window_no
FROM unnest(%s::uuid[], %s::text[], %s::jsonb[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
  %s::text[], %s::date[], %s::bigint[])
  AS n(id, state, lines, line_refunds, subsidy, refunded, draw_notes, draw_numbers, draw_amounts, invoice_no, delivered_on, window_no)
WHERE r.redemption_id = n.id"""

_INVOICE_FREE = """
DELETE FROM invoice_use WHERE (provider, invoice_no, issuer) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))"""

_INVOICE_DROP = """
DELETE FROM invoice AS i WHERE (provider, invoice_no) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
  AND NOT EXISTS (SELECT FROM invoice_use AS u WHERE u.provider = i.provider AND u.invoice_no = i.invoice_no)"""

_INVOICE_NEW = "INSERT INTO invoice (provider, invoice_no, order_no) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])"

_INVOICE_USE_NEW = """
INSERT INTO invoice_use (provider, invoice_no, issuer, redemption_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::uuid[])"""

_APPLICATION_SET = """
UPDATE voucher_application AS a SET state = n.state, approved = n.approved
FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS n(id, state, approved) WHERE a.application_id = n.id"""

_JOURNAL = """
INSERT INTO journal (at, cause, debit, credit, amount, issuer, enterprise, notes, note_amounts, payee, redemption_id, provider,
  order_no, committed, quota_year, quota, window_no)
SELECT %s::timestamptz, j.cause, j.debit, j.credit, j.amount, j.issuer, j.enterprise, j.notes::bigint[], j.note_amounts::bigint[], j.payee,
  j.redemption_id, j.provider, j.order_no, j.committed, j.quota_year, j.quota, j.window_no
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[],
  %s::text[], %s::text[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY
  AS j(cause, debit, credit, amount, issuer, enterprise, notes, note_amounts, payee, redemption_id, provider, order_no, committed,
    quota_year, quota, window_no, place)
ORDER BY j.place"""

_OUTBOX = """
INSERT INTO outbox (topic, key, type, occurred_at, payload)
SELECT e.topic, e.key, e.type, %s::timestamptz, e.payload
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[]) WITH ORDINALITY AS e(topic, key, type, payload, place) ORDER BY e.place"""

_IDEMPOTENCY = """
INSERT INTO idempotency (participant_id, request_id, digest, status, body, at)
SELECT n.participant_id, n.request_id, n.digest, n.status, n.body, %s::timestamptz
FROM unnest(%s::text[], %s::uuid[], %s::bytea[], %s::smallint[], %s::bytea[]) AS n(participant_id, request_id, digest, status, body)"""


_Statement = tuple[str, str, Sequence[tuple[object, ...]], list[Value]]
"""SQL, the kinds of its columns (`arrays.columns`), the rows it takes as columns, and what comes before them."""


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


async def write(connection: LedgerConnection, ws: WorkingSet) -> None:
    """Write what `ws` gathered and commit, in one round trip. Raises psycopg errors; then nothing is written."""
    in_steps = armed("committer.after_write_before_commit") or armed("committer.commit_in_flight")
    async with round_trip(connection) as trip:
        late = min((note.expires_on for note in ws.new_notes), default=date.max)
        if late <= local_date(ws.now):
            trip.ask(_SWEEP_AGAIN, (late - timedelta(days=1),))
        # What is freed first may be made again below.
        for statement, kinds, table, head in _freeing_statements(ws):
            if table:
                trip.ask(statement, [*head, *columns(table, kinds)])
        parts = [(statement, [*head, *columns(table, kinds)]) for statement, kinds, table, head in _statements(ws) if table]
        if parts:
            joined = _joined(tuple(statement for statement, _ in parts), bool(ws.events))
            trip.ask(joined, [item for _, params in parts for item in params])
        if not in_steps:
            trip.ask("COMMIT")
    if in_steps:
        await _commit_in_steps(connection)


async def _commit_in_steps(connection: LedgerConnection) -> None:
    """Commit as a rehearsal wants it: PostgreSQL has done and answered all that was written, then COMMIT is on its way, unanswered."""
    failpoint("committer.after_write_before_commit")
    async with round_trip(connection) as trip:
        trip.ask("COMMIT")
        await trip.push()
        failpoint("committer.commit_in_flight")


@lru_cache(256)
def _joined(statements: tuple[str, ...], tells: bool) -> str:
    """Return statements that concern different rows as one: each costs its own way through driver and server otherwise."""
    parts = ", ".join(f"w{place} AS ({statement})" for place, statement in enumerate(statements))
    return f"WITH {parts} SELECT {_TELL if tells else ''}"


def _statements(ws: WorkingSet) -> Iterable[_Statement]:
    yield from _wallet_statements(ws)
    yield from _note_statements(ws)
    wallets = ws.wallets
    quotas = [(*key, year, wallets[key].quota_used.get(year, 0), wallets[key].issued.get(year, 0)) for key, year in sorted(ws.dirty_quotas)]
    yield _QUOTA_SET, "ttsii", quotas, []
    yield _ISSUED_SET, "ti", [(issuer, ws.issued_totals[issuer]) for issuer in sorted(ws.dirty_totals)], []
    yield _ORDER_NEW, "ttttiti", [_order(ws, key) for key in sorted(ws.new_orders)], []
    yield _ORDER_SET, "ttttiti", [_order(ws, key) for key in sorted(ws.dirty_orders - ws.new_orders)], []
    yield from _invoice_statements(ws)
    yield _REDEMPTION_NEW, "utttttitttiiittsddttttdi", [_new_redemption(ws, key) for key in ws.new_redemptions], []
    yield _REDEMPTION_SET, "utttiittttdi", [_set_redemption(ws, key) for key in ws.dirty_redemptions if key not in ws.new_redemptions], []
    changed = [ws.applications[key] for key in sorted(ws.dirty_applications)]
    yield _APPLICATION_SET, "uti", [(item.application_id, item.state, item.approved) for item in changed], []
    yield _JOURNAL, "tttitttttuttisii", [_journal(entry) for entry in ws.journal], [ws.now]
    records = sorted(ws.records.items())
    yield _IDEMPOTENCY, "tubsb", [(*key, item.digest, item.outcome.status, item.outcome.body) for key, item in records], [ws.now]
    yield _OUTBOX, "tttb", [tuple(item) for item in ws.events], [ws.now]


def _wallet_statements(ws: WorkingSet) -> Iterable[_Statement]:
    new, known = sorted(ws.new_wallets), sorted(ws.dirty_wallets - ws.new_wallets)
    yield _WALLET_NEW, "ttdi", [_wallet(ws, key) for key in new], []
    yield _WALLET_SET, "ttdi", [_wallet(ws, key) for key in known], []


def _wallet(ws: WorkingSet, key: WalletKey) -> tuple[object, ...]:
    return (*key, ws.wallets[key].last_expiry, ws.versions[key])


def _note_statements(ws: WorkingSet) -> Iterable[_Statement]:
    new = {note.note_id for note in ws.new_notes}
    fresh = [
        (
            n.note_id, n.wallet.issuer, n.wallet.enterprise, n.voucher_no, n.face, n.available, n.reserved, n.redeemed, n.returned,
            n.issued_on, n.expires_on, n.counted_year, n.cancelled,
        )
        for n in ws.new_notes
    ]  # fmt: skip
    yield _VOUCHER_NEW, "ittt" + "i" * 5 + "ddsf", fresh, []
    changed = [
        (n.note_id, n.available, n.reserved, n.redeemed, n.returned, n.counted_year, n.cancelled)
        for n in ws.dirty_notes.values()
        if n.note_id not in new
    ]
    yield _VOUCHER_SET, "iiiiisf", changed, []


def _freeing_statements(ws: WorkingSet) -> Iterable[_Statement]:
    freed = sorted(ws.freed_invoices)
    yield _INVOICE_FREE, "ttt", [tuple(key) for key in freed], []
    yield _INVOICE_DROP, "tt", sorted({key[:2] for key in freed}), []


def _invoice_statements(ws: WorkingSet) -> Iterable[_Statement]:
    freed = ws.freed_invoices
    uses = sorted(ws.new_invoice_uses.items())
    # An invoice that lost its last stored use is dropped above, so a new use needs its row again.
    emptied = {key[:2] for key in freed if all((*key[:2], use.issuer) in ws.new_invoice_uses for use in ws.invoices.get(key[:2], ()))}
    new = {key[:2]: use.order_no for key, use in uses if key[:2] not in ws.known_invoices or key[:2] in emptied}
    yield _INVOICE_NEW, "ttt", [(*key, order_no) for key, order_no in new.items()], []
    yield _INVOICE_USE_NEW, "tttu", [(*key, use.redemption_id) for key, use in uses], []


def _order(ws: WorkingSet, key: Any) -> tuple[object, ...]:
    order = ws.orders[key]
    lines = _json(rows.lines_out(order.lines))
    return (*order.key, order.enterprise, lines, expenditure(order.lines), _json(order.committed), order.total)


def _new_redemption(ws: WorkingSet, key: str) -> tuple[object, ...]:
    r = ws.redemptions[key]
    return (
        r.redemption_id, r.wallet.issuer, r.wallet.enterprise, r.order.provider, r.order.order_no, r.acquirer, r.policy_id,
        r.state.value, _json(rows.lines_out(r.lines)), literal(r.line_refunds), r.authorized, r.subsidy, r.refunded,
        r.payee_kind.value, r.payee, r.quota_year, r.authorized_at, r.expires_on, literal(d.note_id for d in r.draws),
        texts(d.voucher_no for d in r.draws), literal(d.amount for d in r.draws), r.invoice_no, r.delivered_on, r.window_no,
    )  # fmt: skip


def _set_redemption(ws: WorkingSet, key: str) -> tuple[object, ...]:
    r = ws.redemptions[key]
    return (
        r.redemption_id, r.state.value, _json(rows.lines_out(r.lines)), literal(r.line_refunds), r.subsidy, r.refunded,
        literal(d.note_id for d in r.draws), texts(d.voucher_no for d in r.draws), literal(d.amount for d in r.draws),
        r.invoice_no, r.delivered_on, r.window_no,
    )  # fmt: skip


def _journal(entry: Any) -> tuple[object, ...]:
    t = entry.transfer
    provider, order_no = t.order or ("", "")
    return (
        t.cause.value, t.debit.value, t.credit.value, t.amount, *t.wallet, literal(note for note, _ in t.notes),
        literal(amount for _, amount in t.notes), t.payee, t.redemption_id or None, provider, order_no, t.committed, t.quota_year,
        t.quota, entry.window_no,
    )  # fmt: skip
