"""Who may recognise, who may ask, and what recognitions, classes and agreements are (rules.md P2, C4, C10). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from hub.domain.caller import Caller
from hub.domain.model import Provider
from hub.domain.policy import Category, Policy
from hub.domain.recognition import Condition, Dealings, Ground, Lack, grounds, nearest
from hub.domain.refusals import Refusal, invalid_state, not_permitted
from registry.admission.domain import Member
from registry.domain import Period

CLASSES_MAX = 100
"""Recognitions by class that an issuer may have in force or to come: clearing tries each of them on every authorization."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """A dated, directional recognition of one provider by one issuer (rules.md P2)."""

    issuer: str
    provider: str
    period: Period
    agreement: bool
    require_agreement: bool = False


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """What an issuer says of a class. Conditions that are empty, None, 0 or false ask for nothing; the others are joined by AND."""

    issuer: str
    home: str
    category: Category | None
    min_rating: int
    quality_listed: bool
    require_agreement: bool
    period: Period

    @property
    def boundless(self) -> bool:
        """True where no condition is set: that would be everyone, and the default of a policy says so."""
        return not (self.home or self.category or self.min_rating or self.quality_listed or self.require_agreement)


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What a tripartite agreement says. `period` begins on the day it was signed."""

    issuer: str
    number: str
    provider: str
    platform_division: str
    platform_name: str
    document_sha256: str
    period: Period


@dataclass(frozen=True, slots=True)
class Verdict:
    """What recognition comes to between an issuer and a provider on a day. `policy` is the one in force; `missing` is empty where
    vouchers can pay the provider."""

    policy: Policy | None
    recognized: bool
    grounds: tuple[Ground, ...]
    missing: tuple[Lack, ...]

    @property
    def payable(self) -> bool:
        """True where nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class PoolMember:
    """A provider as it was on a day. `absent_since` and `quality_listed_on` are the first days of what was in force on that day: time out
    of good standing, whether by suspension, removal or a lapse, and membership of the quality-provider list."""

    member: Member
    absent_since: date | None = None
    quality_listed_on: date | None = None

    @property
    def provider(self) -> Provider:
        """The provider as clearing reads it."""
        m = self.member
        return Provider(m.uscc, m.name, m.home, m.categories, m.admitted_on, m.rating, self.absent_since, self.quality_listed_on)


def judge(policy: Policy | None, member: PoolMember, dealings: Dealings, day: date) -> Verdict:
    """Return the verdict as the clearing path comes to it (checks 2, 5 and 6 of Authorize), with all that is missing."""
    provider, removed_on = member.provider, member.member.removed_on
    admitted = provider.admitted_on <= day and (removed_on is None or day < removed_on)
    obstacles: list[Lack] = []
    if policy is None:
        obstacles.append(Lack(Condition.POLICY, "in force", "none"))
    if not admitted:
        until = removed_on.isoformat() if removed_on else ""
        obstacles.append(Lack(Condition.ADMISSION, day.isoformat(), f"[{provider.admitted_on.isoformat()}, {until})"))
    if provider.suspended_on is not None:
        obstacles.append(Lack(Condition.STANDING, "good", provider.suspended_on.isoformat()))
    if policy is None:
        return Verdict(None, False, (), tuple(obstacles))
    found = tuple(grounds(policy.recognition, provider, dealings, day))
    closest = nearest(found)
    return Verdict(policy, closest.holds and admitted, found, (*obstacles, *closest.lacks))


def may_recognize(caller: Caller, issuer: str) -> Refusal | None:
    """The issuer alone says whom its vouchers pay (rules.md P2)."""
    if caller.acts_for(issuer):
        return None
    return not_permitted("仅发券地平台可以认可或撤销", "only the issuer's platform recognises and revokes")


def may_ask_of(caller: Caller, provider: str, home: str, issuer: str = "") -> Refusal | None:
    """A provider asks about itself, its home's platform and the issuer's about it, the coordination group about all."""
    if caller.is_provider(provider) or caller.sees(home) or (issuer and caller.sees(issuer)):
        return None
    return not_permitted(
        "仅服务机构本身、所在地平台、发券地平台或协调组可以查询",
        "only the provider itself, its home's or the issuer's platform, or the coordination group",
    )


def may_list_of(caller: Caller, issuer: str) -> Refusal | None:
    """An issuer lists its own, the coordination group all."""
    if caller.sees(issuer):
        return None
    return not_permitted("仅发券地平台或协调组可以查询", "only the issuer's platform or the coordination group")


def too_many_classes(count: int) -> Refusal | None:
    """Refuse one class too many."""
    if count < CLASSES_MAX:
        return None
    return invalid_state(
        f"该发券地已有 {count} 条类别认可,请先终止不再需要的",
        f"the issuer has {count} recognitions by class; end those no longer needed first",
    )


def nothing_to_end(period: Period) -> Refusal:
    """Refuse to end what has ended."""
    return invalid_state(f"已于 {period.until} 终止", f"it ended on {period.until}")


def last_in_force(recognitions: Iterable[Recognition], today: date) -> Recognition:
    """Of recognitions just ended, return the one that stands for them: the latest begun, else the first to come."""
    known = sorted(recognitions, key=lambda item: item.period.since)
    begun = [item for item in known if item.period.since <= today]
    return begun[-1] if begun else known[0]
