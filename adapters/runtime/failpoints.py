"""Failpoints of an adapter: named places where a rehearsal makes the process die, to prove that nothing is lost or doubled there.

Inert unless `arm` was called, which the settings allow only beside a broker without credentials: an unarmed place costs one look-up.
The hub has its own: an adapter must run where no hub is installed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

PLACES = (
    *("landing.after_rename", "landing.after_registration"),
    *("intake.before_commit", "intake.after_commit", "intake.after_taken"),
    *("province.after_told", "province.after_archive"),
    *("sending.before_send", "sending.after_send_before_forget", "sending.after_forget"),
    *("receiving.before_commit", "receiving.after_commit"),
    *("results.after_write", "results.after_push"),
)
"""Every place there is, in the order a record and its outcome pass them."""


def failpoint(name: str) -> None:
    """Do here what the process was told to do at this place; by default nothing."""
    fuse = _armed.get(name)
    if fuse is not None:
        fuse()


def arm(actions: Mapping[str, str]) -> None:
    """Set what happens where: `kill` (SIGKILL) at the first hit, or with `kill:3` at the third, and only then.

    Replaces what was set before; an empty mapping disarms all. Raises ValueError for a place or an action that does not exist.
    """
    fuses = {name: _fuse(name, action) for name, action in actions.items()}
    _armed.clear()
    _armed.update(fuses)


_armed: dict[str, Callable[[], None]] = {}


def _fuse(name: str, action: str) -> Callable[[], None]:
    kind, _, count = action.partition(":")
    if name not in PLACES:
        raise ValueError(f"there is no failpoint {name!r}; there are {', '.join(PLACES)}")
    if kind != "kill" or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise ValueError(f"{name} cannot do {action!r}; it can kill, and from the second hit on as in kill:2")
    left = int(count or "1")

    def burn() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            # Nothing of this process may run after it: no handler, no flush.
            os.kill(os.getpid(), signal.SIGKILL)

    return burn
