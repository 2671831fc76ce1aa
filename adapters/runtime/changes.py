"""What a change or a withdrawal means for each kind of record, where the hub holds something of it (the table in `follow`). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.runtime import commands
from adapters.runtime.edition import Before, Done, Edition, Send, Step
from adapters.runtime.effects import CLOSED, REVIEWED, covers, numbered_again, numbers_of, packed
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.row import Reject
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

NUMBER_CHARS_MAX = 64
"""Longest number of a note at the hub."""


def anew(edition: Edition, request: bytes = b"") -> Send:
    """Send the whole record; the attempt is numbered by who decides."""
    return Send(edition.method, edition.key, request or edition.request, 0)


def _step(mapped: Mapped, name: str) -> Send:
    return Send(mapped.method, mapped.key, packed(mapped.request), 0, name)


def _fixed(edition: Edition, _before: Before) -> Step:
    """A policy is published, never edited (rules.md, Policy)."""
    return Reject(edition.id_field, "CHANGED_AFTER_SENT", edition.native_id)


def _firm_changed(edition: Edition, before: Before) -> Step:
    wanted = participant.RegisterEnterpriseRequest.FromString(edition.request).enterprise
    held = participant.RegisterEnterpriseRequest.FromString(before.held).enterprise
    if wanted.uscc != held.uscc:
        return Reject(edition.id_field, "ANOTHER_FIRM", edition.native_id, held.uscc)
    return anew(edition)


def _firm_withdrawn(edition: Edition, _before: Before) -> Step:
    return Reject(edition.id_field, "CANNOT_DEREGISTER", edition.native_id)


def _provider_changed(edition: Edition, before: Before) -> Step:
    wanted = registry.AdmitProviderRequest.FromString(edition.request).provider
    held = registry.AdmitProviderRequest.FromString(before.held).provider
    return anew(edition) if wanted.uscc == held.uscc else _provider_withdrawn(edition, before)


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
        return anew(edition)
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


def issue_again(edition: Edition, before: Before) -> Step:
    """Issue what was cancelled in a corrected form, unless some of it had been used."""
    if before.spent:
        return Reject(edition.id_field, "VOUCHER_USED", edition.native_id)
    return anew(edition, numbered_again(edition.request, before.attempt + 1))


def _order_changed(edition: Edition, before: Before) -> Step:
    return anew(edition) if before.state in CLOSED else _order_withdrawn(edition, before)


def _order_withdrawn(edition: Edition, before: Before) -> Step:
    if before.state not in ("", "AUTHORIZED") or before.captured:
        return Reject(edition.id_field, "CAPTURED_ALREADY", edition.native_id)
    held = clearing.AuthorizeRequest.FromString(before.held)
    return _step(commands.void(edition.native_id, held.input.enterprise, before.redemption_id), "void")


def capture_pair(edition: Edition, before: Before) -> tuple[clearing.CaptureRequest, clearing.CaptureRequest]:
    """Return the capture asked for and the one held, alike in what differs in form only: lines left out are those authorized."""
    wanted = clearing.CaptureRequest.FromString(edition.request)
    held = clearing.CaptureRequest.FromString(before.held)
    if not wanted.lines:
        wanted.lines.extend(clearing.AuthorizeRequest.FromString(before.authorized).input.order.lines)
    if not wanted.redemption_id:
        wanted.redemption_id = held.redemption_id
    return wanted, held


def _capture_changed(edition: Edition, before: Before) -> Step:
    wanted, held = capture_pair(edition, before)
    if wanted.redemption_id != held.redemption_id and before.state in CLOSED:
        return anew(edition)
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


def captured_again(edition: Edition, before: Before) -> Step:
    """A redemption that was refunded or closed is captured no more; another authorization may be."""
    wanted = clearing.CaptureRequest.FromString(edition.request)
    if wanted.redemption_id in ("", before.redemption_id):
        return Reject(edition.id_field, "NEEDS_AUTHORIZATION", edition.native_id)
    return anew(edition)


Rule = Callable[[Edition, Before], Step]
"""What to do next about an edition, where the hub holds something of the record."""

CHANGES: Mapping[Kind, Rule] = {
    Kind.POLICY: _fixed,
    Kind.ENTERPRISE: _firm_changed,
    Kind.PROVIDER: _provider_changed,
    Kind.RECOGNITION: _recognition_changed,
    Kind.VOUCHER: _notes_changed,
    Kind.AUTHORIZATION: _order_changed,
    Kind.CAPTURE: _capture_changed,
}
"""By kind: bring what the hub holds nearer to the edition."""

WITHDRAWALS: Mapping[Kind, Rule] = {
    Kind.POLICY: _fixed,
    Kind.ENTERPRISE: _firm_withdrawn,
    Kind.PROVIDER: _provider_withdrawn,
    Kind.RECOGNITION: _recognition_withdrawn,
    Kind.VOUCHER: _notes_withdrawn,
    Kind.AUTHORIZATION: _order_withdrawn,
    Kind.CAPTURE: _capture_withdrawn,
}
"""By kind: take a part of what the hub holds back."""
