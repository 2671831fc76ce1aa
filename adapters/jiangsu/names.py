"""How Jiangsu's files are called, where they go, and what stands in a checksum file. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

NAME = re.compile(r"JS_(QY|JG|HR|FQ|DD|DF)_([0-9]{8})(?:_([0-9]{1,6}))?\.csv", re.ASCII)
_ARCHIVED = re.compile(r"(JS_[A-Z]{2}_[0-9]{8}(?:_[0-9]{1,6})?)(?:\.[0-9a-f]{12})?\.csv", re.ASCII)
_ORDER = ("QY", "JG", "HR", "FQ", "DD", "DF")
_SUM = re.compile(r"([0-9a-fA-F]{64})(?:[ \t]+\*?([^\r\n]+))?[\r\n]*", re.ASCII)
TEMPORARY = (".tmp", ".part", ".filepart", ".uploading")
"""Endings of files still being written, whoever writes them."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file's place in the order of reading: day, kind (firms before the orders that name them), number."""

    day: str
    kind: int
    number: int


def place_of(name: str) -> Place | None:
    """Return a data file's place, or None for a name that is none, or whose day is no day."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    try:
        day = date(int(found[2][:4]), int(found[2][4:6]), int(found[2][6:]))
    except ValueError:
        return None
    return Place(day.isoformat(), _ORDER.index(found[1]), int(found[3] or 0))


def shelf(name: str, digest: str, *, again: bool) -> str:
    """Return where a file is archived, `<yyyy>/<mm>/<name>`; `again` for another edition of a name that is there already."""
    place = place_of(name)
    if place is None:
        raise ValueError(f"{name!r} is not a data file's name")
    kept = f"{name.removesuffix('.csv')}.{digest[:12]}.csv" if again else name
    return f"{place.day[:4]}/{place.day[5:7]}/{kept}"


def delivered_as(archived: str) -> str:
    """Return the name under which an archived file was handed over; nothing for a file that is none of ours."""
    found = _ARCHIVED.fullmatch(archived)
    name = f"{found[1]}.csv" if found else ""
    return name if name and place_of(name) else ""


def checksum_line(digest: str, name: str) -> str:
    """Return what a checksum file holds, as `sha256sum` writes it."""
    return f"{digest}  {name}\n"


def checksum_in(text: bytes, name: str) -> str | None:
    """Return the digest in a checksum file, lower case; None where it is not whole yet, or speaks of another file."""
    try:
        found = _SUM.fullmatch(text.decode("ascii"))
    except UnicodeDecodeError:
        return None
    if found is None or (found[2] and found[2].strip().rpartition("/")[2] != name):
        return None
    return found[1].lower()
