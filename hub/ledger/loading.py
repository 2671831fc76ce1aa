"""First round trip of a batch: lock in one fixed order, then read (design: Batch committer).

Order of locks, the same in every process: settlement windows (shared advisory), wallets, orders, invoices, redemptions, applications,
each by key. Everything after a lock is read in a later statement, so it shows what the lock waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from hub.application.batch import Application, Keys, RequestKey, StoredOutcome, WorkingSet
from hub.codec.outcome import recorded
from hub.domain.clock import local_date
from hub.domain.model import InvoiceUse, OrderKey, OrderState, Wallet, WalletKey, in_order
from hub.ledger import lookups, rows
from hub.ledger.arrays import ints, texts
from hub.ledger.reference import Reference, Wanted
from hub.ledger.trip import LedgerConnection, Rows, Take, Trip, Value, round_trip
from hub.ledger.wallets import WalletCache


class Owner(NamedTuple):
    """What a redemption belongs to, for good."""

    wallet: WalletKey
    order: OrderKey


_NO_OWNERS: Mapping[str, Owner] = {}


async def load(
    connection: LedgerConnection,
    keys: Keys,
    requests: Collection[RequestKey],
    reference: Reference,
    now: datetime,
    next_note_id: Callable[[], int] = lambda: 0,
    *,
    lock: bool = True,
    wallets: WalletCache | None = None,
    known: Mapping[str, Owner] = _NO_OWNERS,
) -> WorkingSet:
    """Lock and read all that `keys` name, in one round trip; the locks hold until the transaction of `connection` ends.

    Wallets in `wallets` that are still as stored are not read again; `known` are owners of redemptions that are not captured yet, whose
    notes then are in such a wallet. Another round trip follows where a party is met whose reference
    data is not in memory as it is now, or where all named wallets were in memory and another process changed one of them.
    `lock=False` only reads: what a quote rests on may have changed by the time it is read.
    """
    ws = WorkingSet(now=now, next_note_id=next_note_id)
    loader = _Loader(keys, ws, wallets or WalletCache(), known, locking="FOR UPDATE" if lock else "")
    wanted = Wanted(keys)
    async with round_trip(connection) as trip:
        loader.ask(trip, requests)
        # After the locks: what is decided is not older than anything they waited for.
        reference.ask(trip, wanted, local_date(now))
    if loader.stale:
        async with round_trip(connection) as trip:
            loader.read_anew(trip)
    wanted.add((row[2] for row in loader.redemption_rows), (row[3] for row in loader.redemption_rows))
    wanted.add((item.wallet.enterprise for item in ws.applications.values()), ())
    await reference.complete(connection, wanted, ws)
    for row in loader.redemption_rows:
        redemption = rows.redemption(row, ws.policies)
        ws.redemptions[redemption.redemption_id] = redemption
    return ws


class _Loader:
    """Asks the statements of one round trip and turns their answers into the working set, in the order they were asked."""

    def __init__(self, keys: Keys, ws: WorkingSet, cache: WalletCache, known: Mapping[str, Owner], locking: str) -> None:
        self._locking = locking
        self._keys = keys
        self._ws = ws
        self._owners = known
        self._named = sorted(keys.wallets.union([owner.wallet for owner in known.values()]))
        self._cached = {key: kept for key in self._named if (kept := cache.take(key)) is not None}
        self._cache = cache
        self._reads_named = len(self._cached) < len(self._named)
        self._strange = sorted(key for key in keys.redemptions if key not in known or known[key].wallet not in self._cached)
        self._changed: set[WalletKey] = set()
        self._held: set[int] = set()
        self.redemption_rows: list[tuple[Any, ...]] = []
        self._values: dict[str, Value] = {
            "issuers": texts(key.issuer for key in self._named),
            "enterprises": texts(key.enterprise for key in self._named),
            "versions": ints([self._cached[key][0] if key in self._cached else -1 for key in self._named]),
            "redemptions": texts(sorted(keys.redemptions)),
            "strange": texts(self._strange),
            "owning": texts(sorted({owner.wallet.issuer for owner in known.values()})),
            "applications": texts(sorted(keys.applications)),
        }

    def ask(self, trip: Trip, requests: Collection[RequestKey]) -> None:
        """Ask for all that the keys name, locks first and in their order."""
        self._outcomes(trip, requests)
        self._windows(trip)
        self._wallets(trip)
        self._orders(trip)
        self._invoices(trip)
        self._redemptions(trip)
        self._applications(trip)
        self._notes(trip)

    @property
    def stale(self) -> bool:
        """Whether wallets were in memory, but not as they are stored, and something of them is still to be read: another process changed
        them."""
        return bool(self._changed) and (not self._reads_named or bool(self._lost()))

    def _lost(self) -> list[str]:
        """Redemptions whose notes were thought to be in memory."""
        strange = set(self._strange)
        return [key for key, owner in self._owners.items() if owner.wallet in self._changed and key not in strange]

    def _ask(self, trip: Trip, statement: str, params: Sequence[Value] | Mapping[str, Value], take: Take | None) -> None:
        trip.ask(statement.replace(lookups.LOCK, self._locking), params, take)

    def _touched(self, *, unknown: bool) -> str:
        """SQL of the wallets that the batch touches; `unknown` leaves out those that are in memory as they are stored."""
        parts = []
        if self._named and not unknown:
            parts.append(lookups.NAMED)
        if self._reads_named and unknown:
            parts.append(lookups.UNKNOWN)
        if self._strange:
            parts.append(lookups.OF_REDEMPTIONS)
        if self._keys.applications:
            parts.append(lookups.OF_APPLICATIONS)
        return " UNION ".join(parts)

    def _outcomes(self, trip: Trip, requests: Collection[RequestKey]) -> None:
        def take(found: Rows) -> None:
            for participant, request_id, digest, *answer in found:
                self._ws.outcomes[RequestKey(participant, request_id)] = StoredOutcome(digest, recorded(*answer))

        if requests:
            params = (texts(key.participant_id for key in requests), texts(key.request_id for key in requests))
            self._ask(trip, lookups.OUTCOMES, params, take)

    def _windows(self, trip: Trip) -> None:
        if not self._keys.clears:
            return
        self._ask(trip, lookups.WINDOWS_LOCK, self._values, None)
        self._ask(trip, lookups.WINDOWS, self._values, self._ws.windows.update)

    def _wallets(self, trip: Trip) -> None:
        touched = self._touched(unknown=False)
        if touched:
            self._ask(trip, lookups.WALLETS.format(wallets=touched), self._values, self._take_wallets)

    def _take_wallets(self, found: Rows) -> None:
        """A wallet that is in memory as it is stored is that one; any other starts empty."""
        ws, named = self._ws, set(self._named)
        for issuer, enterprise, last_expiry, version in found:
            key = WalletKey(issuer, enterprise)
            kept = self._cached.get(key) or self._cache.take(key)
            known = kept is not None and kept[0] == version
            wallet = ws.wallets[key] = kept[1] if kept is not None and known else Wallet(key, last_expiry)
            ws.versions[key] = version
            self._held.update([note.note_id for note in wallet.notes])
            if known or key in named:
                ws.whole.add(key)
            if not known and key in self._cached:
                self._changed.add(key)

    def _orders(self, trip: Trip) -> None:
        orders = sorted(self._keys.orders.union([owner.order for owner in self._owners.values()]))
        parts = [lookups.ORDERS_NAMED] if orders else []
        if self._strange:
            parts.append(lookups.ORDERS_OF_REDEMPTIONS)
        if not parts:
            return
        params = {
            "providers": texts(key.provider for key in orders),
            "order_nos": texts(key.order_no for key in orders),
            "strange": self._values["strange"],
        }

        def take(found: Rows) -> None:
            for provider, order_no, enterprise, lines, committed in found:
                key = OrderKey(provider, order_no)
                self._ws.orders[key] = OrderState(key, enterprise, rows.lines_in(lines), committed)

        self._ask(trip, lookups.ORDERS.format(orders=" UNION ".join(parts)), params, take)

    def _invoices(self, trip: Trip) -> None:
        captures = sorted(self._keys.captures)
        if not captures:
            return
        unknown = [item for item in captures if item[0] not in self._owners]
        direct = [(self._owners[key].order.provider, number) for key, number in captures if key in self._owners]
        params = {
            "ids": texts(key for key, _ in unknown),
            "numbers": texts(number for _, number in unknown),
            "providers": texts(provider for provider, _ in direct),
            "known_numbers": texts(number for _, number in direct),
        }
        orders: dict[tuple[str, str], str] = {}

        def take(found: Rows) -> None:
            orders.update({(provider, number): order_no for provider, number, order_no in found})
            self._ws.known_invoices = set(orders)

        def take_uses(found: Rows) -> None:
            for provider, number, issuer, redemption_id in found:
                key = (provider, number)
                # Made by another process between the two statements: not locked, so not there yet. Writing it meets the other's row.
                if key in orders:
                    use = InvoiceUse(issuer, redemption_id, orders[key])
                    self._ws.invoices[key] = (*self._ws.invoices.get(key, ()), use)

        self._ask(trip, lookups.INVOICES, params, take)
        self._ask(trip, lookups.INVOICE_USES, params, take_uses)

    def _redemptions(self, trip: Trip) -> None:
        if self._keys.redemptions:
            self._ask(trip, lookups.REDEMPTIONS, self._values, self.redemption_rows.extend)

    def _applications(self, trip: Trip) -> None:
        def take(found: Rows) -> None:
            for identifier, issuer, enterprise, *rest in found:
                self._ws.applications[identifier] = Application(identifier, WalletKey(issuer, enterprise), *rest)

        if self._keys.applications:
            self._ask(trip, lookups.APPLICATIONS, self._values, take)

    def _notes(self, trip: Trip) -> None:
        """Notes and quotas, read under the locks above: of the wallets named, all notes that may be drawn; of a redemption, its own.

        A wallet made by another process since the lock was asked for is not locked, so not there yet for this batch: an issue to it meets
        the other's row when it is written and runs again; a command that only draws comes before the notes did.
        """
        touched = self._touched(unknown=True)
        if self._reads_named:
            self._ask(trip, lookups.NOTES.format(wallets=lookups.UNKNOWN), self._values, self._take_notes)
        if self._strange:
            self._ask(trip, lookups.DRAWN, self._values, self._take_notes)
        if self._keys.numbers:
            numbers = sorted(self._keys.numbers)
            params = (texts(issuer for issuer, _ in numbers), texts(number for _, number in numbers))
            self._ask(trip, lookups.NUMBERED, params, self._take_numbered)
        if touched:
            self._ask(trip, lookups.QUOTAS.format(wallets=touched), self._values, self._take_quotas)

    def read_anew(self, trip: Trip) -> None:
        """Ask for what was in memory but not as it is stored."""
        if not self._reads_named:
            self._ask(trip, lookups.NOTES.format(wallets=lookups.UNKNOWN), self._values, self._take_notes)
            self._ask(trip, lookups.QUOTAS.format(wallets=lookups.UNKNOWN), self._values, self._take_quotas)
        if lost := self._lost():
            self._ask(trip, lookups.DRAWN, {"strange": texts(lost)}, self._take_notes)

    def _take_notes(self, found: Rows) -> None:
        added: dict[WalletKey, Wallet] = {}
        for row in found:
            note = rows.note(row)
            wallet = self._ws.wallets.get(note.wallet)
            if wallet is not None and note.note_id not in self._held:
                self._held.add(note.note_id)
                added[note.wallet] = wallet
                wallet.notes.append(note)
        for wallet in added.values():
            wallet.notes.sort(key=in_order)

    def _take_numbered(self, found: Rows) -> None:
        self._ws.taken_numbers = {(row[1], row[3]) for row in found}
        self._take_notes(found)

    def _take_quotas(self, found: Rows) -> None:
        for issuer, enterprise, year, used, issued in found:
            wallet = self._ws.wallets.get(WalletKey(issuer, enterprise))
            if wallet is not None:
                wallet.quota_used[year], wallet.issued[year] = used, issued
