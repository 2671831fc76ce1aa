"""A landing at which the adapter's process dies: before or after any step, with whatever was half-written cut anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapters.runtime.landing import FileLanding
from adapters.runtime.source import Delivery


class Killed(BaseException):
    """The process ends here. No exception of a program, so that nobody catches it by mistake."""


class CrashingLanding:
    """Passes everything on to a real landing and ends the process at step `at`, before it happens or just after."""

    def __init__(self, landing: FileLanding, at: int, *, before: bool) -> None:
        self._landing, self._left, self._before = landing, at, before
        self.reached = False

    def _step(self, *, before: bool) -> None:
        if before:
            self._left -= 1
        if self._left == 0 and before is self._before:
            self.reached = True
            raise Killed

    def part(self, name: str) -> Path:
        """Return where the bytes of an unfinished delivery are gathered."""
        return self._landing.part(name)

    def put(self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None) -> Delivery | None:
        """Land a delivery, or die."""
        self._step(before=True)
        delivery = self._landing.put(name, content, cursor=cursor)
        self._step(before=False)
        return delivery

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key, or nothing."""
        return self._landing.cursor(key)

    def keep(self, key: str, value: str) -> None:
        """Keep a cursor, or die."""
        self._step(before=True)
        self._landing.keep(key, value)
        self._step(before=False)
