"""What commands on redemptions answer. Every answer begins with the redemption as field 1 and ends with the reasons; both are serialised
already (`splice`), since the event that tells of the command holds them too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.message import Message

from hub.codec import encode
from hub.codec.splice import field, fields, written
from hub.domain.decision import Breakdown, Decision
from yrd.clearing.v1 import clearing_pb2 as pb

Respond = Callable[[bytes, Decision, list[bytes]], bytes]
"""Makes the answer of the redemption as field 1, what was decided on it, and the reasons, each a message."""

_BREAKDOWN: Final[int] = pb.AuthorizeResponse.BREAKDOWN_FIELD_NUMBER
_CAPTURE_REASONS: Final[int] = pb.CaptureResponse.REASONS_FIELD_NUMBER
_APPROVE_REASONS: Final[int] = pb.ApproveResponse.REASONS_FIELD_NUMBER
_REJECT_REASONS: Final[int] = pb.RejectResponse.REASONS_FIELD_NUMBER
_VOID_REASONS: Final[int] = pb.VoidResponse.REASONS_FIELD_NUMBER
_REFUND_REASONS: Final[int] = pb.RefundResponse.REASONS_FIELD_NUMBER


def authorized(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `AuthorizeResponse`."""
    return first + field(_BREAKDOWN, encode.breakdown(made.breakdown or Breakdown(), reasons))


def captured(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `CaptureResponse`."""
    if made.released or made.forfeited:
        first += written(pb.CaptureResponse(released_fen=made.released, forfeited_fen=made.forfeited))
    return first + fields(_CAPTURE_REASONS, reasons)


def approved(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `ApproveResponse`."""
    return _joined(first, pb.ApproveResponse(released_fen=made.released, forfeited_fen=made.forfeited), _APPROVE_REASONS, reasons)


def rejected(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `RejectResponse`."""
    return _joined(first, pb.RejectResponse(released_fen=made.released), _REJECT_REASONS, reasons)


def voided(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `VoidResponse`."""
    return _joined(first, pb.VoidResponse(released_fen=made.released), _VOID_REASONS, reasons)


def refunded(first: bytes, made: Decision, reasons: list[bytes]) -> bytes:
    """Return the `RefundResponse`."""
    return _joined(first, pb.RefundResponse(returned_fen=made.returned), _REFUND_REASONS, reasons)


def _joined(first: bytes, amounts: Message, number: int, reasons: list[bytes]) -> bytes:
    return first + written(amounts) + fields(number, reasons)
