"""Drawing on notes and giving back to them (rules.md A2 FACE, A3, C8, residual)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from hub.domain.decision import NoteCount
from hub.domain.model import Draw, Note, Wallet
from hub.domain.policy import QuotaBasis


@dataclass(slots=True, init=False)
class Drawable:
    """What may be drawn now: the live notes in order, how much, and whether the quota stopped the count (basis FACE)."""

    notes: Final[list[Note]]
    available: Final[int]
    within_quota: Final[int]

    def __init__(self, notes: list[Note], available: int, within_quota: int) -> None:
        self.notes, self.available, self.within_quota = notes, available, within_quota


def drawable(wallet: Wallet, today: date, basis: QuotaBasis, quota_left: int) -> Drawable:
    """Return what is available on live notes, soonest expiry first, and how much of it the quota left allows.

    Under both bases the subsidy is at most the quota left (rules.md A2). Under FACE a note not yet counted needs room for its whole
    face besides, and drawing stops at the first that finds none.
    """
    notes = [note for note in wallet.notes if note.available > 0 and note.live(today)]
    available = sum(note.available for note in notes)
    quota_left = max(quota_left, 0)
    if basis is QuotaBasis.OFFSET:
        return Drawable(notes, available, quota_left)
    usable: list[Note] = []
    room = quota_left
    for note in notes:
        cost = 0 if note.counted_year else note.face
        if cost > room:
            return Drawable(usable, available, min(quota_left, sum(item.available for item in usable)))
        room -= cost
        usable.append(note)
    return Drawable(usable, available, quota_left)


@dataclass(slots=True, init=False)
class Taken:
    """The draws for an amount, and the faces they count under basis FACE."""

    draws: Final[tuple[Draw, ...]]
    counts: Final[list[NoteCount]]
    face_counted: Final[int]

    def __init__(self, draws: tuple[Draw, ...], counts: list[NoteCount], face_counted: int) -> None:
        self.draws, self.counts, self.face_counted = draws, counts, face_counted


def take(notes: list[Note], amount: int, year: int, basis: QuotaBasis) -> Taken:
    """Draw `amount` from notes in order; the last may be drawn partly. Raises AssertionError if they hold less."""
    draws: list[Draw] = []
    counts: list[NoteCount] = []
    face_counted = 0
    for note in notes:
        if amount == 0:
            break
        part = min(note.available, amount)
        amount -= part
        draws.append(Draw(note.note_id, note.voucher_no, part))
        if basis is QuotaBasis.FACE and not note.counted_year:
            counts.append(NoteCount(note.note_id, year))
            face_counted += note.face
    assert amount == 0, "the limits of A2 let more through than the notes hold"
    return Taken(tuple(draws), counts, face_counted)


@dataclass(slots=True)
class GivenBack:
    """An amount taken off draws, last drawn first: what goes to live notes, what to the issuer, what remains drawn."""

    remaining: tuple[Draw, ...]
    to_notes: tuple[tuple[int, int], ...]
    to_issuer: tuple[tuple[int, int], ...]
    uncounted: list[NoteCount] = field(default_factory=list)
    face_uncounted: dict[int, int] = field(default_factory=dict)


def give_back(wallet: Wallet, draws: tuple[Draw, ...], amount: int, today: date, *, to_notes: bool = True) -> GivenBack:
    """Take `amount` off `draws`, last drawn first (rules.md C8).

    A part goes back to its note while the note is live and `to_notes` is true, to the issuer otherwise. A note on which nothing is
    reserved or redeemed any more stops counting under basis FACE, in the year in which it was counted.
    """
    remaining = list(draws)
    back: list[tuple[int, int]] = []
    issuer: list[tuple[int, int]] = []
    result = GivenBack((), (), ())
    while amount > 0 and remaining:
        draw = remaining.pop()
        part = min(draw.amount, amount)
        amount -= part
        if part < draw.amount:
            remaining.append(Draw(draw.note_id, draw.voucher_no, draw.amount - part))
        note = wallet.note(draw.note_id)
        (back if to_notes and note.live(today) else issuer).append((note.note_id, part))
        if note.counted_year and note.reserved + note.redeemed == part:
            result.uncounted.append(NoteCount(note.note_id, 0))
            year = note.counted_year
            result.face_uncounted[year] = result.face_uncounted.get(year, 0) + note.face
    assert amount == 0, "more given back than was drawn"
    result.remaining = tuple(remaining)
    result.to_notes = tuple(back)
    result.to_issuer = tuple(issuer)
    return result
