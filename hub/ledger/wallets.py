"""Wallets kept in memory between batches, with their notes and quotas; a wallet row's version says whether they are still what is stored.

A batch takes the wallets that it touches out, changes them, and puts them back when it is committed. Where it fails they stay out, and
the next batch reads them again.
"""

from __future__ import annotations

from hub.domain.model import Wallet, WalletKey

BYTES_MAX = 80 * 2**20
"""How much memory they may take, by the weights below; beyond, those that were used longest ago go. About 50,000 of one note, or 16,000
of ten."""

# Measured on CPython 3.11, and rounded up: a wallet that has quotas of one year 1,050 bytes with its place in here, each year more 93 for
# each of the two quotas, each note 385.
WALLET_BYTES = 1_000
QUOTA_BYTES = 100
NOTE_BYTES = 400


class WalletCache:
    """Whole wallets by key, the last used last."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: dict[WalletKey, tuple[int, Wallet]] = {}

    def take(self, key: WalletKey) -> tuple[int, Wallet] | None:
        """Take a wallet out, with its version; None where it is not kept."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= weight(kept[1])
        return kept

    def put(self, version: int, wallet: Wallet) -> None:
        """Keep a wallet as a committed batch left it. Notes on which nothing is available or reserved are let go."""
        wallet.notes = [note for note in wallet.notes if note.available or note.reserved]
        self._kept[wallet.key] = version, wallet
        self._bytes += weight(wallet)
        if self._bytes > self._bytes_max:
            self._let_go()

    def _let_go(self) -> None:
        """Let the oldest go, some more than must: to find the first of a dict passes over all that were taken out before it."""
        enough = self._bytes_max - self._bytes_max // 16
        oldest: list[WalletKey] = []
        for key, (_, wallet) in self._kept.items():
            if self._bytes <= enough:
                break
            self._bytes -= weight(wallet)
            oldest.append(key)
        for key in oldest:
            del self._kept[key]


def weight(wallet: Wallet) -> int:
    """Return about how many bytes a wallet takes while it is kept."""
    return WALLET_BYTES + NOTE_BYTES * len(wallet.notes) + QUOTA_BYTES * (len(wallet.quota_used) + len(wallet.issued))
