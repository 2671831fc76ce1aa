"""The way to a province's own system: what comes from it lands whole on disk before anything is read; results go back the same way.

A source knows the province's transport (HTTPS, SFTP, a dropped folder) and nothing of records. It is told when a delivery was taken, so
that it can acknowledge or archive it at the province. Being told twice must do no harm.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from hub.domain.clock import Clock, SystemClock

_A_PERSON_MUST = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR}


class SourceDown(Exception):
    """The province's system cannot be reached, or answers that it cannot serve now. Nothing is lost: it is asked again later.

    `wait_seconds` is how long the province's system asked to be left alone; 0 where it did not say.
    """

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class SourceFault(Exception):
    """The province's system answered with what cannot be used, or the source's settings are wrong. A person must act; the text says how."""


@contextmanager
def asked(path: Path) -> Iterator[None]:
    """Say of a failure of the file system whether a person must act (SourceFault) or time will mend it (SourceDown)."""
    try:
        yield
    except OSError as error:
        said = f"{error.filename or path}: {error.strerror or error}"
        if error.errno in _A_PERSON_MUST:
            raise SourceFault(f"{said}; mend the rights or make room") from None
        raise SourceDown(said) from None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes that a province handed over, landed whole. The same name may come again with other bytes: that is another delivery."""

    number: int
    name: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What an operator should know of something that is left lying at the province: which, why (a stable code and a text), since when."""

    name: str
    code: str
    text: str
    since: str


@runtime_checkable
class Noticing(Protocol):
    """A source that can tell of what it leaves lying: files not whole for long, locked, or wrong. A status shows it."""

    def notices(self) -> Sequence[Notice]:
        """Return what stands so since the last pull."""
        ...


class Landing(Protocol):
    """Where deliveries land: durable, whole or not at all, each new content of a name once. Safe to call from several threads."""

    def part(self, name: str) -> Path:
        """Return where the bytes of an unfinished delivery are gathered. What is there already was written before a restart."""
        ...

    def put(self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None) -> Delivery | None:
        """Land a delivery: flushed to disk, then named; return None if these bytes are what landed last under this name.

        `content` is a file to move in (such as `part(name)`) or the bytes themselves. `cursor` (key, value) is kept in the same step.
        Raises ValueError for a name that would leave the folder.
        """
        ...

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key, or nothing."""
        ...

    def keep(self, key: str, value: str) -> None:
        """Keep a cursor without a delivery."""
        ...


class Source(Protocol):
    """A province's system, as the runtime sees it. One thread calls it at a time."""

    def pull(self, landing: Landing) -> bool:
        """Land what is new, at most a page or a file at a time; say whether there may be more at once. Raise SourceDown or SourceFault."""
        ...

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Like `pull`, for history: the days from `since` to `until` (YYYY-MM-DD, both included), under a cursor of its own."""
        ...

    def taken(self, delivery: Delivery) -> None:
        """Acknowledge or archive at the province: every record of the delivery is in the adapter's own memory. Raise SourceDown."""
        ...

    def push(self, files: Sequence[Path]) -> None:
        """Hand result files to the province, whole or not at all; the same file again must do no harm. Raise SourceDown or SourceFault."""
        ...

    def close(self) -> None:
        """Let go of connections and listeners."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What the operator wrote in the `source` section of the adapter's settings file, and what the runtime adds.

    `given` holds the section as it was written: the province's own `connect` checks it and raises SourceFault naming the key at fault.
    `work` is the adapter's folder, `landing` where a listener of the source (a webhook) may put deliveries at any time. With `look_only`
    the source only shows what there is: it moves and acknowledges nothing at the province, opens no listener, and waits for nothing.
    """

    given: Mapping[str, object]
    work: Path
    landing: Landing
    clock: Clock = field(default_factory=SystemClock)
    look_only: bool = False
