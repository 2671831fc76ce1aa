"""Failpoints: named places where a rehearsal makes the process die or fail, to prove that nothing is lost or doubled there.

Inert unless `arm` was called, which the composition root does only beside a development identity: an unarmed place costs one look-up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

PLACES = (
    *("committer.before_lock", "committer.after_load", "committer.after_decide"),
    *("committer.after_write_before_commit", "committer.commit_in_flight", "committer.after_commit_before_reply"),
    *("unitofwork.before_commit", "unitofwork.commit_in_flight", "unitofwork.after_commit"),
    *("relay.before_send", "relay.after_send_before_mark", "relay.after_mark"),
    *("webhooks.after_post_before_save", "webhooks.after_save"),
    *("consumer.before_handle", "consumer.after_handle_before_inbox", "consumer.after_inbox_before_offset_commit"),
    *("scheduler.before_commands", "scheduler.after_commands_before_mark", "scheduler.after_mark"),
)
"""Every place there is, in the order a command passes them."""


class FailpointError(OSError):
    """What the action `error` raises: an outage, as far as anybody above can see."""


def failpoint(name: str) -> None:
    """Do here what the process was told to do at this place; by default nothing."""
    fuse = _armed.get(name)
    if fuse is not None:
        fuse()


def armed(name: str) -> bool:
    """Say whether the process was told to do something at this place."""
    return name in _armed


def arm(actions: Mapping[str, str]) -> None:
    """Set what happens where: `kill` (SIGKILL) or `error` (FailpointError), at the first hit, or with `kill:3` at the third, and only then.

    Replaces what was set before; an empty mapping disarms all. Raises ValueError for a place or an action that does not exist.
    """
    fuses = {name: _fuse(name, action) for name, action in actions.items()}
    _armed.clear()
    _armed.update(fuses)


def _kill(_name: str) -> None:
    # Nothing of this process may run after it: no handler, no flush.
    os.kill(os.getpid(), signal.SIGKILL)


def _fail(name: str) -> None:
    raise FailpointError(f"failpoint {name}")


_ACTIONS: Mapping[str, Callable[[str], None]] = {"kill": _kill, "error": _fail}
_armed: dict[str, Callable[[], None]] = {}


def _fuse(name: str, action: str) -> Callable[[], None]:
    kind, _, count = action.partition(":")
    if name not in PLACES:
        raise ValueError(f"there is no failpoint {name!r}; there are {', '.join(PLACES)}")
    if kind not in _ACTIONS or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise ValueError(f"{name} cannot do {action!r}; it can {' or '.join(_ACTIONS)}, and from the second hit on as in kill:2")
    left = int(count or "1")

    def burn() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _ACTIONS[kind](name)

    return burn
