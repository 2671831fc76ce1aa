"""What a batch asks for in its first round trip, and how the answers become its working set.

Order of locks, the same in every process: settlement windows (shared advisory), issuers that issue (advisory), wallets, orders, invoices,
redemptions, applications, each by key. Everything after a lock is read in a later statement, so it shows what the lock waited for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from hub.application.batch import Application, Keys, RequestKey, StoredOutcome, WorkingSet
from hub.codec.outcome import recorded
from hub.domain.clock import local_date
from hub.domain.model import InvoiceUse, OrderKey, OrderState, Redemption, State, Wallet, WalletKey, in_order
from hub.ledger import lookups, rows
from hub.ledger.arrays import ints, texts
from hub.ledger.trip import Rows, Take, Trip, Value
from hub.ledger.wallets import WalletCache


def _issue_values(keys: Keys, year: int, ahead: tuple[int, int]) -> dict[str, Value]:
    issuing = list(keys.issuing)
    issuers, years = texts([issuer for issuer, _ in issuing]), texts([str(own or year) for _, own in issuing])
    return {"issuing": issuers, "years": years, "year": str(year), "first": f"{ahead[0]:010d}", "last": f"{ahead[1]:010d}"}


class Loader:
    """Asks the statements of one round trip and turns their answers into the working set, in the order they were asked."""

    def __init__(
        self, keys: Keys, ws: WorkingSet, cache: WalletCache, known: Mapping[str, Redemption], locking: str, ahead: tuple[int, int]
    ) -> None:
        self._locking = locking
        self._keys = keys
        self._ws = ws
        self._known = known
        self._named = keys.wallets.union([kept.wallet for kept in known.values()]) if known else keys.wallets
        self._order = named = list(self._named)
        self._cached: dict[tuple[str, str], tuple[int, Wallet]] = {}
        for key in named:
            kept = cache.take(key)
            if kept is not None:
                self._cached[key] = kept
        self._cache = cache
        self._reads_named = len(self._cached) < len(named)
        self._unread = [key for key in keys.redemptions if key not in known]
        self._strange = [*self._unread, *[key for key, kept in known.items() if kept.wallet not in self._cached]]
        self._moved: list[str] = []
        self._invoiced: dict[tuple[str, str], str] = {}
        self._changed: set[WalletKey] = set()
        self._held: set[int] | None = None
        self.redemption_rows: list[tuple[Any, ...]] = []
        self._values: dict[str, Value] = {
            "issuers": texts([issuer for issuer, _ in named]),
            "enterprises": texts([enterprise for _, enterprise in named]),
            "redemptions": texts(list(keys.redemptions)),
            "strange": texts(self._strange),
            "unread": texts(self._unread),
            "owning": texts(list({kept.wallet.issuer for kept in known.values()})) if known else "{}",
            "applications": texts(list(keys.applications)),
        }
        if keys.issuing or keys.applications:
            self._values |= _issue_values(keys, local_date(ws.now).year, ahead)

    def ask(self, trip: Trip, requests: Collection[RequestKey]) -> None:
        """Ask for all that the keys name, locks first and in their order."""
        self._outcomes(trip, requests)
        self._windows(trip)
        self._issuing(trip)
        self._wallets(trip)
        self._orders(trip)
        self._invoices(trip)
        self._redemptions(trip)
        self._applications(trip)
        self._notes(trip)

    @property
    def stale(self) -> bool:
        """Whether something was in memory, but not as it is stored, and is still to be read: another process changed it."""
        return bool(self._moved) or (bool(self._changed) and (not self._reads_named or bool(self._lost())))

    def _lost(self) -> list[str]:
        """Redemptions whose notes were thought to be in memory."""
        strange = set(self._strange)
        return [key for key, kept in self._known.items() if kept.wallet in self._changed and key not in strange]

    def _ask(self, trip: Trip, statement: str, params: Sequence[Value] | Mapping[str, Value], take: Take | None, touched: str = "") -> None:
        trip.ask(lookups.composed(statement, touched, self._locking), params, take)

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
        if requests:
            params = (texts([participant for participant, _ in requests]), texts([request_id for _, request_id in requests]))
            self._ask(trip, lookups.OUTCOMES, params, self._take_outcomes)

    def _take_outcomes(self, found: Rows) -> None:
        for participant, request_id, digest, status, body, at in found:
            self._ws.outcomes[RequestKey(participant, request_id)] = StoredOutcome(digest, recorded(status, body, at))

    def _windows(self, trip: Trip) -> None:
        if not self._keys.clears:
            return
        self._ask(trip, lookups.WINDOWS_LOCK, self._values, None)
        self._ask(trip, lookups.WINDOWS, self._values, self._ws.windows.update)

    def _issuing(self, trip: Trip) -> None:
        """An issuer's issues wait for one another: all that it has issued, and the numbers taken, stay as they are read here."""
        if self._keys.issuing or self._keys.applications:
            self._ask(trip, lookups.ISSUED_LOCK, self._values, None)
            self._ask(trip, lookups.ISSUED, self._values, self._ws.issued_totals.update)
            self._ask(trip, lookups.AHEAD, self._values, self._ws.taken_numbers.update)

    def _wallets(self, trip: Trip) -> None:
        touched = self._touched(unknown=False)
        if touched:
            self._ask(trip, lookups.WALLETS, self._values, self._take_wallets, touched)

    def _take_wallets(self, found: Rows) -> None:
        """A wallet that is in memory as it is stored is that one; any other starts empty."""
        wallets, versions, whole = self._ws.wallets, self._ws.versions, self._ws.whole
        for issuer, enterprise, last_expiry, version in found:
            cached = self._cached.get((issuer, enterprise))
            if cached is not None and cached[0] == version:
                wallet = cached[1]
                key = wallet.key
                whole.add(key)
            else:
                key = WalletKey(issuer, enterprise)
                kept = self._cache.take(key) if cached is None else None
                known = kept is not None and kept[0] == version
                wallet = kept[1] if kept is not None and known else Wallet(key, last_expiry)
                if known or key in self._named:
                    whole.add(key)
                if cached is not None:
                    self._changed.add(key)
            wallets[key] = wallet
            versions[key] = version

    def _orders(self, trip: Trip) -> None:
        orders = list(self._keys.orders.union([kept.order for kept in self._known.values()]) if self._known else self._keys.orders)
        touched = lookups.ORDERS_NAMED if orders else ""
        if self._strange:
            touched = f"{touched} UNION {lookups.ORDERS_OF_REDEMPTIONS}" if orders else lookups.ORDERS_OF_REDEMPTIONS
        if not touched:
            return
        params = {
            "providers": texts([provider for provider, _ in orders]),
            "order_nos": texts([order_no for _, order_no in orders]),
            "strange": self._values["strange"],
        }
        self._ask(trip, lookups.ORDERS, params, self._take_orders, touched)

    def _take_orders(self, found: Rows) -> None:
        orders = self._ws.orders
        for provider, order_no, enterprise, lines, committed in found:
            key = OrderKey(provider, order_no)
            orders[key] = OrderState(key, enterprise, rows.lines_in(orjson.loads(lines)), orjson.loads(committed))

    def _invoices(self, trip: Trip) -> None:
        captures = self._keys.captures
        if not captures:
            return
        unknown: list[tuple[str, str]] = []
        providers: list[str] = []
        numbers: list[str] = []
        for redemption_id, number in captures:
            kept = self._known.get(redemption_id)
            if kept is None:
                unknown.append((redemption_id, number))
            else:
                providers.append(kept.order.provider)
                numbers.append(number)
        params = {
            "ids": texts([redemption_id for redemption_id, _ in unknown]),
            "numbers": texts([number for _, number in unknown]),
            "providers": texts(providers),
            "known_numbers": texts(numbers),
        }
        self._ask(trip, lookups.INVOICES, params, self._take_invoices)
        self._ask(trip, lookups.INVOICE_USES, params, self._take_uses)

    def _take_invoices(self, found: Rows) -> None:
        for provider, number, order_no in found:
            self._invoiced[provider, number] = order_no
        self._ws.known_invoices = set(self._invoiced)

    def _take_uses(self, found: Rows) -> None:
        for provider, number, issuer, redemption_id in found:
            key = (provider, number)
            # Made by another process between the two statements: not locked, so not there yet. Writing it meets the other's row.
            if key in self._invoiced:
                use = InvoiceUse(issuer, redemption_id, self._invoiced[key])
                self._ws.invoices[key] = (*self._ws.invoices.get(key, ()), use)

    def _redemptions(self, trip: Trip) -> None:
        if not self._known:
            if self._unread:
                self._ask(trip, lookups.REDEMPTIONS, self._values, self.redemption_rows.extend)
            return
        self._ask(trip, lookups.REDEMPTION_STATES, self._values, self._take_states)
        if self._unread:
            self._ask(trip, lookups.REDEMPTIONS_LOCKED, self._values, self.redemption_rows.extend)

    def _take_states(self, found: Rows) -> None:
        """A redemption that is known is still what it was when it was authorized, or has left that state for good."""
        for redemption_id, state in found:
            kept = self._known.get(redemption_id)
            if kept is None:
                continue
            if state == State.AUTHORIZED:
                self._ws.redemptions[redemption_id] = kept
            else:
                self._moved.append(redemption_id)

    def _applications(self, trip: Trip) -> None:
        def take(found: Rows) -> None:
            for identifier, issuer, enterprise, *rest in found:
                self._ws.applications[identifier] = Application(identifier, WalletKey(issuer, enterprise), *rest)

        if self._keys.applications:
            self._ask(trip, lookups.APPLICATIONS, self._values, take)

    def _notes(self, trip: Trip) -> None:
        """Notes and quotas, read under the locks above: of the wallets named, all notes that may be drawn; of a redemption, its own.

        A wallet made by another process since the lock was asked for is not locked, so not there yet for this batch, which has no issue to
        it: a command that only draws comes before the notes did.
        """
        touched = self._touched(unknown=True)
        if self._reads_named:
            self._read_notes(trip)
        if self._strange:
            self._ask(trip, lookups.DRAWN, self._values, self._take_notes)
        if self._keys.numbers:
            numbers = list(self._keys.numbers)
            params = (texts([issuer for issuer, _ in numbers]), texts([number for _, number in numbers]))
            self._ask(trip, lookups.NUMBERED, params, self._take_numbered)
        if touched:
            self._ask(trip, lookups.QUOTAS, self._values, self._take_quotas, touched)

    def _read_notes(self, trip: Trip) -> None:
        """Ask for the notes of the named wallets that are not in memory as they are stored."""
        self._values["versions"] = ints([self._cached[key][0] if key in self._cached else -1 for key in self._order])
        self._ask(trip, lookups.NOTES, self._values, self._take_notes, lookups.UNKNOWN)

    def read_anew(self, trip: Trip) -> None:
        """Ask for what was in memory but not as it is stored."""
        if self._changed and not self._reads_named:
            self._read_notes(trip)
            self._ask(trip, lookups.QUOTAS, self._values, self._take_quotas, lookups.UNKNOWN)
        # What went on elsewhere may hold notes that no longer mattered when its wallet was read.
        if lost := [*self._lost(), *self._moved]:
            self._ask(trip, lookups.DRAWN, {"strange": texts(lost)}, self._take_notes)
        if self._moved:
            self._ask(trip, lookups.REDEMPTIONS_LOCKED, {"unread": texts(self._moved)}, self.redemption_rows.extend)

    def _take_notes(self, found: Rows) -> None:
        wallets: dict[Any, Wallet] = self._ws.wallets
        held = self._held
        if held is None:
            held = self._held = {note.note_id for wallet in wallets.values() for note in wallet.notes}
        added: dict[WalletKey, Wallet] = {}
        for row in found:
            wallet = wallets.get((row[1], row[2]))
            if wallet is not None and row[0] not in held:
                held.add(row[0])
                added[wallet.key] = wallet
                wallet.notes.append(rows.note(row, wallet.key))
        for wallet in added.values():
            wallet.notes.sort(key=in_order)

    def _take_numbered(self, found: Rows) -> None:
        self._ws.taken_numbers.update((row[1], row[3]) for row in found)
        self._take_notes(found)

    def _take_quotas(self, found: Rows) -> None:
        wallets: dict[Any, Wallet] = self._ws.wallets
        for issuer, enterprise, year, used, issued in found:
            wallet = wallets.get((issuer, enterprise))
            if wallet is not None:
                wallet.quota_used[year], wallet.issued[year] = used, issued
