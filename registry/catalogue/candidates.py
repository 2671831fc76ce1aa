"""Which pairs are worth comparing. Pure: ten thousand providers are fifty million pairs, of which a few thousand share a rare piece."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, TypeVar

from registry.catalogue.similarity import (
    PROPOSED_FROM,
    Alike,
    Institution,
    Instrument,
    compare_institutions,
    compare_instruments,
    core_name,
    organisation_code,
    plain,
)

T = TypeVar("T")

RARE_PIECES = 3
BLOCK_MAX = 300
"""Things that share a piece which more than this many have are not compared for it: the piece says nothing."""


class Pair(NamedTuple):
    """Two things that may be the same, by their place in what was given."""

    left: int
    right: int
    alike: Alike


def same_institutions(items: Sequence[Institution]) -> list[Pair]:
    """Return the institutions that are alike enough to be proposed as one, most alike first."""
    names = [core_name(item.name) for item in items]
    rare = _rare_pieces(names)

    def keys(at: int) -> Iterator[Hashable]:
        yield organisation_code(items[at].code)
        yield from rare(names[at])

    return _alike(items, keys, compare_institutions)


def same_instruments(items: Sequence[Instrument]) -> list[Pair]:
    """Return the instruments that are alike enough to be proposed as one, most alike first."""
    holders = [core_name(item.institution) for item in items]
    rare = _rare_pieces(holders)

    def keys(at: int) -> Iterator[Hashable]:
        model = plain(items[at].model)
        if items[at].serial_no:
            yield model, "serial", plain(items[at].serial_no)
        if items[at].owner:
            yield model, "owner", items[at].owner
        for piece in rare(holders[at]):
            yield model, "holder", piece

    return _alike(items, keys, compare_instruments)


def _rare_pieces(texts: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what gives the rarest pieces of two characters of a text: a slip of the pen leaves one of them whole."""
    counts = Counter(piece for text in texts for piece in _pieces(text))
    return lambda text: sorted(_pieces(text), key=lambda piece: (counts[piece], piece))[:RARE_PIECES]


def _pieces(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)} or {text}


def _alike(items: Sequence[T], keys: Callable[[int], Iterator[Hashable]], compare: Callable[[T, T], Alike]) -> list[Pair]:
    blocks: dict[Hashable, list[int]] = defaultdict(list)
    for at in range(len(items)):
        for key in keys(at):
            blocks[key].append(at)
    seen: set[tuple[int, int]] = set()
    found: list[Pair] = []
    for block in blocks.values():
        if not 2 <= len(block) <= BLOCK_MAX:
            continue
        for pair in combinations(block, 2):
            if pair not in seen:
                seen.add(pair)
                alike = compare(items[pair[0]], items[pair[1]])
                if alike.score >= PROPOSED_FROM:
                    found.append(Pair(*pair, alike))
    return sorted(found, key=lambda pair: (-pair.alike.score, pair.left, pair.right))
