"""What a native record means in the light of what was sent before: the next command, nothing, wait, or quarantine. Pure.

A record is brought to its last edition one command at a time: each is decided on what the hub holds after the one before was answered, so
that a crash, a refusal or a newer edition in between never leaves the rest of an old plan behind. `steps` shows the whole way for a dry run.

| the record | enterprise | provider | recognition | voucher | authorization | capture | policy |
|---|---|---|---|---|---|---|---|
| new, or back after a withdrawal | register | admit | recognise | issue; again with new numbers | authorize | capture; after a refund: Q | publish |
| same | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| changed | register; another firm: Q | admit; another firm: remove first | wider: recognise; else revoke first | cancel, then issue; used: Q |
  void, then authorize; captured: Q | lower amounts: refund a line at a time; else: Q | Q |
| withdrawn | Q | remove | revoke | cancel each note | void; captured: Q | refund a line at a time; under review: Q | Q |
| withdrawn, nothing at the hub | nothing | nothing | nothing | nothing | nothing | nothing | nothing |
| changed after a refusal | as new, or from what the hub still holds as changed; refused for a used request id (the memory was lost): Q for what moves money |||||||
| changed or withdrawn while unanswered | wait: the first command may have been applied. It is sent again under its own request id, and its answer decides |||||||
| same, refused | nothing until somebody asks for it again; then a new attempt |||||||

Q is the quarantine. A removal or revocation that would hit what another record says as well (two records of one firm) is quarantined too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from adapters.runtime import commands
from adapters.runtime.effects import CLOSED, REVIEWED, covers, held_after, numbered_again, numbers_of, packed, same_notes, unpacked
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.row import Reject
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

NUMBER_CHARS_MAX = 64
"""Longest number of a note at the hub."""

_REUSED = "REQUEST_ID_REUSED"
_MONEY = frozenset({Kind.POLICY, Kind.VOUCHER, Kind.AUTHORIZATION, Kind.CAPTURE})


@dataclass(frozen=True, slots=True)
class Edition:
    """A record as it was delivered last. `request` is its command without request id; empty where it is withdrawn and did not map.

    `id_field` is the native field that a quarantined row names.
    """

    kind: Kind
    native_id: str
    digest: str
    deleted: bool = False
    id_field: str = ""
    method: str = ""
    key: str = ""
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a record that was sent before.

    `digest`, `attempt`, `method` and `outcome` are those of its last command (`outcome` empty while unanswered, `OK`, or a refusal code).
    `held` is what the hub holds (`effects`), `ever` whether it ever held any, `redemption_id` and `state` the redemption and its last known
    state, `captured` whether a capture of it was sent and not refused. `used`: some of its notes are drawn; `spent`: a note that was
    cancelled had been. `authorized` is what the hub holds of the authorization that a capture is about. `others` is what other records of
    the same kind and key hold.
    """

    digest: str
    attempt: int
    outcome: str
    method: str = ""
    held: bytes = b""
    ever: bool = False
    redemption_id: str = ""
    state: str = ""
    captured: bool = False
    used: bool = False
    spent: bool = False
    authorized: bytes = b""
    others: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Send this command, under `attempt`; `step` tells several commands of a correction apart and is part of the request id."""

    method: str
    key: str
    request: bytes
    attempt: int
    step: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The last command is unanswered: see that it is sent (again, under its own request id), keep this edition, and decide then."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to send. `settled`: the hub holds just what this edition means, though the last command was another's."""

    settled: bool = False


Step = Send | Wait | Done | Reject


def next_step(edition: Edition, before: Before | None, *, retry: bool = False) -> Step:
    """Return what to do next about a record. `retry` sends anew what was refused with this very content."""
    if before is None:
        return Done() if edition.deleted else _anew(edition, 0)
    if not before.outcome:
        return Wait()
    refused = before.outcome != "OK"
    if before.digest == edition.digest and refused and not retry:
        return Done()
    if refused and before.outcome == _REUSED and edition.kind in _MONEY:
        return Reject(edition.id_field, "MEMORY_LOST", edition.native_id)
    if _stands(edition, before):
        return Done(settled=before.digest != edition.digest or refused)
    step = _withdraw(edition, before) if edition.deleted else _change(edition, before)
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
        wanted, held = _capture_pair(edition, before)
        return wanted == held
    return edition.request == before.held


def _anew(edition: Edition, attempt: int, request: bytes = b"") -> Send:
    return Send(edition.method, edition.key, request or edition.request, attempt)


def _step(mapped: Mapped, name: str) -> Send:
    return Send(mapped.method, mapped.key, packed(mapped.request), 0, name)


