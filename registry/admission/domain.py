"""Providers and their standing (rules.md P2, C4): what each change makes of one, who may make it, what refuses it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from hub.domain.caller import Caller, Role
from hub.domain.clock import add_months
from hub.domain.policy import Category
from hub.domain.refusals import Refusal, RefusalCode, invalid_state, not_permitted


class Cause(StrEnum):
    """What changed a provider."""

    ADMIT = "Admit"
    RENEW = "Renew"
    SUSPEND = "Suspend"
    REINSTATE = "Reinstate"
    REMOVE = "Remove"
    RATE = "Rate"


class Standing(StrEnum):
    """How a provider stands on a day. Vouchers pay one in good standing only."""

    GOOD = "GOOD"
    SUSPENDED = "SUSPENDED"
    LAPSED = "LAPSED"
    REMOVED = "REMOVED"


class Absence(StrEnum):
    """Why a provider is out of good standing; each has a period of its own, and they may overlap."""

    SUSPENSION = "SUSPENSION"
    LAPSE = "LAPSE"
    REMOVAL = "REMOVAL"


@dataclass(frozen=True, slots=True)
class Member:
    """A provider of the pool as one change left it. Its standing goes by the day: an admission with an end lapses by itself.

    `rating` is in hundredths, 0 unrated; `valid_until` the first day on which the admission has lapsed, None without end.
    """

    uscc: str
    name: str
    home: str
    categories: tuple[Category, ...]
    admitted_on: date
    rating: int = 0
    valid_until: date | None = None
    suspended_on: date | None = None
    removed_on: date | None = None

    def standing(self, day: date) -> Standing:
        """Return the standing on a day. Removal says more than suspension, suspension more than a lapse."""
        if self.removed_on is not None and self.removed_on <= day:
            return Standing.REMOVED
        if self.suspended_on is not None and self.suspended_on <= day:
            return Standing.SUSPENDED
        return Standing.LAPSED if self.valid_until is not None and self.valid_until <= day else Standing.GOOD

    def admitted(self, day: date) -> bool:
        """Say whether the provider is in the pool on a day, in good standing or not."""
        return self.admitted_on <= day and self.standing(day) is not Standing.REMOVED


def may_admit(caller: Caller, home: str) -> Refusal | None:
    """A provider's home province governs its admission (rules.md P2)."""
    if caller.acts_for(home):
        return None
    return not_permitted("仅服务机构所在地平台可以准入", "only the platform of the provider's home admits it")


def may_change_standing(caller: Caller, home: str) -> Refusal | None:
    """The home province answers for its providers, the coordination group for the pool."""
    if caller.role is Role.COORDINATOR or caller.acts_for(home):
        return None
    return not_permitted("仅服务机构所在地平台或协调组可以变更状态", "only the provider's home platform or the coordination group may")


def moved(known: Member, home: str) -> Refusal | None:
    """A provider stays where it was admitted: its redemptions name the acquirer by its home."""
    if known.home == home:
        return None
    return Refusal(
        RefusalCode.ALREADY_EXISTS,
        metadata=(("home", known.home),),
        detail_zh=f"该机构已由 {known.home} 准入,所在地不可变更",
        detail_en=f"the provider is admitted with home {known.home}, which does not change",
    )


def admit(known: Member | None, wanted: Member) -> tuple[Cause, Member]:
    """Return what an admission makes of a provider: of a new or removed one a member in good standing, of another one renewed."""
    if known is None or known.removed_on is not None:
        return Cause.ADMIT, wanted
    return Cause.RENEW, replace(wanted, suspended_on=known.suspended_on)


def counts_from(known: Member | None, after: Member, today: date) -> date:
    """Return the first day a change counts for: today, or the day of admission where the hub first hears of one admitted earlier.

    What the hub has recorded of a day is never changed by a later word, so everything else counts from the day it is said.
    """
    return min(after.admitted_on, today) if known is None else today


def lasts_until(known: Member | None, months: int, today: date) -> date | None:
    """Return the end of an admission of so many months, None for 0: from today, or from its present end where that is still to come."""
    if not months:
        return None
    running = known is not None and known.removed_on is None and known.valid_until is not None and known.valid_until > today
    return add_months(known.valid_until if running and known and known.valid_until else today, months)


def renew(known: Member, valid_until: date | None) -> Member | Refusal:
    """Return the provider with its admission lengthened, or INVALID_STATE where it is removed."""
    return _gone(known) or replace(known, valid_until=valid_until)


def suspend(known: Member, today: date) -> Member | Refusal:
    """Return the provider suspended from today on, or INVALID_STATE where it is suspended or removed."""
    if known.suspended_on is not None and known.removed_on is None:
        return invalid_state(f"该机构自 {known.suspended_on} 起已暂停", f"the provider is suspended since {known.suspended_on}")
    return _gone(known) or replace(known, suspended_on=today)


def reinstate(known: Member) -> Member | Refusal:
    """Return the provider without its suspension, or INVALID_STATE where it is not suspended, or removed."""
    if known.suspended_on is None and known.removed_on is None:
        return invalid_state("该机构未被暂停", "the provider is not suspended")
    return _gone(known) or replace(known, suspended_on=None)


def remove(known: Member, today: date) -> Member | Refusal:
    """Return the provider removed from today on, or INVALID_STATE where it is removed already."""
    return _gone(known) or replace(known, removed_on=today)


def _gone(known: Member) -> Refusal | None:
    if known.removed_on is None:
        return None
    return invalid_state(
        f"该机构已于 {known.removed_on} 移出资源池,须重新申请入库",
        f"the provider was removed on {known.removed_on}; it must be admitted anew",
    )


def absences(member: Member) -> dict[Absence, date]:
    """Return from which day each absence in force or to come counts."""
    since = {Absence.SUSPENSION: member.suspended_on, Absence.LAPSE: member.valid_until, Absence.REMOVAL: member.removed_on}
    return {absence: day for absence, day in since.items() if day is not None}
