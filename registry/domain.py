"""Who may do what in the pool, and what a period, a recognition and a standing mean (rules.md P2, C4, C10). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from hub.domain.caller import Caller, Role
from hub.domain.model import Provider
from hub.domain.refusals import Refusal, RefusalCode, invalid_state, not_permitted


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


@dataclass(frozen=True, slots=True)
class Recognition:
    """A dated, directional recognition of one provider by one issuer (rules.md P2)."""

    issuer: str
    provider: str
    period: Period
    agreement: bool


def may_admit(caller: Caller, home: str) -> Refusal | None:
    """A provider's home province governs its admission (rules.md P2)."""
    if caller.acts_for(home):
        return None
    return not_permitted("仅服务机构所在地平台可以准入", "only the platform of the provider's home admits it")


def moved(known: Provider, home: str) -> Refusal | None:
    """A provider stays where it was admitted: its redemptions name the acquirer by its home."""
    if known.home == home:
        return None
    return Refusal(
        RefusalCode.ALREADY_EXISTS,
        metadata=(("home", known.home),),
        detail_zh=f"该机构已由 {known.home} 准入,所在地不可变更",
        detail_en=f"the provider is admitted with home {known.home}, which does not change",
    )


def may_change_standing(caller: Caller, home: str) -> Refusal | None:
    """The home province answers for its providers, the coordination group for the pool."""
    if caller.role is Role.COORDINATOR or caller.acts_for(home):
        return None
    return not_permitted("仅服务机构所在地平台或协调组可以变更状态", "only the provider's home platform or the coordination group may")


def suspension_refused(provider: Provider) -> Refusal | None:
    """Only a provider in good standing can be suspended."""
    if provider.suspended_on is None:
        return None
    return invalid_state(f"该机构自 {provider.suspended_on} 起已暂停", f"the provider is suspended since {provider.suspended_on}")


def reinstatement_refused(provider: Provider) -> Refusal | None:
    """Only a suspended provider can be reinstated."""
    return invalid_state("该机构状态良好", "the provider is in good standing") if provider.suspended_on is None else None


def may_recognize(caller: Caller, issuer: str) -> Refusal | None:
    """The issuer alone says whom its vouchers pay (rules.md P2)."""
    if caller.acts_for(issuer):
        return None
    return not_permitted("仅发券地平台可以认可或撤销", "only the issuer's platform recognises and revokes")


def may_sanction(caller: Caller, division: str) -> Refusal | None:
    """An enterprise's own division or the coordination group keeps the negative list (沪科合〔2022〕19号 五(四))."""
    if caller.role is Role.COORDINATOR or caller.acts_for(division):
        return None
    return not_permitted("仅企业所在地平台或协调组可以变更负面清单", "only the enterprise's platform or the coordination group may")


def last_in_force(recognitions: Iterable[Recognition], today: date) -> Recognition:
    """Of recognitions just ended, return the one that stands for them: the latest begun, else the first to come."""
    known = sorted(recognitions, key=lambda item: item.period.since)
    begun = [item for item in known if item.period.since <= today]
    return begun[-1] if begun else known[0]
