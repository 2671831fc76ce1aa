"""Wallets in memory are bounded by what they take, whether they hold notes or not."""

from __future__ import annotations

import tracemalloc
from datetime import date

import pytest

from hub.domain.model import Note, Wallet, WalletKey
from hub.ledger.wallets import WalletCache, weight

DAY = date(2027, 1, 1)
YEARS = {"no quota": 0, "a quota": 1, "quotas of many years": 30}


def wallet(number: int, notes: int = 0, years: int = 0) -> Wallet:
    key = WalletKey("310000", f"91310118{number:010d}")
    made = Wallet(key, DAY)
    for place in range(notes):
        made.notes.append(Note(number + place, f"310000-2026-{number + place:010d}", key, number, number, 0, 0, 0, DAY, DAY))
    for year in range(2_000, 2_000 + years):
        made.quota_used[int(str(year))], made.issued[int(str(year))] = number + year, number + 2 * year
    return made


def kept(cache: WalletCache, numbers: range) -> list[int]:
    return [number for number in numbers if cache.take(wallet(number).key) is not None]


@pytest.mark.parametrize("notes", [0, 1, 10], ids=["no notes", "one note", "ten notes"])
@pytest.mark.parametrize("years", list(YEARS.values()), ids=list(YEARS))
def test_the_oldest_go_where_there_is_no_room(notes: int, years: int) -> None:
    of_one = weight(wallet(1_000, notes, years))
    cache = WalletCache(20 * of_one)
    for number in range(1_000, 1_050):
        cache.put(1, wallet(number, notes, years))
    left = kept(cache, range(1_000, 1_050))
    assert left == list(range(1_050 - len(left), 1_050))
    assert 18 <= len(left) <= 20


def test_what_is_used_again_stays() -> None:
    first, of_one = wallet(1_000), weight(wallet(1_000))
    cache = WalletCache(20 * of_one)
    cache.put(1, first)
    for number in range(1_001, 1_100):
        cache.put(1, wallet(number))
        again = cache.take(first.key)
        assert again == (1, first)
        cache.put(*again)


def test_what_was_taken_out_leaves_room() -> None:
    cache = WalletCache(20 * weight(wallet(1_000, 2)))
    for number in range(1_000, 1_100):
        cache.put(1, wallet(number, 2))
        assert cache.take(wallet(number).key) is not None
    for number in range(1_000, 1_020):
        cache.put(1, wallet(number, 2))
    assert kept(cache, range(1_000, 1_020)) == list(range(1_000, 1_020))


@pytest.mark.parametrize("notes", [0, 1, 10], ids=["no notes", "one note", "ten notes"])
@pytest.mark.parametrize("years", list(YEARS.values()), ids=list(YEARS))
def test_a_wallet_weighs_what_it_takes(notes: int, years: int) -> None:
    """Within a third: what is bounded by weight is bounded in memory."""
    count = 2_000
    cache = WalletCache(2**40)
    tracemalloc.start()
    try:
        for number in range(1_000, 1_000 + count):
            cache.put(number, wallet(number, notes, years))
        measured = tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
    assert measured < 4 / 3 * weight(wallet(1_000, notes, years))
