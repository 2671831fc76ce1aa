"""Ledger commands on orders and redemptions: authorize, capture, approve, reject, void, refund, and the TTL sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.application.batch import Keys, WorkingSet
from hub.codec import answers, encode, events
from hub.codec.outcome import Outcome, refused
from hub.domain.authorize import Authorize, decide_authorize
from hub.domain.caller import Caller
from hub.domain.capture import Capture, decide_capture, lapse
from hub.domain.clock import local_date
from hub.domain.decision import Decision
from hub.domain.refusals import Refusal, RefusalCode
from hub.domain.review import Approve, Refund, Reject, Void, decide_approve, decide_refund, decide_reject, decide_void
from hub.domain.snapshot import Snapshot

_Decide = Callable[[Snapshot, Caller, datetime], Decision]


@dataclass(slots=True, init=False)
class AuthorizeCommand:
    """Authorize on the ledger."""

    command: Final[Authorize]

    def __init__(self, command: Authorize) -> None:
        self.command = command

    def touch(self, keys: Keys) -> None:
        """Name wallet, order, parties and recognition."""
        touch_authorize(keys, self.command)

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        wallet, order = self.command.wallet, self.command.order
        policy = batch.policy_of(wallet.issuer, local_date(batch.now))
        decision = decide_authorize(batch.snapshot(wallet, order, policy), self.command, caller, batch.now)
        return conclude(batch, decision, answers.authorized)


def touch_authorize(keys: Keys, command: Authorize) -> None:
    """Name what an authorization or a quote reads."""
    wallet, order = command.wallet, command.order
    keys.wallets.add(wallet)
    keys.orders.add(order)
    keys.enterprises.add(wallet.enterprise)
    keys.providers.add(order.provider)
    keys.recognitions.add((wallet.issuer, order.provider))


@dataclass(slots=True, init=False)
class RedemptionCommand:
    """A command on one redemption. `invoice_no` is what a capture brings; `clears` says that it may move money to or from a payee."""

    redemption_id: Final[str]
    decide: Final[_Decide]
    respond: Final[answers.Respond]
    invoice_no: Final[str]
    clears: Final[bool]

    def __init__(self, redemption_id: str, decide: _Decide, respond: answers.Respond, invoice_no: str = "", clears: bool = False) -> None:
        self.redemption_id, self.decide, self.respond = redemption_id, decide, respond
        self.invoice_no, self.clears = invoice_no, clears

    def touch(self, keys: Keys) -> None:
        """Name the redemption; the loader finds the rest through it."""
        keys.redemptions.add(self.redemption_id)
        keys.clears = keys.clears or self.clears
        if self.invoice_no:
            keys.captures.add((self.redemption_id, self.invoice_no))

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        snapshot = batch.redemption_snapshot(self.redemption_id, self.invoice_no)
        if snapshot is None:
            return refused(Refusal(RefusalCode.REDEMPTION_NOT_FOUND))
        return conclude(batch, self.decide(snapshot, caller, batch.now), self.respond)


def conclude(batch: WorkingSet, decision: Decision, respond: answers.Respond) -> Outcome:
    """Apply a decision, queue its events and return the answer. A refusal may carry changes (rules.md C2, C4, C6)."""
    if decision.redemption is None:
        assert decision.refusal is not None
        return refused(decision.refusal)
    batch.apply(decision)
    first, reasons = encode.redemption_field(decision.redemption), encode.reasons(decision.reasons)
    batch.events.extend(events.redemption_changed(decision.redemption, first, decision.cause, reasons, batch.now))
    if decision.refusal is not None:
        return refused(decision.refusal)
    return Outcome(0, respond(first, decision, reasons))


def capture_command(command: Capture) -> RedemptionCommand:
    """Capture on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_capture(snapshot, command, caller, now),
        answers.captured,
        invoice_no=command.invoice_no,
        clears=True,
    )


def approve_command(command: Approve) -> RedemptionCommand:
    """Approve on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_approve(snapshot, command, caller, now),
        answers.approved,
        clears=True,
    )


def reject_command(command: Reject) -> RedemptionCommand:
    """Reject on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_reject(snapshot, command, caller, now),
        answers.rejected,
    )


def void_command(command: Void) -> RedemptionCommand:
    """Void on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_void(snapshot, command, caller, now),
        answers.voided,
    )


def refund_command(command: Refund) -> RedemptionCommand:
    """Refund on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_refund(snapshot, command, caller, now),
        answers.refunded,
        clears=True,
    )


def lapse_command(redemption_id: str) -> RedemptionCommand:
    """Expire one authorization whose time is up (rules.md C6); the scheduler's command, without a request id."""
    return RedemptionCommand(
        redemption_id,
        lambda snapshot, _caller, now: lapse(snapshot, now),
        answers.voided,
    )
