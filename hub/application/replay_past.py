"""The record beside a replay: how each redemption stood, what that proves, and how to put a redemption as it was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from hub.application.batch import WorkingSet
from hub.application.history import Changed, History, Issued
from hub.domain.caller import Caller, Role
from hub.domain.decision import Decision
from hub.domain.issue import Issue, IssueItem, IssueSnapshot, decide_issue
from hub.domain.model import Draw, Note, OrderState, PayeeKind, Recognition, Redemption, State, Wallet
from hub.domain.policy import Mode, Policy, RecognitionDefault, policy_in_force
from hub.domain.refusals import Refusal

_STANDING = frozenset({"PROVIDER_SUSPENDED", "ENTERPRISE_SANCTIONED"})
_RESERVED = frozenset({State.AUTHORIZED, State.PENDING_REVIEW, State.HELD})


class Past:
    """What the record has told so far."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._last: dict[str, Changed] = {}
        self._refunds: Counter[str] = Counter()
        fees: dict[str, list[int]] = {}
        for event in history.events:
            if isinstance(event, Changed) and event.cause == "Refund":
                fees.setdefault(event.redemption_id, []).append(event.fee)
        self._lines = {key: refunded_lines(given, history.line_refunds.get(key, ())) for key, given in fees.items()}

    def note(self, event: Changed) -> None:
        """Remember how a redemption stands."""
        self._last[event.redemption_id] = event
        self._refunds[event.redemption_id] += event.cause == "Refund"

    def subsidy(self, event: Changed) -> int:
        """Return the subsidy before a change, fen."""
        before = self._last.get(event.redemption_id)
        return before.subsidy if before is not None else 0

    def policy(self, event: Changed) -> Policy | None:
        """Return the policy that governed a redemption (rules.md P1)."""
        return self._history.policies.get(event.policy_version)

    def in_force(self, day: date, at: datetime) -> Policy | None:
        """Return the policy an issue fell under: of its own date, or of the day it was made."""
        policies = self._history.policies.values()
        return policy_in_force(policies, day) or policy_in_force(policies, at.date())

    def proven(self, event: Changed, day: date) -> Iterator[Recognition]:
        """Yield the recognition that a recorded authorization proves: the policy of the day let only recognised providers through."""
        then = self.policy(event)
        if then is not None and (then.recognition.default is RecognitionDefault.LISTED or then.recognition.require_agreement):
            yield Recognition(day, None, then.recognition.require_agreement)

    def refunded_line(self, event: Changed) -> int | None:
        """Return the line a refund was about, None where there is only one."""
        lines = self._lines[event.redemption_id]
        return lines[self._refunds[event.redemption_id]] if lines else None


def refunded_lines(fees: Sequence[int], sums: Sequence[int]) -> list[int]:
    """Return for each refund a line it may have been about; empty where there are not several lines.

    The record has the fee of each refund and what was refunded of each line in all: every line's refunds add up to its sum. Several
    answers may do that; any of them fits, since no line ever gives back more than it does in the end.
    """
    if len(sums) < 2:
        return []
    barren: set[tuple[int, ...]] = set()

    def rest(place: int, left: tuple[int, ...]) -> list[int] | None:
        if place == len(fees):
            return []
        for line, fen in enumerate(left):
            after = (*left[:line], fen - fees[place], *left[line + 1 :])
            if fen < fees[place] or after in barren:
                continue
            found = rest(place + 1, after)
            if found is not None:
                return [line, *found]
            barren.add(after)
        return None

    return rest(0, tuple(sums)) or [0] * len(fees)


def own_notes(rows: WorkingSet, event: Issued, next_id: Callable[[], int]) -> None:
    """Give a wallet the notes as they were issued."""
    last = max(note.expires_on for note in event.notes)
    wallet = rows.wallets.setdefault(event.wallet, Wallet(event.wallet))
    wallet.last_expiry = max(wallet.last_expiry or last, last)
    for note in event.notes:
        made = Note(next_id(), note.voucher_no, event.wallet, note.face, note.face, 0, 0, 0, note.issued_on, note.expires_on)
        wallet.notes.append(made)
        wallet.issued[note.issued_on.year] = wallet.issued.get(note.issued_on.year, 0) + note.face
    wallet.notes.sort(key=lambda item: (item.expires_on, item.voucher_no))


