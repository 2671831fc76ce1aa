"""A record as it was delivered, what is known of it, and what to do about it: plain values (`follow` decides)."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.runtime.model import Kind
from adapters.runtime.row import Reject


@dataclass(frozen=True, slots=True)
class Edition:
    """A record as it was delivered last. `request` is its command without request id; empty where it is withdrawn and did not map.

    `id_field` is the native field that a quarantined row names. `historic`: it came by a backfill, and may be older than what is known.
    """

    kind: Kind
    native_id: str
    digest: str
    deleted: bool = False
    id_field: str = ""
    method: str = ""
    key: str = ""
    request: bytes = b""
    historic: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a record that was sent before.

    `digest`, `attempt`, `method` and `outcome` are those of its last command (`outcome` empty while unanswered, `OK`, or a refusal code).
    `held` is what the hub holds (`effects`), `ever` whether it ever held any, `redemption_id` and `state` the redemption and its last known
    state, `captured` whether a capture of it was sent and not refused. `used`: some of its notes are drawn; `spent`: a note that was
    cancelled had been. `authorized` is what the hub holds of the authorization that a capture is about. `others` is what other records of
    the same kind and key hold. `live`: the edition known did not come by a backfill.
    """

    digest: str
    attempt: int
    outcome: str
    method: str = ""
    held: bytes = b""
    ever: bool = False
    redemption_id: str = ""
    state: str = ""
    captured: bool = False
    used: bool = False
    spent: bool = False
    authorized: bytes = b""
    others: tuple[bytes, ...] = ()
    live: bool = True


@dataclass(frozen=True, slots=True)
class Send:
    """Send this command, under `attempt`; `step` tells several commands of a correction apart and is part of the request id."""

    method: str
    key: str
    request: bytes
    attempt: int
    step: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The last command is unanswered: see that it is sent (again, under its own request id), keep this edition, and decide then."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to send. `settled`: the hub holds just what this edition means, though no command, or another edition's, said so.

    Such an edition is to be remembered as the record's last: an older one that comes by a backfill must not count for more.
    """

    settled: bool = False


Step = Send | Wait | Done | Reject
