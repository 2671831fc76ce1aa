"""Wallets kept in memory between batches, with their notes and quotas; a wallet row's version says whether they are still what is stored.

A batch takes the wallets that it touches out, changes them, and puts them back when it is committed. Where it fails they stay out, and
the next batch reads them again.
"""

from __future__ import annotations

from hub.domain.model import Wallet, WalletKey

NOTES_MAX = 100_000
"""How many notes are kept, about 400 bytes each; beyond, the wallets that were used longest ago go."""


class WalletCache:
    """Whole wallets by key, the last used last."""

    def __init__(self, notes_max: int = NOTES_MAX) -> None:
        self._notes_max = notes_max
        self._notes = 0
        self._kept: dict[WalletKey, tuple[int, Wallet]] = {}

    def take(self, key: WalletKey) -> tuple[int, Wallet] | None:
        """Take a wallet out, with its version; None where it is not kept."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._notes -= len(kept[1].notes)
        return kept

    def put(self, version: int, wallet: Wallet) -> None:
        """Keep a wallet as a committed batch left it. Notes on which nothing is available or reserved are let go."""
        wallet.notes = [note for note in wallet.notes if note.available or note.reserved]
        self._kept[wallet.key] = version, wallet
        self._notes += len(wallet.notes)
        while self._notes > self._notes_max:
            self.take(next(iter(self._kept)))