def _change(edition: Edition, before: Before) -> Step:
    """Bring what the hub holds nearer to the edition."""
    if before.held:
        return _CHANGES[edition.kind](edition, before)
    if edition.kind is Kind.VOUCHER and before.ever:
        return _issue_again(edition, before)
    return _captured_again(edition, before) if edition.kind is Kind.CAPTURE and before.ever else _anew(edition, 0)


def _withdraw(edition: Edition, before: Before) -> Step:
    """Take a part of what the hub holds back."""
    return _WITHDRAWALS[edition.kind](edition, before)


def _fixed(edition: Edition, _before: Before) -> Step:
    """A policy is published, never edited (rules.md, Policy)."""
    return Reject(edition.id_field, "CHANGED_AFTER_SENT", edition.native_id)


def _firm_changed(edition: Edition, before: Before) -> Step:
    wanted = participant.RegisterEnterpriseRequest.FromString(edition.request).enterprise
    held = participant.RegisterEnterpriseRequest.FromString(before.held).enterprise
    if wanted.uscc != held.uscc:
        return Reject(edition.id_field, "ANOTHER_FIRM", edition.native_id, held.uscc)
    return _anew(edition, 0)


def _firm_withdrawn(edition: Edition, _before: Before) -> Step:
    return Reject(edition.id_field, "CANNOT_DEREGISTER", edition.native_id)


def _provider_changed(edition: Edition, before: Before) -> Step:
    wanted = registry.AdmitProviderRequest.FromString(edition.request).provider
    held = registry.AdmitProviderRequest.FromString(before.held).provider
    return _anew(edition, 0) if wanted.uscc == held.uscc else _provider_withdrawn(edition, before)


def _provider_withdrawn(edition: Edition, before: Before) -> Step:
    held = registry.AdmitProviderRequest.FromString(before.held).provider
    others = (registry.AdmitProviderRequest.FromString(each).provider.uscc for each in before.others)
    if held.uscc in others:
        return Reject(edition.id_field, "SHARED_FIRM", edition.native_id, held.uscc)
    return _step(commands.remove(edition.native_id, held.uscc), "remove")


def _recognition_changed(edition: Edition, before: Before) -> Step:
    wanted = registry.RecognizeProviderRequest.FromString(edition.request).recognition
    held = registry.RecognizeProviderRequest.FromString(before.held).recognition
    if _pair(wanted) == _pair(held) and covers(wanted, held):
        return _anew(edition, 0)
    return _recognition_withdrawn(edition, before)


def _recognition_withdrawn(edition: Edition, before: Before) -> Step:
    held = registry.RecognizeProviderRequest.FromString(before.held).recognition
    others = (registry.RecognizeProviderRequest.FromString(each).recognition for each in before.others)
    if _pair(held) in map(_pair, others):
        return Reject(edition.id_field, "SHARED_FIRM", edition.native_id, held.provider)
    return _step(commands.revoke(edition.native_id, held.issuer, held.provider), "revoke")


def _pair(recognition: registry.Recognition) -> tuple[str, str]:
    return recognition.issuer, recognition.provider


def _notes_changed(edition: Edition, before: Before) -> Step:
    if before.used or before.spent:
        return Reject(edition.id_field, "VOUCHER_USED", edition.native_id)
    asked = voucher.IssueVouchersRequest.FromString(edition.request).items[0].voucher_nos
    longest = NUMBER_CHARS_MAX - len("-R") - 6
    if any(len(number) > longest for number in asked):
        return Reject(edition.id_field, "NUMBER_TOO_LONG", edition.native_id, str(longest))
    return _notes_withdrawn(edition, before)


def _notes_withdrawn(edition: Edition, before: Before) -> Step:
    held = voucher.IssueVouchersRequest.FromString(before.held)
    number = numbers_of(before.held)[0]
    mapped = commands.cancel(edition.native_id, issuer=held.issuer, enterprise=held.items[0].enterprise, voucher_no=number)
    return _step(mapped, f"cancel/{number}")


def _issue_again(edition: Edition, before: Before) -> Step:
    """Issue what was cancelled in a corrected form, unless some of it had been used."""
    if before.spent:
        return Reject(edition.id_field, "VOUCHER_USED", edition.native_id)
    return _anew(edition, 0, numbered_again(edition.request, before.attempt + 1))


def _order_changed(edition: Edition, before: Before) -> Step:
    return _anew(edition, 0) if before.state in CLOSED else _order_withdrawn(edition, before)


