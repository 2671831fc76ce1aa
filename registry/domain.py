"""What a period means (rules.md M3), and who keeps the negative list. Pure."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, not_permitted


class Period(NamedTuple):
    """Days `[since, until)`; `until` None is open (rules.md M3). A period may be empty: it was taken back before it began to count."""

    since: date
    until: date | None

    def covers(self, day: date) -> bool:
        """Say whether the period is in force on a day."""
        return self.since <= day and (self.until is None or day < self.until)

    def ended(self, today: date) -> Period | None:
        """Return the period ended today, or None where nothing of it is left to end. One still to come becomes empty."""
        until = max(self.since, today)
        return Period(self.since, until) if self.until is None or self.until > until else None


def may_sanction(caller: Caller, division: str) -> Refusal | None:
    """An enterprise's own division or the coordination group keeps the negative list (沪科合〔2022〕19号 五(四))."""
    if caller.role is Role.COORDINATOR or caller.acts_for(division):
        return None
    return not_permitted("仅企业所在地平台或协调组可以变更负面清单", "only the enterprise's platform or the coordination group may")
