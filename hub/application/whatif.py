"""What a draft policy would have changed: who would have got more or less, what it would have cost, what it would have refused.

Two replays of one history are compared, redemption by redemption. Only credit codes name anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import NamedTuple

from hub.application.history import Changed, Draft, History, Issued
from hub.application.replaying import Replayed, replay
from hub.domain.clock import local_date
from hub.domain.entitlement import remaining_lines, supported
from hub.domain.model import Redemption
from hub.domain.money import FULL_BP, share
from hub.domain.policy import Policy, policy_in_force


@dataclass(slots=True)
class Row:
    """Sums over some redemptions, fen. `less` and `more` count redemptions that would get less or more, `refused` those refused."""

    redemptions: int = 0
    then_fen: int = 0
    draft_fen: int = 0
    less: int = 0
    more: int = 0
    refused: int = 0

    @property
    def difference_fen(self) -> int:
        """What the draft costs more, negative where less."""
        return self.draft_fen - self.then_fen


@dataclass(slots=True)
class Effect:
    """What a draft would have changed from `since` on. Groups are keyed by credit code, category, month `YYYY-MM`, quota year, funder.

    `refusals` are the redemptions that the draft refuses, by code; `not_reproduced` those that the policies of their day do not reproduce,
    by the code or step at which they differ: they count as unchanged. `incomplete` redemptions have no beginning in the record.
    """

    issuer: str
    version: str
    since: str
    total: Row = field(default_factory=Row)
    enterprises: dict[str, Row] = field(default_factory=dict)
    categories: dict[str, Row] = field(default_factory=dict)
    months: dict[str, Row] = field(default_factory=dict)
    years: dict[str, Row] = field(default_factory=dict)
    funders: dict[str, Row] = field(default_factory=dict)
    refusals: dict[str, Row] = field(default_factory=dict)
    clamps: dict[str, int] = field(default_factory=dict)
    reproduced: int = 0
    not_reproduced: dict[str, int] = field(default_factory=dict)
    incomplete: int = 0
    issued_then_fen: int = 0
    issued_draft_fen: int = 0
    refused_issues_fen: dict[str, int] = field(default_factory=dict)
    newly_reviewed: int = 0
    unreviewed: int = 0
    uncarried_cancellations: int = 0

    def groups(self) -> Iterable[tuple[str, dict[str, Row]]]:
        """Yield every grouping with its name."""
        yield "total", {"": self.total}
        for name in ("year", "funder", "month", "category", "enterprise", "refusal"):
            key = {"category": "categories", "refusal": "refusals"}.get(name, f"{name}s")
            yield name, dict(sorted(getattr(self, key).items()))

    def as_dict(self) -> dict[str, object]:
        """The effect as plain data."""
        return asdict(self)


def compare(history: History, draft: Draft) -> Effect:
    """Replay a history as it was and under a draft, and return what differs from `draft.since` on."""
    then = replay(history)
    tried = replay(history, draft, frozenset(then.differing))
    last = {event.redemption_id: event for event in history.events if isinstance(event, Changed)}
    effect = Effect(draft.policy.issuer, draft.policy.version, draft.since.isoformat())
    for key, event in last.items():
        if local_date(event.authorized_at) >= draft.since:
            _count(effect, history, key, event, then, tried)
    effect.reproduced = len(last) - len(then.differing)
    for why in then.differing.values():
        effect.not_reproduced[why] = effect.not_reproduced.get(why, 0) + 1
    effect.incomplete = max(history.redemptions - len(last), 0)
    effect.issued_then_fen = _issued_since(history, draft.since)
    effect.issued_draft_fen = tried.issued_fen
    effect.refused_issues_fen = tried.refused_issues
    effect.newly_reviewed, effect.unreviewed = len(tried.newly_reviewed), len(tried.unreviewed)
    effect.uncarried_cancellations = tried.uncarried_cancellations - then.uncarried_cancellations
    return effect


def _issued_since(history: History, since: date) -> int:
    issues = (event for event in history.events if isinstance(event, Issued))
    return sum(note.face for event in issues if local_date(event.at) >= since for note in event.notes)


def _count(effect: Effect, history: History, key: str, event: Changed, then: Replayed, tried: Replayed) -> None:
    """Add one redemption to every group it belongs to."""
    code = tried.refusals.get(key, "")
    refused = bool(code) and code != then.refusals.get(key)
    after = tried.rows.redemptions.get(key)
    draft_fen = after.subsidy if after is not None else 0

    def add(group: dict[str, Row], name: str, was: int, will: int) -> None:
        row = group.setdefault(name, Row())
        row.redemptions += 1
        row.then_fen += was
        row.draft_fen += will
        row.less += will < was
        row.more += will > was
        row.refused += refused

    whole = {"": effect.total}
    add(whole, "", event.subsidy, draft_fen)
    add(effect.enterprises, event.wallet.enterprise, event.subsidy, draft_fen)
    add(effect.months, local_date(event.authorized_at).isoformat()[:7], event.subsidy, draft_fen)
    add(effect.years, str(event.quota_year), event.subsidy, draft_fen)
    if refused:
        add(effect.refusals, code, event.subsidy, draft_fen)
    for clamp in tried.clamped.get(key, ()) if after is not None and draft_fen < event.subsidy else ():
        effect.clamps[clamp] = effect.clamps.get(clamp, 0) + 1
    before = then.rows.redemptions.get(key)
    _split(effect.categories, _by_category, before, then, after, tried, add)
    _split(effect.funders, _by_funder, before, then, after, tried, add)


_Add = Callable[[dict[str, Row], str, int, int], None]
_Parts = Callable[[Redemption, Policy], dict[str, int]]


def _split(
    group: dict[str, Row],
    parts: _Parts,
    before: Redemption | None,
    then: Replayed,
    after: Redemption | None,
    tried: Replayed,
    add: _Add,
) -> None:
    was = parts(before, then.rows.policies[before.policy_id]) if before is not None else {}
    will = parts(after, tried.rows.policies[after.policy_id]) if after is not None else {}
    for name in dict.fromkeys((*was, *will)):
        add(group, name, was.get(name, 0), will.get(name, 0))


def _by_category(redemption: Redemption, policy: Policy) -> dict[str, int]:
    """Split a subsidy over the categories of its lines, by what each line entitles to; the rounding rest goes to the first."""
    weights: dict[str, int] = {}
    for line in remaining_lines(redemption.lines, redemption.line_refunds):
        if supported(policy, line):
            rule = policy.categories[line.category]
            part = share(line.amount_fen, rule.ratio_bp)
            part = part if rule.per_line_cap_fen is None else min(part, rule.per_line_cap_fen)
            weights[line.category.value] = weights.get(line.category.value, 0) + part
    whole = sum(weights.values())
    if not whole:
        return {line.category.value: 0 for line in redemption.lines[:1]}
    parts = {name: redemption.subsidy * weight // whole for name, weight in weights.items()}
    first = next(iter(parts))
    parts[first] += redemption.subsidy - sum(parts.values())
    return parts


def _by_funder(redemption: Redemption, policy: Policy) -> dict[str, int]:
    """Split a subsidy over who bears it: by share, the rounding rest to the issuer (rules.md T1)."""
    parts = {division: redemption.subsidy * bp // FULL_BP for division, bp in policy.funders}
    parts[policy.issuer] = parts.get(policy.issuer, 0) + redemption.subsidy - sum(parts.values())
    return parts


class Caveat(NamedTuple):
    """What a reader of the figures must know, in Chinese and in English."""

    zh: str
    en: str


_ALWAYS = (
    Caveat(
        "过去被拒绝的申请未保存内容,无法重演:放宽政策会带来的新增申请不在其中",
        "requests refused in the past are not kept and cannot be replayed: what a wider policy would newly let in is not counted",
    ),
    Caveat(
        "假定各方行为不变:同样的订单、同样的时间、同样的最终费用;不按“全额否则拒绝”重演",
        "everyone is taken to act as before: same orders, times and final fees; no request is replayed as all-or-nothing",
    ),
)


_MORE_EVIDENCE = Caveat(
    "草案要求更多凭证;过去提交的凭证种类未保存,视为齐全",
    "the draft asks for more evidence; what captures carried is not kept and is taken as complete",
)
_PREFUND = Caveat(
    "草案改变普发金额;过去的普发按实际发放重演", "the draft changes the bulk issue; past issues are replayed as they were made"
)
_REVIEWS = Caveat("草案新增的审核视为全额通过", "reviews that the draft adds are taken to approve in full")


def caveats(history: History, draft: Draft, effect: Effect) -> list[Caveat]:
    """Return what the figures do not say, for this draft against the policy it would have replaced."""
    found = list(_ALWAYS)
    old, new = policy_in_force(history.policies.values(), draft.since), draft.policy
    if old is not None and set(new.evidence) - set(old.evidence):
        found.append(_MORE_EVIDENCE)
    if old is not None and new.prefund_fen != old.prefund_fen:
        found.append(_PREFUND)
    if effect.newly_reviewed:
        found.append(_REVIEWS)
    count = sum(effect.not_reproduced.values()) + effect.incomplete
    if count:
        zh = f"{count} 笔按当时政策无法重现,计为不变"
        found.append(Caveat(zh, f"{count} redemptions are not reproduced by the policy of their day and count as unchanged"))
    return found
