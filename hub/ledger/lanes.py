"""Which commands may be committed beside a batch that is under way (docs/adr/0011-clearing-speed.md).

While PostgreSQL writes one batch, the process can decide the next, if none of its commands meets a row of the first. What a command
meets is known by name: its wallet and order, or a redemption whose wallet is remembered. A command of which that is not known waits
for its turn alone. Commands that could meet keep their order; row locks would keep them correct without any of this, only slower.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from contextlib import suppress
from itertools import islice

import psycopg

from hub.application.batch import Keys, WorkingSet
from hub.domain.model import OrderKey, Redemption, State
from hub.ledger.items import Item
from hub.ledger.reference import Reference
from hub.ledger.retrying import connected
from hub.ledger.trip import LedgerConnection

OWNERS_MAX = 100_000
"""How many redemptions not captured yet are remembered, about 1 KB each; beyond, the oldest are forgotten."""


class Owners:
    """The redemptions authorized here, until they are captured or ended: whose they are, which never changes, and what they hold, which
    does not as long as they are AUTHORIZED."""

    def __init__(self, limit: int = OWNERS_MAX) -> None:
        self._limit = limit
        self._owners: dict[str, Redemption] = {}

    def learn(self, ws: WorkingSet) -> None:
        """Remember what a committed batch authorized, and forget what it went on with."""
        owners, new = self._owners, ws.new_redemptions
        for identifier, redemption in ws.redemptions.items():
            if identifier in new and redemption.state is State.AUTHORIZED:
                # Equal keys that are in memory anyway take the place of those that came with the request: a quarter of its size.
                wallet, provider = ws.wallets.get(redemption.wallet), ws.providers.get(redemption.order.provider)
                if wallet is not None:
                    redemption.wallet = wallet.key
                if provider is not None:
                    redemption.order = OrderKey(provider.uscc, redemption.order.order_no)
                owners[identifier] = redemption
            else:
                owners.pop(identifier, None)
        if len(owners) > self._limit:
            # Some more than must: to find the first of a dict passes over all that were taken out before it, 13 µs each at this size.
            for identifier in list(islice(owners, len(owners) - self._limit + self._limit // 16)):
                del owners[identifier]

    def of(self, identifier: str) -> Redemption | None:
        """Return a redemption, where it is remembered."""
        return self._owners.get(identifier)

    def known(self, identifiers: Iterable[str]) -> dict[str, Redemption]:
        """Return those of the redemptions that are remembered."""
        return {identifier: kept for identifier in identifiers if (kept := self._owners.get(identifier)) is not None}


def names(item: Item, owners: Owners) -> set[Hashable] | None:
    """Return what a command may meet others on, or None where that is not known before it is read. Nobody changes the set."""
    # Whose a redemption is never changes: what is known once is not asked again, however often the command is passed over.
    if item.names is not None:
        return item.names
    keys = Keys()
    item.touch(keys)
    if keys.applications:
        return None
    found: set[Hashable] = {*keys.wallets, *keys.orders, *keys.numbers, *keys.redemptions, *keys.requests}
    if item.request is not None:
        found.add(item.request)
    for identifier in keys.redemptions:
        owner = owners.of(identifier)
        if owner is None:
            return None
        found.add(owner.wallet)
        found.add(owner.order)
    found.update(invoice_no for _, invoice_no in keys.captures)
    found.update(issuer for issuer, _ in keys.issuing)
    item.names = found
    return found


def names_of(items: Iterable[Item], owners: Owners) -> set[Hashable] | None:
    """Return what any of the commands may meet others on, or None where that is not known of one."""
    together: set[Hashable] = set()
    for item in items:
        found = names(item, owners)
        if found is None:
            return None
        together |= found
    return together


def choose(queue: deque[Item], held: set[Hashable], owners: Owners, limit: int) -> list[Item]:
    """Take out of the queue what meets nothing that is held, up to a weight of `limit`; what stays is held from there on, so that
    nothing overtakes what it could meet. A command of which it is not known ends the search."""
    batch: list[Item] = []
    left: list[Item] = []
    weight = 0
    while queue and weight + queue[0].weight <= limit:
        found = names(queue[0], owners)
        if found is None:
            break
        item = queue.popleft()
        if held.isdisjoint(found):
            weight += item.weight
            batch.append(item)
        else:
            held |= found
            left.append(item)
    queue.extendleft(reversed(left))
    return batch


class Lane:
    """One connection, what was read over it, and the batch under way."""

    def __init__(self) -> None:
        self.connection: LedgerConnection | None = None
        self.reference = Reference()
        self.batch: list[Item] = []
        self._held: set[Hashable] | None = None
        self._asked = False

    async def connect(self, database_url: str) -> None:
        """Have a connection. Raises psycopg.OperationalError where the server gives none for about ten seconds."""
        if self.connection is None or self.connection.closed:
            self.connection = await connected(database_url)

    async def drop(self) -> None:
        """Close the connection and forget what was read over it."""
        connection, self.connection, self.reference = self.connection, None, Reference()
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    def begin(self, batch: list[Item]) -> None:
        """Take a batch on."""
        self.batch, self._held, self._asked = batch, None, False

    def held(self, owners: Owners) -> set[Hashable] | None:
        """Return what the batch under way may meet others on, None where that is not known; worked out only where others wait."""
        if not self._asked:
            self._held, self._asked = names_of(self.batch, owners), True
        return self._held
