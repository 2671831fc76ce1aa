"""Files that grow, are put aside under another name and begin anew: how far each was taken, known by its content.

A file is known by the SHA-256 of what was taken of it. A name whose file begins with those bytes has only grown. If it does not, the bytes
may stand under another name (the file was put aside), or nowhere: then the file was rewritten or cut, and is taken from its beginning.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import BinaryIO

LINE_BYTES_MAX = 16_777_216
_BLOCK_BYTES = 1_048_576
_DAY = r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
_NAME = re.compile(rf"(?P<kind>[a-z]+)(?:[-_.](?P<day>{_DAY}))?\.jsonl(?:\.(?P<number>[0-9]{{1,4}})|[-.](?P<behind>[0-9]{{8}}))?", re.ASCII)


class LineTooLong(Exception):
    """A line that does not end."""


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file's name says. `day` (YYYYMMDD) and `number` are set of a file that was put aside."""

    name: str
    kind: str
    day: str
    number: int

    @property
    def aside(self) -> bool:
        """Say whether the file was put aside, so that nothing is to be added to it any more."""
        return bool(self.day or self.number)

    @property
    def age(self) -> tuple[str, int, str, int]:
        """Sort key: of one kind the oldest first, the file that grows last."""
        return (self.kind, 1 if self.aside else 2, self.day, -self.number)

    @property
    def before(self) -> tuple[str, ...]:
        """The names the file may have had until it was put aside."""
        plain = f"{self.kind}.jsonl"
        return (plain, f"{plain}.{self.number - 1}") if self.number > 1 else (plain,)


def file_name(name: str) -> FileName | None:
    """Return what a name says, or None of a file that is none of the province's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    day = (found["day"] or found["behind"] or "").replace("-", "")
    return FileName(name, found["kind"], day, int(found["number"] or 0))


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was taken: bytes, the number of the next line, the digest of those bytes.

    `generation` counts how often the name got another file; `origin` is the digest under which the bytes were known by another name.
    """

    generation: int = 1
    taken: int = 0
    line: int = 1
    digest: str = ""
    origin: str = ""

    def text(self) -> str:
        """Return the place as it is kept."""
        return json.dumps(asdict(self))


def place_of(text: str) -> Place | None:
    """Read a place as it was kept; None where there is none."""
    return Place(**json.loads(text)) if text else None


class Digest:
    """The SHA-256 of a file's beginning, that grows with it."""

    def __init__(self) -> None:
        self._made = hashlib.sha256()

    def add(self, block: bytes) -> None:
        """Take more of the file in."""
        self._made.update(block)

    def copy(self) -> Digest:
        """Return another that stands where this one does."""
        made = Digest()
        made._made = self._made.copy()
        return made

    @property
    def text(self) -> str:
        """The digest so far."""
        return self._made.hexdigest()


def match(file: BinaryIO, size: int, places: Iterable[Place]) -> tuple[Place, Digest] | None:
    """Return the furthest of the places whose bytes the file begins with, and the digest there. Reads each byte once."""
    digest, at, best = Digest(), 0, None
    file.seek(0)
    for place in sorted((place for place in places if 0 < place.taken <= size), key=lambda place: place.taken):
        while at < place.taken and (block := file.read(min(_BLOCK_BYTES, place.taken - at))):
            digest.add(block)
            at += len(block)
        if at == place.taken and digest.text == place.digest:
            best = (place, digest.copy())
    return best


def whole_lines(file: BinaryIO, offset: int, limit: int, *, last: bool) -> bytes:
    """Return lines from an offset on, about `limit` bytes, up to the last line end; with `last`, what stands behind it as well.

    Raises LineTooLong.
    """
    file.seek(offset)
    found = file.read(limit)
    while b"\n" not in found and (block := file.read(limit)):
        found += block
        if len(found) > LINE_BYTES_MAX:
            raise LineTooLong
    end = found.rfind(b"\n") + 1
    return found if last and not file.read(1) else found[:end]
