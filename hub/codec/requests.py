"""Requests of the clearing path to commands, with every wrong field named."""

from __future__ import annotations

from collections.abc import Sequence

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.authorize import Authorize
from hub.domain.capture import Capture
from hub.domain.issue import IssueItem
from hub.domain.model import Line, OrderKey, WalletKey
from hub.domain.money import MAX_FEN
from hub.domain.review import Approve, Refund, Reject, Void
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.voucher.v1 import voucher_pb2 as voucher

LINES_MAX = 100
ITEMS_MAX = 1_000
NOTES_MAX = 10_000
REASON_CHARS_MAX = 500


def read_lines(items: Sequence[clearing.OrderLine], fields: Fields, at: str) -> tuple[Line, ...]:
    """Lines of an order, 1 to 100."""
    if not 1 <= len(items) <= LINES_MAX:
        fields.wrong(at, f"must have 1 to {LINES_MAX} lines")
    lines = tuple(
        Line(
            fields.enum(f"{at}[{i}].category", item.category, enums.CATEGORY_IN),
            fields.positive_fen(f"{at}[{i}].amount_fen", item.amount_fen),
            tuple(fields.enum(f"{at}[{i}].flags[{j}]", flag, enums.FLAG_IN) for j, flag in enumerate(item.flags)),
        )
        for i, item in enumerate(items)
    )
    if sum(line.amount_fen for line in lines) > MAX_FEN:
        fields.wrong(at, f"must add up to at most {MAX_FEN} fen")
    return lines


def read_authorization(message: clearing.AuthorizationInput, fields: Fields, redemption_id: str) -> Authorize:
    """What an authorization or a quote is about."""
    return Authorize(
        wallet=WalletKey(fields.division("input.issuer", message.issuer), fields.uscc("input.enterprise", message.enterprise)),
        order=OrderKey(fields.uscc("input.provider", message.provider), fields.number("input.order.order_no", message.order.order_no)),
        lines=read_lines(message.order.lines, fields, "input.order.lines"),
        redemption_id=redemption_id,
        all_or_nothing=message.all_or_nothing,
    )


def read_capture(message: clearing.CaptureRequest, fields: Fields) -> Capture:
    """A capture."""
    for i, item in enumerate(message.evidence):
        if item.sha256 and (len(item.sha256) != 64 or not set(item.sha256.lower()) <= set("0123456789abcdef")):
            fields.wrong(f"evidence[{i}].sha256", "must be 64 hexadecimal digits, or empty")
    return Capture(
        redemption_id=fields.uuid("redemption_id", message.redemption_id),
        invoice_no=fields.number("invoice_no", message.invoice_no),
        delivered_on=fields.date("delivered_on", message.delivered_on),
        evidence=tuple(fields.enum(f"evidence[{i}].kind", item.kind, enums.EVIDENCE_IN) for i, item in enumerate(message.evidence)),
        lines=read_lines(message.lines, fields, "lines") if message.lines else (),
    )


def read_approve(message: clearing.ApproveRequest, fields: Fields) -> Approve:
    """An approval; whether the amount fits is the domain's to say (rules.md C0, C5)."""
    return Approve(fields.uuid("redemption_id", message.redemption_id), message.approved_fen)


def read_reject(message: clearing.RejectRequest, fields: Fields) -> Reject:
    """A rejection."""
    return Reject(
        fields.uuid("redemption_id", message.redemption_id),
        fields.text("reason", message.reason, REASON_CHARS_MAX, required=False),
    )


def read_void(message: clearing.VoidRequest, fields: Fields) -> Void:
    """A void."""
    return Void(fields.uuid("redemption_id", message.redemption_id))


def read_refund(message: clearing.RefundRequest, fields: Fields) -> Refund:
    """A refund; whether line and amount fit is the domain's to say (rules.md C0, C7)."""
    return Refund(
        fields.uuid("redemption_id", message.redemption_id),
        message.fee_fen,
        message.line if message.HasField("line") else None,
    )


def read_issue_items(message: voucher.IssueVouchersRequest, fields: Fields) -> tuple[IssueItem, ...]:
    """Items of an issue, 1 to 1,000."""
    if not 1 <= len(message.items) <= ITEMS_MAX:
        fields.wrong("items", f"must have 1 to {ITEMS_MAX} items")
    items = tuple(
        IssueItem(
            fields.uscc(f"items[{i}].enterprise", item.enterprise),
            fields.positive_fen(f"items[{i}].face_fen", item.face_fen),
            fields.between(f"items[{i}].count", item.count or 1, 1, NOTES_MAX),
            tuple(fields.number(f"items[{i}].voucher_nos[{j}]", number) for j, number in enumerate(item.voucher_nos)),
        )
        for i, item in enumerate(message.items)
    )
    if sum(item.count for item in items) > NOTES_MAX:
        fields.wrong("items", f"must be at most {NOTES_MAX} notes together")
    if sum(item.face_fen * item.count for item in items) > MAX_FEN:
        fields.wrong("items", f"must add up to at most {MAX_FEN} fen")
    return items
