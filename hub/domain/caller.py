"""Who calls: the identity that certificate and token agree on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.domain.divisions import contains


class Role(StrEnum):
    """What a participant is to the hub."""

    PLATFORM = "PLATFORM"
    COORDINATOR = "COORDINATOR"
    PROVIDER = "PROVIDER"
    # Everybody, unknown: no access rule names it and no token carries it; what is public is listed where it is served.
    PUBLIC = "PUBLIC"


@dataclass(frozen=True, slots=True)
class Caller:
    """A participant, verified. `division` is what it speaks for; `scopes` what its token grants."""

    participant_id: str
    division: str
    role: Role
    scopes: frozenset[str] = frozenset()

    def acts_for(self, division: str) -> bool:
        """Say whether the caller speaks for `division`: its own or one below it (rules.md C10)."""
        return self.role is Role.PLATFORM and contains(self.division, division)

    def is_provider(self, uscc: str) -> bool:
        """Say whether the caller is the provider with that credit code: its system is named `provider-<code>`."""
        return self.role is Role.PROVIDER and self.participant_id.endswith(f"/provider-{uscc}")

    def sees(self, division: str) -> bool:
        """Say whether the caller may read what belongs to `division`."""
        return self.role is Role.COORDINATOR or self.acts_for(division)