def _order_withdrawn(edition: Edition, before: Before) -> Step:
    if before.state not in ("", "AUTHORIZED") or before.captured:
        return Reject(edition.id_field, "CAPTURED_ALREADY", edition.native_id)
    held = clearing.AuthorizeRequest.FromString(before.held)
    return _step(commands.void(edition.native_id, held.input.enterprise, before.redemption_id), "void")


def _capture_pair(edition: Edition, before: Before) -> tuple[clearing.CaptureRequest, clearing.CaptureRequest]:
    """Return the capture asked for and the one held, alike in what differs in form only: lines left out are those authorized."""
    wanted = clearing.CaptureRequest.FromString(edition.request)
    held = clearing.CaptureRequest.FromString(before.held)
    if not wanted.lines:
        wanted.lines.extend(clearing.AuthorizeRequest.FromString(before.authorized).input.order.lines)
    if not wanted.redemption_id:
        wanted.redemption_id = held.redemption_id
    return wanted, held


def _capture_changed(edition: Edition, before: Before) -> Step:
    wanted, held = _capture_pair(edition, before)
    if wanted.redemption_id != held.redemption_id and before.state in CLOSED:
        return _anew(edition, 0)
    if before.state in REVIEWED:
        return Reject(edition.id_field, "UNDER_REVIEW", edition.native_id)
    lowered = _lowered(wanted, held)
    if lowered is None:
        return Reject(edition.id_field, "CHANGED_AFTER_CAPTURE", edition.native_id)
    if before.state in CLOSED:
        # The subsidy was all given back before the last line was: there is nothing left to lower.
        return Done(settled=True) if before.state == "REFUNDED" else Reject(edition.id_field, "NEEDS_AUTHORIZATION", edition.native_id)
    return _give_back(edition, held, lowered)


def _lowered(wanted: clearing.CaptureRequest, held: clearing.CaptureRequest) -> list[int] | None:
    """Return by how many fen each line fell, or None where anything else changed."""
    if len(wanted.lines) != len(held.lines):
        return None
    alike = clearing.CaptureRequest()
    alike.CopyFrom(wanted)
    for line, other in zip(alike.lines, held.lines, strict=True):
        line.amount_fen = other.amount_fen
    fell = [other.amount_fen - line.amount_fen for line, other in zip(wanted.lines, held.lines, strict=True)]
    return fell if alike == held and min(fell, default=0) >= 0 else None


def _give_back(edition: Edition, held: clearing.CaptureRequest, lowered: list[int]) -> Send:
    """Refund the first line that fell."""
    at = next(index for index, fen in enumerate(lowered) if fen)
    mapped = commands.refund(edition.native_id, edition.key, held.redemption_id, line_no=at, fee_fen=lowered[at])
    return _step(mapped, f"refund/{at}")


def _capture_withdrawn(edition: Edition, before: Before) -> Step:
    """Give all of it back: what was cleared is never undone, only refunded (rules.md C7)."""
    if before.state in REVIEWED:
        return Reject(edition.id_field, "UNDER_REVIEW", edition.native_id)
    held = clearing.CaptureRequest.FromString(before.held)
    return _give_back(edition, held, [line.amount_fen for line in held.lines])


def _captured_again(edition: Edition, before: Before) -> Step:
    """A redemption that was refunded or closed is captured no more; another authorization may be."""
    wanted = clearing.CaptureRequest.FromString(edition.request)
    if wanted.redemption_id in ("", before.redemption_id):
        return Reject(edition.id_field, "NEEDS_AUTHORIZATION", edition.native_id)
    return _anew(edition, 0)


_Rule = Callable[[Edition, Before], Step]
_CHANGES: Mapping[Kind, _Rule] = {
    Kind.POLICY: _fixed,
    Kind.ENTERPRISE: _firm_changed,
    Kind.PROVIDER: _provider_changed,
    Kind.RECOGNITION: _recognition_changed,
    Kind.VOUCHER: _notes_changed,
    Kind.AUTHORIZATION: _order_changed,
    Kind.CAPTURE: _capture_changed,
}
_WITHDRAWALS: Mapping[Kind, _Rule] = {
    Kind.POLICY: _fixed,
    Kind.ENTERPRISE: _firm_withdrawn,
    Kind.PROVIDER: _provider_withdrawn,
    Kind.RECOGNITION: _recognition_withdrawn,
    Kind.VOUCHER: _notes_withdrawn,
    Kind.AUTHORIZATION: _order_withdrawn,
    Kind.CAPTURE: _capture_withdrawn,
}

__all__ = ["Before", "Done", "Edition", "Send", "Step", "Wait", "next_step", "steps", "unpacked"]
