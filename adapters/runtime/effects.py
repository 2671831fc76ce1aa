"""What the hub holds of a record after a command was answered: pure, over the bytes of requests and answers.

`held` is the request, without request id, whose effect stands at the hub; empty where nothing stands.
"""

from __future__ import annotations

import re

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from adapters.runtime import commands
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

CLOSED = frozenset({"VOIDED", "EXPIRED", "REJECTED", "REFUNDED"})
"""States of a redemption from which nothing is reserved and nothing owed any more (rules.md, Capture)."""

REVIEWED = frozenset({"PENDING_REVIEW", "HELD"})
"""States in which the issuer decides; the acquirer can neither void nor refund (rules.md C5, C7)."""

BASE = frozenset({commands.PUBLISH, commands.REGISTER, commands.ADMIT, commands.RECOGNIZE, commands.ISSUE})
"""Methods that say a whole record; AUTHORIZE and CAPTURE do as well, and are about a redemption."""

GONE_ALREADY = {
    commands.REMOVE: frozenset({"PROVIDER_NOT_FOUND", "INVALID_STATE"}),
    commands.REVOKE: frozenset({"RECOGNITION_NOT_FOUND"}),
    commands.CANCEL: frozenset({"INVALID_STATE"}),
}
"""Refusals of a withdrawal that say that what is to go is gone: removed, ended or cancelled by an officer, or over by itself."""

_AGAIN = re.compile(r"-R[0-9]+")


def packed(message: Message) -> bytes:
    """Return a request's bytes, always the same for the same content."""
    return message.SerializeToString(deterministic=True)


def unpacked(method: str, request: bytes) -> Message:
    """Return a method's request from its bytes."""
    service, _, name = method.rpartition(".")
    described = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    message: Message = GetMessageClass(described.input_type).FromString(request)
    return message


def is_correction(method: str) -> bool:
    """Say whether a method takes back what a record did, rather than saying a whole record."""
    return method in (commands.REMOVE, commands.REVOKE, commands.CANCEL, commands.VOID, commands.REFUND)


def held_after(method: str, request: bytes, held: bytes, response: bytes) -> bytes:
    """Return what the hub holds once `method` with `request` was answered with `response`, where it held `held` before."""
    if method == commands.ISSUE:
        return _issued(request, response)
    if method == commands.CAPTURE:
        return _captured(request, response)
    if method == commands.CANCEL:
        return _cancelled(voucher.CancelVoucherRequest.FromString(request).voucher_no, held)
    if method == commands.REFUND:
        return _refunded(clearing.RefundRequest.FromString(request), held)
    return b"" if is_correction(method) else request


def _issued(request: bytes, response: bytes) -> bytes:
    """Add the numbers that the hub gave."""
    issued = voucher.IssueVouchersRequest.FromString(request)
    if not issued.items[0].voucher_nos:
        issued.items[0].voucher_nos.extend(note.voucher_no for note in voucher.IssueVouchersResponse.FromString(response).vouchers)
    return packed(issued)


def _captured(request: bytes, response: bytes) -> bytes:
    """Add the final lines where the capture took them as they were authorized."""
    captured = clearing.CaptureRequest.FromString(request)
    if not captured.lines:
        captured.lines.extend(clearing.CaptureResponse.FromString(response).redemption.order.lines)
    return packed(captured)


def _cancelled(number: str, held: bytes) -> bytes:
    """Take a note out. What is left has no face any more: it equals no edition, so that a correction goes on to its end."""
    if not held:
        return b""
    issued = voucher.IssueVouchersRequest.FromString(held)
    left = [each for each in issued.items[0].voucher_nos if each != number]
    if not left:
        return b""
    del issued.items[0].voucher_nos[:]
    issued.items[0].voucher_nos.extend(left)
    issued.items[0].face_fen = 0
    return packed(issued)


def _refunded(request: clearing.RefundRequest, held: bytes) -> bytes:
    """Lower a line; nothing is held when nothing is left on any."""
    captured = clearing.CaptureRequest.FromString(held)
    captured.lines[request.line].amount_fen -= request.fee_fen
    return packed(captured) if any(line.amount_fen for line in captured.lines) else b""


def spent_after(method: str, response: bytes) -> bool:
    """Say whether a note that was cancelled had been used: less than its face came back."""
    if method != commands.CANCEL or not response:
        return False
    answer = voucher.CancelVoucherResponse.FromString(response)
    return answer.returned_fen < answer.voucher.face_fen


def state_after(method: str, response: bytes) -> str:
    """Return the state of the redemption that a command answered about, by its short name, or nothing."""
    if method == commands.AUTHORIZE:
        found = clearing.AuthorizeResponse.FromString(response).redemption
    elif method == commands.CAPTURE:
        found = clearing.CaptureResponse.FromString(response).redemption
    elif method == commands.REFUND:
        found = clearing.RefundResponse.FromString(response).redemption
    elif method == commands.VOID:
        found = clearing.VoidResponse.FromString(response).redemption
    else:
        return ""
    name = clearing.RedemptionState.Name(found.state).removeprefix("REDEMPTION_STATE_")
    return "" if name == "UNSPECIFIED" else name


def gone_already(method: str, code: str, state: str) -> bool:
    """Say whether a refused withdrawal found nothing left to withdraw: it has reached its aim."""
    return code in GONE_ALREADY.get(method, ()) or (method == commands.VOID and code == "INVALID_STATE" and state in CLOSED)


def numbers_of(held: bytes) -> list[str]:
    """Return the numbers of the notes that stand."""
    return list(voucher.IssueVouchersRequest.FromString(held).items[0].voucher_nos) if held else []


def numbered_again(request: bytes, attempt: int) -> bytes:
    """Return an issue whose notes bear new numbers: the hub never uses a number twice, not even that of a cancelled note."""
    issued = voucher.IssueVouchersRequest.FromString(request)
    again = [f"{number}-R{attempt}" for number in issued.items[0].voucher_nos]
    del issued.items[0].voucher_nos[:]
    issued.items[0].voucher_nos.extend(again)
    return packed(issued)


def same_notes(wanted: bytes, held: bytes) -> bool:
    """Say whether an issue asks for what stands, whoever numbered the notes and however often."""
    one, other = voucher.IssueVouchersRequest.FromString(wanted), voucher.IssueVouchersRequest.FromString(held)
    asked, given = list(one.items[0].voucher_nos), list(other.items[0].voucher_nos)
    del one.items[0].voucher_nos[:], other.items[0].voucher_nos[:]
    if one != other:
        return False
    return not asked or (len(asked) == len(given) and all(_stands_for(*pair) for pair in zip(asked, given, strict=True)))


def _stands_for(asked: str, given: str) -> bool:
    return given == asked or (given.startswith(asked) and _AGAIN.fullmatch(given[len(asked) :]) is not None)


def covers(wider: registry.Recognition, narrower: registry.Recognition) -> bool:
    """Say whether one recognition of a pair grants all that the other does; periods of a pair add up (rules.md P2)."""
    ends = not wider.valid_until or (bool(narrower.valid_until) and narrower.valid_until <= wider.valid_until)
    return wider.valid_from <= narrower.valid_from and ends and (wider.agreement or not narrower.agreement)