def reissue(rows: WorkingSet, history: History, event: Issued, policy: Policy, next_id: Callable[[], int]) -> list[Decision] | Refusal:
    """Decide the issue of the same face to the same enterprise under another policy: cut and valid as that one says."""
    holder, issuer = event.wallet.enterprise, event.wallet.issuer
    total, note = sum(item.face for item in event.notes), policy.denomination_fen
    face, count = (total, 1) if note else (event.notes[0].face, len(event.notes))
    made = total // note if note else count
    numbers = tuple(item.voucher_no for item in event.notes) if made == len(event.notes) else ()
    wallet = rows.wallets.get(event.wallet)
    known = {holder: history.enterprises[holder]} if holder in history.enterprises else {}
    snapshot = IssueSnapshot(policy, known, {holder: wallet} if wallet is not None else {})
    command = Issue(issuer, (IssueItem(holder, face, count, numbers),), event.notes[0].issued_on)
    return decide_issue(snapshot, command, platform(issuer), event.at, next_id)


def platform(division: str) -> Caller:
    """Return whoever the record proves to have been allowed to: the platform of a division."""
    return Caller("replay", division, Role.PLATFORM)


def suspended(event: Changed, today: date) -> date | None:
    """Return since when the provider counts as suspended at a capture, as the record proves (rules.md C4)."""
    if event.state is State.HELD:
        return (event.delivered_on or today) + timedelta(days=1)
    return today if _STANDING.intersection(event.codes) else None


def impose(rows: WorkingSet, event: Changed, policy: Policy | None) -> None:
    """Put a redemption as it was recorded, with its notes, quota and order."""
    before = rows.redemptions.get(event.redemption_id)
    wallet = rows.wallets.setdefault(event.wallet, Wallet(event.wallet))
    by_number = {note.voucher_no: note for note in wallet.notes}
    if before is not None:
        for draw in before.draws:
            _move(by_number.get(draw.voucher_no), before.state, -draw.amount)
    for number, amount in event.draws:
        _move(by_number.get(number), event.state, amount)
    change = event.subsidy - (before.subsidy if before is not None else 0)
    wallet.quota_used[event.quota_year] = wallet.quota_used.get(event.quota_year, 0) + change
    order = rows.orders.get(event.order) or OrderState(event.order, event.wallet.enterprise, event.lines)
    committed = {**order.committed, event.wallet.issuer: order.committed.get(event.wallet.issuer, 0) + change}
    rows.orders[event.order] = replace(order, lines=event.lines, committed=committed)
    if policy is not None:
        rows.redemptions[event.redemption_id] = _recorded(event, policy, by_number)


def _move(note: Note | None, state: State, amount: int) -> None:
    if note is None:
        return
    note.available -= amount
    if state in _RESERVED:
        note.reserved += amount
    else:
        note.redeemed += amount


def _recorded(event: Changed, policy: Policy, by_number: dict[str, Note]) -> Redemption:
    return Redemption(
        redemption_id=event.redemption_id,
        wallet=event.wallet,
        acquirer=event.acquirer,
        order=event.order,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        state=event.state,
        lines=event.lines,
        authorized=event.authorized,
        subsidy=event.subsidy,
        payee_kind=PayeeKind.PROVIDER if policy.mode is Mode.PRE_SUBSIDY else PayeeKind.ENTERPRISE,
        quota_year=event.quota_year,
        authorized_at=event.authorized_at,
        expires_on=event.expires_on,
        draws=tuple(Draw(by_number[number].note_id, number, amount) for number, amount in event.draws if number in by_number),
        line_refunds=(0,) * len(event.lines) if event.invoice_no else (),
        invoice_no=event.invoice_no,
        delivered_on=event.delivered_on,
    )
