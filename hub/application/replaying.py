"""Replays an issuer's past through the very decisions that made it, under the policies in force then or under a draft.

Pure: a history in, a state out. Nothing here reads a clock or a database. What the record proves is taken as it was: an authorization
that was given had an enterprise in good standing and a recognised provider under the policy of the day, whatever the registers say by now.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from hub.application.batch import WorkingSet
from hub.application.history import Cancelled, Changed, Draft, Elsewhere, History, Issued
from hub.application.replay_past import Past, impose, own_notes, platform, reissue, suspended
from hub.domain.authorize import Authorize, decide_authorize
from hub.domain.capture import Capture, decide_capture, lapse
from hub.domain.clock import local_date
from hub.domain.decision import Decision
from hub.domain.issue import decide_cancel
from hub.domain.model import OrderState, Redemption, State
from hub.domain.policy import EvidenceKind, Policy
from hub.domain.refusals import Refusal
from hub.domain.review import Approve, Refund, Reject, Void, decide_approve, decide_refund, decide_reject, decide_void
from hub.domain.snapshot import Snapshot

_EVERYTHING = tuple(EvidenceKind)
_REVIEWABLE = (State.PENDING_REVIEW, State.HELD)
_DRAFT_ID = 2**62
_FIRST_MADE_NOTE = 9_000_000_000


@dataclass(slots=True)
class Replayed:
    """What a replay came to. `differing` are redemptions that did not come out as recorded, with where they first went apart."""

    rows: WorkingSet
    refusals: dict[str, str] = field(default_factory=dict)
    clamped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    issued_fen: int = 0
    refused_issues: dict[str, int] = field(default_factory=dict)
    newly_reviewed: set[str] = field(default_factory=set)
    unreviewed: set[str] = field(default_factory=set)
    uncarried_cancellations: int = 0


def replay(history: History, draft: Draft | None = None, as_recorded: frozenset[str] = frozenset()) -> Replayed:
    """Replay a history from its beginning: under the recorded policies, or from `draft.since` on under the draft.

    Without a draft every change is compared with the record; a redemption that comes out differently is put back to what was recorded,
    so that the rest can still be compared. Redemptions in `as_recorded` are not decided but put as they were recorded.
    """
    run = _Replay(history, draft, as_recorded)
    for event in history.events:
        run.step(event)
    return run.result


class _Replay:
    """One run. `_past` is how each redemption stood in the record before the change at hand."""

    def __init__(self, history: History, draft: Draft | None, as_recorded: frozenset[str]) -> None:
        start = history.events[0].at if history.events else datetime.min.replace(tzinfo=UTC)
        self.result = Replayed(WorkingSet(now=start))
        self._rows = self.result.rows
        self._history = history
        self._draft = None if draft is None else replace(draft, policy=replace(draft.policy, policy_id=_DRAFT_ID))
        self._as_recorded = as_recorded
        self._rows.policies = {policy.policy_id: policy for policy in history.policies.values()}
        if self._draft is not None:
            self._rows.policies[_DRAFT_ID] = self._draft.policy
        self._past = Past(history)
        self._due: list[tuple[date, str]] = []
        self._elsewhere: dict[str, int] = {}
        self._next_note = 0
        self._verbs: dict[str, Callable[[Changed, Redemption], Decision | None]] = {
            "Capture": self._capture,
            "Approve": self._approve,
            "Reject": self._reject,
            "Void": self._void,
            "Expire": self._expire,
            "Refund": self._refund,
            "Settle": self._settle,
        }

    def step(self, event: Issued | Cancelled | Changed | Elsewhere) -> None:
        """Let one thing happen again."""
        self._rows.now = event.at
        self._lapse_due(local_date(event.at))
        if isinstance(event, Changed):
            self._changed(event)
        elif isinstance(event, Issued):
            self._issued(event)
        elif isinstance(event, Elsewhere):
            self._committed_elsewhere(event)
        else:
            self._cancelled(event)
        # Nobody writes this run down: only the state that the next decision reads is kept.
        for kept in (self._rows.journal, self._rows.new_notes, self._rows.dirty_notes):
            kept.clear()

    def _under_draft(self, at: datetime) -> Policy | None:
        draft = self._draft
        return draft.policy if draft is not None and local_date(at) >= draft.since else None

    # -- notes and orders ------------------------------------------------------------------------------------------------------

    def _next_id(self) -> int:
        self._next_note += 1
        return _FIRST_MADE_NOTE + self._next_note

    def _issued(self, event: Issued) -> None:
        policy, past = self._under_draft(event.at), self._past.in_force(event.notes[0].issued_on, event.at)
        counted = self._draft is None or local_date(event.at) >= self._draft.since
        same = policy is None or (
            past is not None
            and (policy.denomination_fen, policy.validity_months) == (past.denomination_fen, past.validity_months)
            and policy.annual_issue_cap_fen is None
        )
        total = sum(note.face for note in event.notes)
        if same:
            own_notes(self._rows, event, self._next_id)
            self.result.issued_fen += total if counted else 0
            return
        assert policy is not None
        decided = reissue(self._rows, self._history, event, policy, self._next_id)
        if isinstance(decided, Refusal):
            code = decided.code.value
            self.result.refused_issues[code] = self.result.refused_issues.get(code, 0) + total
            return
        for decision in decided:
            self._rows.apply(decision)
        self.result.issued_fen += total

    def _cancelled(self, event: Cancelled) -> None:
        issuer = event.wallet.issuer
        decision = decide_cancel(self._rows.wallets.get(event.wallet), issuer, event.voucher_no, platform(issuer))
        if decision.refusal is None:
            self._rows.apply(decision)
        else:
            # A note that the draft cut otherwise has no counterpart to cancel.
            self.result.uncarried_cancellations += 1

    def _committed_elsewhere(self, event: Elsewhere) -> None:
        before = self._elsewhere.get(event.redemption_id, 0)
        self._elsewhere[event.redemption_id] = event.subsidy
        order = self._rows.orders.get(event.order) or OrderState(event.order, event.wallet.enterprise, event.lines)
        committed = {**order.committed, event.issuer: order.committed.get(event.issuer, 0) + event.subsidy - before}
        self._rows.orders[event.order] = replace(order, lines=event.lines, committed=committed)

    # -- redemptions -----------------------------------------------------------------------------------------------------------

    def _changed(self, event: Changed) -> None:
        if event.redemption_id in self._as_recorded:
            impose(self._rows, event, self._past.policy(event))
        elif event.cause == "Authorize":
            self._apply(event, self._authorize(event))
        else:
            redemption = self._rows.redemptions.get(event.redemption_id)
            if redemption is not None:
                self._apply(event, self._verbs[event.cause](event, redemption))
        if self._draft is None:
            self._compare(event)
        self._past.note(event)

    def _apply(self, event: Changed, decision: Decision | None) -> None:
        if decision is None:
            return
        if decision.refusal is not None:
            self.result.refusals.setdefault(event.redemption_id, decision.refusal.code.value)
        if decision.breakdown is not None and decision.breakdown.clamps:
            self.result.clamped[event.redemption_id] = decision.breakdown.clamps
        if decision.redemption is not None:
            self._rows.apply(decision)

    def _compare(self, event: Changed) -> None:
        """Note where a redemption does not come out as recorded, and put it as it was."""
        made = self._rows.redemptions.get(event.redemption_id)
        if made is not None:
            draws = tuple((draw.voucher_no, draw.amount) for draw in made.draws)
            if (made.state, made.authorized, made.subsidy, draws) == (event.state, event.authorized, event.subsidy, event.draws):
                return
        why = self.result.refusals.get(event.redemption_id, event.cause)
        self.result.differing.setdefault(event.redemption_id, why)
        impose(self._rows, event, self._past.policy(event))

    def _authorize(self, event: Changed) -> Decision:
        policy = self._under_draft(event.at) or self._past.policy(event)
        command = Authorize(event.wallet, event.order, event.lines, event.redemption_id)
        order = self._rows.orders.get(event.order)
        if order is not None:
            # The lines are the contract's as they stood then: whether an earlier capture changed them here too is beside the point.
            self._rows.orders[event.order] = replace(order, lines=event.lines)
        snapshot = self._rows.snapshot(event.wallet, event.order, policy)
        self._parties(snapshot, event)
        decision = decide_authorize(snapshot, command, platform(event.acquirer), event.at)
        if decision.redemption is not None and decision.redemption.expires_on != event.expires_on:
            heapq.heappush(self._due, (decision.redemption.expires_on, event.redemption_id))
        return decision

    def _parties(self, snapshot: Snapshot, event: Changed) -> None:
        """Put the parties as the recorded authorization proves them: in good standing, recognised, rated as the policy then asked."""
        today, then = local_date(event.authorized_at), self._past.policy(event)
        enterprise, provider = self._history.enterprises.get(event.wallet.enterprise), self._history.providers.get(event.order.provider)
        if enterprise is not None:
            number = enterprise.sme_no or "-"
            snapshot.enterprise = replace(enterprise, sme_no=number, sme_valid_from=None, sme_valid_until=None, sanctioned_on=None)
        if provider is not None:
            rating = max(provider.rating, then.recognition.min_rating if then else 0)
            admitted = min(provider.admitted_on, today)
            snapshot.provider = replace(provider, home=event.acquirer, rating=rating, admitted_on=admitted, suspended_on=None)
        known = self._history.recognitions.get(event.order.provider, ())
        snapshot.recognitions = (*known, *self._past.proven(event, today))
        snapshot.class_rules = self._history.class_rules
        snapshot.agreements = self._history.agreements.get(event.order.provider, ())

    def _snapshot(self, event: Changed) -> Snapshot:
        snapshot = self._rows.redemption_snapshot(event.redemption_id, event.invoice_no)
        assert snapshot is not None
        self._parties(snapshot, event)
        return snapshot

    def _capture(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state is not State.AUTHORIZED:
            return None
        today = local_date(event.at)
        captured = event.delivered_on is not None
        if not captured and not event.codes:
            # A capture that came to nothing left no lines behind: what is known of it is that all was released.
            return self._void(event, redemption)
        snapshot = self._snapshot(event)
        if snapshot.provider is not None:
            snapshot.provider = replace(snapshot.provider, suspended_on=suspended(event, today))
        command = Capture(
            event.redemption_id,
            event.invoice_no or f"?{event.redemption_id}",
            event.delivered_on or today,
            _EVERYTHING,
            event.lines if captured else redemption.lines,
        )
        return self._reviewed(event, decide_capture(snapshot, command, platform(event.acquirer), event.at))

    def _reviewed(self, event: Changed, decision: Decision) -> Decision:
        """Presume that a review which the draft asks for, and which never took place, approves in full."""
        made = decision.redemption
        if made is None or made.state is not State.PENDING_REVIEW or event.state in _REVIEWABLE or self._draft is None:
            return decision
        self.result.newly_reviewed.add(event.redemption_id)
        self._rows.apply(decision)
        snapshot = self._snapshot(event)
        return decide_approve(snapshot, Approve(event.redemption_id, made.subsidy), platform(event.wallet.issuer), event.at)

    def _approve(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state not in _REVIEWABLE:
            return None
        cut = event.subsidy < self._past.subsidy(event)
        approved = min(event.subsidy, redemption.subsidy) if cut else redemption.subsidy
        return decide_approve(self._snapshot(event), Approve(event.redemption_id, approved), platform(event.wallet.issuer), event.at)

    def _reject(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state not in _REVIEWABLE:
            if redemption.state is State.CLEARED:
                self.result.unreviewed.add(event.redemption_id)
            return None
        return decide_reject(self._snapshot(event), Reject(event.redemption_id, ""), platform(event.wallet.issuer), event.at)

    def _void(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state is not State.AUTHORIZED:
            return None
        return decide_void(self._snapshot(event), Void(event.redemption_id), platform(event.acquirer), event.at)

    def _expire(self, event: Changed, redemption: Redemption) -> Decision | None:
        # One that lives longer or shorter under the draft lapses on its own day.
        if redemption.state is not State.AUTHORIZED or redemption.expires_on != event.expires_on:
            return None
        return lapse(self._snapshot(event), event.at)

    def _refund(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state not in (State.CLEARED, State.SETTLED):
            return None
        line = self._past.refunded_line(event)
        return decide_refund(self._snapshot(event), Refund(event.redemption_id, event.fee, line), platform(event.wallet.issuer), event.at)

    def _settle(self, event: Changed, redemption: Redemption) -> Decision | None:
        if redemption.state is State.CLEARED:
            self._rows.redemptions[event.redemption_id] = replace(redemption, state=State.SETTLED)
        return None

    def _lapse_due(self, today: date) -> None:
        """Lapse what the draft lets live shorter or longer than it did, on its day."""
        while self._due and self._due[0][0] <= today:
            _, redemption_id = heapq.heappop(self._due)
            redemption = self._rows.redemptions[redemption_id]
            snapshot = self._rows.redemption_snapshot(redemption_id)
            if snapshot is not None and redemption.state is State.AUTHORIZED:
                self._rows.apply(lapse(snapshot, self._rows.now))
                self.result.refusals.setdefault(redemption_id, "AUTHORIZATION_LAPSED")
