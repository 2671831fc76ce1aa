"""First round trip of a batch: lock in one fixed order, then read (design: Batch committer).

Order of locks, the same in every process: settlement windows (shared advisory), wallets, orders, invoices, redemptions, applications,
each by key. Everything after a lock is read in a later statement, so it shows what the lock waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor

from hub.application.batch import Application, Keys, RequestKey, StoredOutcome, WorkingSet
from hub.codec.outcome import Outcome
from hub.domain.clock import local_date
from hub.domain.model import InvoiceUse, OrderKey, OrderState, Recognition, Wallet, WalletKey
from hub.ledger import rows
from hub.ledger.connection import flush
from hub.ledger.policies import PolicyCache

WINDOW_LOCK = 7_310
"""First key of the advisory locks on settlement windows; the second is the issuer's division."""

_LOCK = "/*lock*/"

_Cursor = AsyncCursor[tuple[Any, ...]]

_OUTCOMES = """
SELECT participant_id, request_id::text, digest, status, body FROM idempotency
WHERE (participant_id, request_id) IN (SELECT * FROM unnest(%s::text[], %s::uuid[]))"""

_WINDOWS_LOCK = f"""
SELECT pg_advisory_xact_lock_shared({WINDOW_LOCK}, issuer::int)
FROM (SELECT DISTINCT issuer FROM redemption WHERE redemption_id = ANY(%s::uuid[]) ORDER BY issuer) AS touched"""

_WINDOWS = """
SELECT issuer, window_no FROM open_window
WHERE issuer IN (SELECT issuer FROM redemption WHERE redemption_id = ANY(%s::uuid[]))"""

_TOUCHED_WALLETS = """
SELECT * FROM unnest(%(issuers)s::text[], %(enterprises)s::text[])
UNION SELECT issuer, enterprise FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[])
UNION SELECT issuer, enterprise FROM voucher_application WHERE application_id = ANY(%(applications)s::uuid[])"""

_WALLETS = f"""
SELECT issuer, enterprise, last_expiry FROM wallet WHERE (issuer, enterprise) IN ({_TOUCHED_WALLETS})
ORDER BY issuer, enterprise /*lock*/"""

_ORDERS = """
SELECT provider, order_no, enterprise, lines, committed FROM service_order WHERE (provider, order_no) IN (
  SELECT * FROM unnest(%(providers)s::text[], %(order_nos)s::text[])
  UNION SELECT provider, order_no FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[]))
ORDER BY provider, order_no /*lock*/"""

_CAPTURED = """
SELECT r.provider, c.invoice_no FROM unnest(%s::uuid[], %s::text[]) AS c(id, invoice_no)
JOIN redemption AS r ON r.redemption_id = c.id"""

_INVOICES = f"""
SELECT provider, invoice_no, order_no FROM invoice WHERE (provider, invoice_no) IN ({_CAPTURED})
ORDER BY provider, invoice_no /*lock*/"""

_INVOICE_USES = f"""
SELECT u.provider, u.invoice_no, u.issuer, u.redemption_id::text FROM invoice_use AS u
WHERE (u.provider, u.invoice_no) IN ({_CAPTURED})"""

_REDEMPTIONS = f"""
SELECT {rows.REDEMPTION_COLUMNS} FROM redemption WHERE redemption_id = ANY(%s::uuid[]) ORDER BY redemption_id /*lock*/"""

_APPLICATIONS = """
SELECT application_id::text, issuer, enterprise, kind, requested, approved, state, filed_at FROM voucher_application
WHERE application_id = ANY(%s::uuid[]) ORDER BY application_id /*lock*/"""

_VOUCHERS = f"""
SELECT {rows.VOUCHER_COLUMNS} FROM voucher
WHERE (issuer, enterprise) IN ({_TOUCHED_WALLETS})
  AND (available > 0 OR note_id IN (
    SELECT unnest(draw_notes) FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[]))
    OR (issuer, voucher_no) IN (SELECT * FROM unnest(%(number_issuers)s::text[], %(numbers)s::text[])))
ORDER BY expires_on, voucher_no COLLATE "C" """

_QUOTAS = f"SELECT issuer, enterprise, year, used, issued FROM quota WHERE (issuer, enterprise) IN ({_TOUCHED_WALLETS})"

