"""First round trip of a batch: lock in one fixed order, then read (design: Batch committer)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

from hub.application.batch import Keys, RequestKey, WorkingSet
from hub.domain.clock import local_date
from hub.domain.model import Redemption
from hub.ledger import rows
from hub.ledger.loader import Loader
from hub.ledger.noteids import NoteIds
from hub.ledger.reference import Reference, Wanted
from hub.ledger.trip import LedgerConnection, round_trip
from hub.ledger.wallets import WalletCache

_NONE_KNOWN: Mapping[str, Redemption] = {}


async def load(
    connection: LedgerConnection,
    keys: Keys,
    requests: Collection[RequestKey],
    reference: Reference,
    now: datetime,
    *,
    note_ids: NoteIds | None = None,
    lock: bool = True,
    wallets: WalletCache | None = None,
    known: Mapping[str, Redemption] = _NONE_KNOWN,
) -> WorkingSet:
    """Lock and read all that `keys` name, in one round trip; the locks hold until the transaction of `connection` ends.

    Wallets in `wallets` that are still as stored are not read again, nor are redemptions that are `known` as they were authorized and
    still are: none comes back to that state. Their notes then are in such a wallet. Another round trip follows where a party is met whose
    reference data is not in memory as it is now, or where what was in memory had been changed by another process.
    An issue needs `note_ids`. `lock=False` only reads: what a quote rests on may have changed by the time it is read.
    """
    ws = WorkingSet(now=now)
    ahead = (0, 0)
    if note_ids is not None:
        ahead = note_ids.ahead
        # Of those ids it is read below which numbers are taken; of no others.
        ws.next_note_id = partial(note_ids.next, ahead[1])
    loader = Loader(keys, ws, wallets or WalletCache(), known, locking="FOR UPDATE" if lock else "", ahead=ahead)
    wanted = Wanted(keys)
    async with round_trip(connection) as trip:
        loader.ask(trip, requests)
        # After the locks: what is decided is not older than anything they waited for.
        reference.ask(trip, wanted, local_date(now))
    if loader.stale:
        async with round_trip(connection) as trip:
            loader.read_anew(trip)
    for kept in ws.redemptions.values():
        wanted.enterprises.add(kept.wallet.enterprise)
        wanted.providers.add(kept.order.provider)
    for row in loader.redemption_rows:
        wanted.enterprises.add(row[2])
        wanted.providers.add(row[3])
    for application in ws.applications.values():
        wanted.enterprises.add(application.wallet.enterprise)
    await reference.complete(connection, wanted, ws)
    for row in loader.redemption_rows:
        redemption = rows.redemption(row, ws.policies)
        ws.redemptions[redemption.redemption_id] = redemption
    return ws
