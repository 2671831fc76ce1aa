"""What a native record means in the light of what was sent before: the next command, nothing, wait, or quarantine. Pure.

A record is brought to its last edition one command at a time: each is decided on what the hub holds after the one before was answered,
so that a crash, a refusal or a newer edition in between leaves nothing of an old plan behind. `steps` shows the whole way.

| kind | new, or back after a withdrawal | changed | withdrawn |
|---|---|---|---|
| policy | publish | quarantine: superseded, never edited | quarantine |
| enterprise | register | register; another firm under the id: quarantine | quarantine: the contract has no deregistration |
| provider | admit | admit; another firm under the id: remove, then admit | remove |
| recognition | recognise | wider: recognise, for periods add up; else revoke, then recognise | revoke |
| voucher | issue; what was cancelled, with new numbers | cancel each note, then issue; used: quarantine | cancel each note |
| authorization | authorize | void, then authorize; captured: quarantine; closed since: authorize | void; captured: quarantine |
| capture | capture; after a refund under a new authorization only | lower amounts: refund a line at a time; any other change, or under
  review: quarantine | refund a line at a time; under review: quarantine |

For every kind:

| the record | what happens |
|---|---|
| same as what the hub holds | nothing |
| withdrawn, and the hub holds nothing of it | nothing |
| corrected after a refusal | what the hub holds decides: nothing, so as new; an older edition, so as changed. A new attempt either way |
| same as was refused | nothing until somebody asks for it again (`retry`) |
| refused because its request id was used (the memory was lost) | what moves money: quarantine, for another id could pay twice |
| changed or withdrawn while unanswered | wait: the first command may have been applied. It is sent again under its own request id if
  need be, its answer says what the hub holds, and then this edition is decided |
| from a backfill, and known from the live feed | nothing: what the feed said is at least as new. Known from a backfill only, it is
  followed as above, for history is read in its order |

A removal or revocation that would take back what another record of the same provider says is quarantined.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.runtime import commands
from adapters.runtime.changes import CHANGES, WITHDRAWALS, anew, capture_pair, captured_again, issue_again
from adapters.runtime.edition import Before, Done, Edition, Send, Step, Wait
from adapters.runtime.effects import CLOSED, held_after, same_notes
from adapters.runtime.model import Kind
from adapters.runtime.row import Reject

_REUSED = "REQUEST_ID_REUSED"
_MONEY = frozenset({Kind.POLICY, Kind.VOUCHER, Kind.AUTHORIZATION, Kind.CAPTURE})


def next_step(edition: Edition, before: Before | None, *, retry: bool = False) -> Step:
    """Return what to do next about a record. `retry` sends anew what was refused with this very content."""
    if before is None:
        return Done(settled=True) if edition.deleted else anew(edition)
    if edition.historic and before.live:
        return Done()
    if not before.outcome:
        return Wait()
    refused = before.outcome != "OK"
    if before.digest == edition.digest and refused and not retry:
        return Done()
    if refused and before.outcome == _REUSED and edition.kind in _MONEY:
        return Reject(edition.id_field, "MEMORY_LOST", edition.native_id)
    if _stands(edition, before):
        return Done(settled=before.digest != edition.digest or refused)
    step = WITHDRAWALS[edition.kind](edition, before) if edition.deleted else _change(edition, before)
    return replace(step, attempt=before.attempt + 1) if isinstance(step, Send) else step


def steps(edition: Edition, before: Before | None, *, retry: bool = False) -> list[Send] | Wait | Reject:
    """Return all the commands that bring the hub to an edition if each succeeds; empty where nothing is to be sent."""
    way: list[Send] = []
    while isinstance(step := next_step(edition, before, retry=retry and not way), Send):
        way.append(step)
        held = held_after(step.method, step.request, before.held if before else b"", b"")
        state = "" if step.method == commands.AUTHORIZE or before is None else before.state
        known = before or Before("", 0, "OK")
        before = replace(known, digest=edition.digest, attempt=step.attempt, outcome="OK", method=step.method, held=held, state=state)
    return step if isinstance(step, Wait | Reject) and not way else way


def _stands(edition: Edition, before: Before) -> bool:
    """Say whether the hub holds just what the edition means."""
    if edition.deleted:
        closed = edition.kind in (Kind.AUTHORIZATION, Kind.CAPTURE) and before.state in CLOSED
        return not before.held or closed
    if not before.held:
        return False
    if edition.kind is Kind.VOUCHER:
        return same_notes(edition.request, before.held)
    if edition.kind is Kind.CAPTURE:
        wanted, held = capture_pair(edition, before)
        return wanted == held
    return edition.request == before.held


def _change(edition: Edition, before: Before) -> Step:
    """Bring what the hub holds nearer to the edition."""
    if before.held:
        return CHANGES[edition.kind](edition, before)
    if before.ever and edition.kind is Kind.VOUCHER:
        return issue_again(edition, before)
    return captured_again(edition, before) if before.ever and edition.kind is Kind.CAPTURE else anew(edition)


__all__ = ["Before", "Done", "Edition", "Send", "Step", "Wait", "next_step", "steps"]
