"""The directory of registered participants, as the token endpoint asks it."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.domain.caller import Role
from hub.ledger.tables import ParticipantRow
from hub.security.participants import ParticipantRecord


class DatabaseParticipants:
    """A `ParticipantDirectory` that reads the participant table each time: a registration counts from its commit."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, participant_id: str) -> ParticipantRecord | None:
        """Return the participant, or None where none of that id is registered. Raises sqlalchemy.exc.OperationalError."""
        # PostgreSQL text holds no NUL, so no participant's id does.
        if "\x00" in participant_id:
            return None
        async with AsyncSession(self._engine) as session:
            row = await session.get(ParticipantRow, participant_id)
        return ParticipantRecord(row.participant_id, row.division, Role(row.role), frozenset(row.scopes)) if row else None