_ENTERPRISES = f"""
SELECT e.uscc, e.name, e.division, e.kind, e.sme_no, e.sme_valid_from, e.sme_valid_until, e.staff,
  (SELECT min(n.since) FROM registry.negative_list AS n
   WHERE n.enterprise = e.uscc AND n.since <= %(today)s AND (n.until IS NULL OR n.until > %(today)s))
FROM enterprise AS e
WHERE e.uscc IN (SELECT t.enterprise FROM ({_TOUCHED_WALLETS}) AS t(issuer, enterprise) UNION SELECT unnest(%(uscc)s::text[]))"""

_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.categories, p.admitted_on, p.rating,
  (SELECT min(s.since) FROM registry.suspension AS s
   WHERE s.provider = p.uscc AND s.since <= %(today)s AND (s.until IS NULL OR s.until > %(today)s))
FROM registry.provider AS p
WHERE p.uscc IN (
  SELECT unnest(%(uscc)s::text[]) UNION SELECT provider FROM redemption WHERE redemption_id = ANY(%(redemptions)s::uuid[]))"""

_RECOGNITIONS = """
SELECT issuer, provider, valid_from, valid_until, agreement FROM registry.recognition
WHERE (issuer, provider) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""

_NUMBERS = "SELECT issuer, voucher_no FROM voucher WHERE (issuer, voucher_no) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"


async def load(
    connection: AsyncConnection[Any],
    keys: Keys,
    requests: Collection[RequestKey],
    policies: PolicyCache,
    now: datetime,
    next_note_id: Callable[[], int],
    *,
    lock: bool = True,
) -> WorkingSet:
    """Lock and read all that `keys` name, in one round trip; the locks hold until the transaction of `connection` ends.

    `lock=False` only reads: what a quote rests on may have changed by the time it is read.
    """
    ws = WorkingSet(now=now, next_note_id=next_note_id)
    loader = _Loader(connection, keys, local_date(now), ws, locking="FOR UPDATE" if lock else "")
    async with connection.pipeline():
        finishers = [
            await loader.outcomes(requests),
            await loader.windows(),
            await loader.wallets(),
            await loader.orders(),
            await loader.invoices(),
            await loader.redemptions(),
            await loader.applications(),
            await loader.parties(),
        ]
        count = await policies.probe(connection)
        await flush(connection)
    ws.policies = await policies.current(connection, await count())
    for finish in finishers:
        await finish()
    return ws


_Finish = Callable[[], Awaitable[None]]


