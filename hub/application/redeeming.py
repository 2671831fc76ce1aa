"""Ledger commands on orders and redemptions: authorize, capture, approve, reject, void, refund, and the TTL sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from hub.application.batch import Keys, WorkingSet
from hub.codec import encode, events
from hub.codec.outcome import Outcome, answer, refused
from hub.codec.splice import field
from hub.domain.authorize import Authorize, decide_authorize
from hub.domain.caller import Caller
from hub.domain.capture import Capture, decide_capture, lapse
from hub.domain.clock import local_date
from hub.domain.decision import Breakdown, Decision
from hub.domain.model import Snapshot
from hub.domain.refusals import Refusal, RefusalCode
from hub.domain.review import Approve, Refund, Reject, Void, decide_approve, decide_refund, decide_reject, decide_void
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import refusal_pb2

_Decide = Callable[[Snapshot, Caller, datetime], Decision]
_Steps = list[refusal_pb2.Reason]
_Respond = Callable[[Decision, _Steps], Message]
"""Makes the answer but for its first field, which is the redemption in every one of them."""


@dataclass(frozen=True, slots=True)
class AuthorizeCommand:
    """Authorize on the ledger."""

    command: Authorize

    def touch(self, keys: Keys) -> None:
        """Name wallet, order, parties and recognition."""
        touch_authorize(keys, self.command)

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        wallet, order = self.command.wallet, self.command.order
        policy = batch.policy_of(wallet.issuer, local_date(batch.now))
        decision = decide_authorize(batch.snapshot(wallet, order, policy), self.command, caller, batch.now)

        def respond(made: Decision, steps: _Steps) -> Message:
            return pb.AuthorizeResponse(breakdown=encode.breakdown(made.breakdown or Breakdown(), steps))

        return conclude(batch, decision, respond)


def touch_authorize(keys: Keys, command: Authorize) -> None:
    """Name what an authorization or a quote reads."""
    wallet, order = command.wallet, command.order
    keys.wallets.add(wallet)
    keys.orders.add(order)
    keys.enterprises.add(wallet.enterprise)
    keys.providers.add(order.provider)
    keys.recognitions.add((wallet.issuer, order.provider))


@dataclass(frozen=True, slots=True)
class RedemptionCommand:
    """A command on one redemption. `invoice_no` is what a capture brings; `clears` says that it may move money to or from a payee."""

    redemption_id: str
    decide: _Decide
    respond: _Respond
    invoice_no: str = ""
    clears: bool = False

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


def conclude(batch: WorkingSet, decision: Decision, respond: _Respond) -> Outcome:
    """Apply a decision, queue its events and return the answer. A refusal may carry changes (rules.md C2, C4, C6)."""
    if decision.redemption is None:
        assert decision.refusal is not None
        return refused(decision.refusal)
    batch.apply(decision)
    message, steps = encode.redemption(batch.redemptions[decision.redemption.redemption_id]), encode.reasons(decision.reasons)
    first = field(1, message.SerializeToString(deterministic=True))
    batch.events.extend(events.redemption_changed(message, decision.cause, steps, batch.now, first))
    return refused(decision.refusal) if decision.refusal is not None else answer(respond(decision, steps), first)


def capture_command(command: Capture) -> RedemptionCommand:
    """Capture on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_capture(snapshot, command, caller, now),
        lambda made, steps: pb.CaptureResponse(
            released_fen=made.released,
            forfeited_fen=made.forfeited,
            reasons=steps,
        ),
        invoice_no=command.invoice_no,
        clears=True,
    )


def approve_command(command: Approve) -> RedemptionCommand:
    """Approve on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_approve(snapshot, command, caller, now),
        lambda made, steps: pb.ApproveResponse(
            released_fen=made.released,
            forfeited_fen=made.forfeited,
            reasons=steps,
        ),
        clears=True,
    )


def reject_command(command: Reject) -> RedemptionCommand:
    """Reject on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_reject(snapshot, command, caller, now),
        lambda made, steps: pb.RejectResponse(released_fen=made.released, reasons=steps),
    )


def void_command(command: Void) -> RedemptionCommand:
    """Void on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_void(snapshot, command, caller, now),
        lambda made, steps: pb.VoidResponse(released_fen=made.released, reasons=steps),
    )


def refund_command(command: Refund) -> RedemptionCommand:
    """Refund on the ledger."""
    return RedemptionCommand(
        command.redemption_id,
        lambda snapshot, caller, now: decide_refund(snapshot, command, caller, now),
        lambda made, steps: pb.RefundResponse(returned_fen=made.returned, reasons=steps),
        clears=True,
    )


def lapse_command(redemption_id: str) -> RedemptionCommand:
    """Expire one authorization whose time is up (rules.md C6); the scheduler's command, without a request id."""
    return RedemptionCommand(
        redemption_id,
        lambda snapshot, _caller, now: lapse(snapshot, now),
        lambda made, steps: pb.VoidResponse(released_fen=made.released, reasons=steps),
    )
