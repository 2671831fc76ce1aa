"""SPIFFE ids of participants: `spiffe://<province>/<division>/<system>`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hub.domain.divisions import COORDINATION, contains

_FORM = re.compile(r"^spiffe://(\d{6})/(\d{6})/([A-Za-z0-9][A-Za-z0-9._-]{0,63})$", re.ASCII)

PLATFORM_SYSTEM = "platform"
"""System name of a voucher platform."""

COORDINATION_SYSTEM = "coordination"
"""System name of the coordination group's console."""


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """One system of one division. The trust domain is the province (or `000000`, the coordination group)."""

    province: str
    division: str
    system: str

    def __str__(self) -> str:
        """Return the URI, which is also the participant id and the OAuth2 client id."""
        return f"spiffe://{self.province}/{self.division}/{self.system}"

    @property
    def consistent(self) -> bool:
        """Say whether the trust domain is a province (or the coordination group) and the division lies inside it."""
        if COORDINATION in (self.province, self.division):
            return self.province == self.division
        return self.province.endswith("0000") and contains(self.province, self.division)


def parse_spiffe_id(uri: str) -> SpiffeId | None:
    """Return the parts of a participant's URI, or None where the form is another."""
    match = _FORM.match(uri)
    # `$` also matches before a final newline; an identity must be the whole text.
    return SpiffeId(*match.groups()) if match and match.end() == len(uri) else None