class _Loader:
    """Queues the statements of one round trip; each method returns what turns its answers into the working set."""

    def __init__(self, connection: AsyncConnection[Any], keys: Keys, today: date, ws: WorkingSet, locking: str) -> None:
        self._connection = connection
        self._locking = locking
        self._keys = keys
        self._today = today
        self._ws = ws
        self._ids = sorted(keys.redemptions)
        wallets = sorted(keys.wallets)
        numbers = sorted(keys.numbers)
        self._touched: dict[str, object] = {
            "issuers": [key.issuer for key in wallets],
            "enterprises": [key.enterprise for key in wallets],
            "redemptions": self._ids,
            "applications": sorted(keys.applications),
            "number_issuers": [issuer for issuer, _ in numbers],
            "numbers": [number for _, number in numbers],
            "today": today,
            "uscc": sorted(keys.enterprises),
        }

    async def _send(self, statement: str, params: Sequence[object] | Mapping[str, object]) -> _Cursor:
        return await self._connection.execute(statement.replace(_LOCK, self._locking), params)

    async def outcomes(self, requests: Collection[RequestKey]) -> _Finish:
        cursor = await self._send(_OUTCOMES, ([key.participant_id for key in requests], [key.request_id for key in requests]))

        async def finish() -> None:
            for participant, request_id, digest, status, body in await cursor.fetchall():
                self._ws.outcomes[RequestKey(participant, request_id)] = StoredOutcome(digest, Outcome(status, body))

        return finish

    async def windows(self) -> _Finish:
        if not self._keys.clears:
            return _nothing
        await self._send(_WINDOWS_LOCK, (self._ids,))
        cursor = await self._send(_WINDOWS, (self._ids,))

        async def finish() -> None:
            self._ws.windows = dict(await cursor.fetchall())

        return finish

    async def wallets(self) -> _Finish:
        wallets = await self._send(_WALLETS, self._touched)

        async def finish() -> None:
            for issuer, enterprise, last_expiry in await wallets.fetchall():
                key = WalletKey(issuer, enterprise)
                self._ws.wallets[key] = Wallet(key, last_expiry)

        return finish

    async def orders(self) -> _Finish:
        if not (self._keys.orders or self._ids):
            return _nothing
        orders = sorted(self._keys.orders)
        params = {"providers": [key.provider for key in orders], "order_nos": [key.order_no for key in orders], "redemptions": self._ids}
        cursor = await self._send(_ORDERS, params)

        async def finish() -> None:
            for provider, order_no, enterprise, lines, committed in await cursor.fetchall():
                key = OrderKey(provider, order_no)
                self._ws.orders[key] = OrderState(key, enterprise, rows.lines_in(lines), committed)

        return finish

    async def invoices(self) -> _Finish:
        captures = sorted(self._keys.captures)
        if not captures:
            return _nothing
        params = ([item[0] for item in captures], [item[1] for item in captures])
        locked = await self._send(_INVOICES, params)
        uses = await self._send(_INVOICE_USES, params)

        async def finish() -> None:
            orders = {(provider, number): order_no for provider, number, order_no in await locked.fetchall()}
            self._ws.known_invoices = set(orders)
            for provider, number, issuer, redemption_id in await uses.fetchall():
                key = (provider, number)
                # Made by another process between the two statements: not locked, so not there yet. Writing it meets the other's row.
                if key in orders:
                    use = InvoiceUse(issuer, redemption_id, orders[key])
                    self._ws.invoices[key] = (*self._ws.invoices.get(key, ()), use)

        return finish

    async def redemptions(self) -> _Finish:
        if not self._ids:
            return _nothing
        cursor = await self._send(_REDEMPTIONS, (self._ids,))

        async def finish() -> None:
            for row in await cursor.fetchall():
                redemption = rows.redemption(row, self._ws.policies)
                self._ws.redemptions[redemption.redemption_id] = redemption

        return finish

    async def applications(self) -> _Finish:
        if not self._keys.applications:
            return _nothing
        cursor = await self._send(_APPLICATIONS, (sorted(self._keys.applications),))

        async def finish() -> None:
            for identifier, issuer, enterprise, *rest in await cursor.fetchall():
                self._ws.applications[identifier] = Application(identifier, WalletKey(issuer, enterprise), *rest)

        return finish

    async def parties(self) -> _Finish:
        """Notes, quotas, enterprises, providers, recognitions, numbers taken: all read under the locks above."""
        pairs = sorted(self._keys.recognitions)
        providers = {"uscc": sorted(self._keys.providers), "redemptions": self._ids, "today": self._today}
        notes = await self._send(_VOUCHERS, self._touched)
        quotas = await self._send(_QUOTAS, self._touched)
        enterprises = await self._send(_ENTERPRISES, self._touched)
        known = await self._send(_PROVIDERS, providers)
        recognitions = await self._send(_RECOGNITIONS, ([pair[0] for pair in pairs], [pair[1] for pair in pairs]))
        numbers = await self._send(_NUMBERS, (self._touched["number_issuers"], self._touched["numbers"]))

        async def finish() -> None:
            ws = self._ws
            # A wallet made by another process since the lock was asked for is not locked, so not there yet for this batch: an issue to
            # it meets the other's row when it is written and runs again; a command that only draws comes before the notes did.
            for row in await notes.fetchall():
                note = rows.note(row)
                if note.wallet in ws.wallets:
                    ws.wallets[note.wallet].notes.append(note)
            for issuer, enterprise, year, used, issued in await quotas.fetchall():
                wallet = ws.wallets.get(WalletKey(issuer, enterprise))
                if wallet is not None:
                    wallet.quota_used[year], wallet.issued[year] = used, issued
            ws.enterprises = {row[0]: rows.enterprise(row) for row in await enterprises.fetchall()}
            ws.providers = {row[0]: rows.provider(row) for row in await known.fetchall()}
            for issuer, provider, *rest in await recognitions.fetchall():
                ws.recognitions[issuer, provider] = (*ws.recognitions.get((issuer, provider), ()), Recognition(*rest))
            ws.taken_numbers = set(await numbers.fetchall())

        return finish


async def _nothing() -> None:
    return None
