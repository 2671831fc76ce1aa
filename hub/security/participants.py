"""Who may ask for a token. The directory is a port; the ledger implements it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hub.domain.caller import Role
from hub.domain.divisions import COORDINATION
from hub.security.access import scopes_of
from hub.security.spiffe import COORDINATION_SYSTEM, PLATFORM_SYSTEM, parse_spiffe_id


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    """A system admitted to the hub: the division it speaks for, its one role, and the scopes it may ask for."""

    participant_id: str
    division: str
    role: Role
    scopes: frozenset[str]


class ParticipantDirectory(Protocol):
    """Finds participants by the identity of their certificate."""

    async def get(self, participant_id: str) -> ParticipantRecord | None:
        """Return the participant, or None where the hub knows none of that id."""
        ...


class DevelopmentParticipants:
    """A directory that also knows platforms and the coordination group nobody registered, with all scopes of their role.

    For a hub whose CAs it made itself. A registered participant keeps exactly what its registration says; providers are never implied.
    """

    def __init__(self, registered: ParticipantDirectory) -> None:
        self._registered = registered

    async def get(self, participant_id: str) -> ParticipantRecord | None:
        """Return the registered participant, else the implied one, else None."""
        return await self._registered.get(participant_id) or implied_participant(participant_id)


def implied_participant(participant_id: str) -> ParticipantRecord | None:
    """Return what development takes for granted of a `…/platform` or the `…/coordination` identity; None for any other."""
    identity = parse_spiffe_id(participant_id)
    if identity is None or not identity.consistent:
        return None
    coordination = identity.division == COORDINATION
    if identity.system != (COORDINATION_SYSTEM if coordination else PLATFORM_SYSTEM):
        return None
    role = Role.COORDINATOR if coordination else Role.PLATFORM
    return ParticipantRecord(participant_id, identity.division, role, scopes_of(role))
