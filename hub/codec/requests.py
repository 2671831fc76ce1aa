"""Requests of the clearing path to commands, with every wrong field named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.authorize import Authorize
from hub.domain.capture import Capture
from hub.domain.issue import IssueItem
from hub.domain.model import Line, OrderKey, WalletKey
from hub.domain.money import MAX_FEN
from hub.domain.policy import EvidenceKind
from hub.domain.review import Approve, Refund, Reject, Void
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.voucher.v1 import voucher_pb2 as voucher

LINES_MAX = 100
ITEMS_MAX = 1_000
NOTES_MAX = 10_000
REASON_CHARS_MAX = 500

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def read_lines(items: Sequence[clearing.OrderLine], fields: Fields, at: str) -> tuple[Line, ...]:
    """Lines of an order, 1 to 100."""
    if not 1 <= len(items) <= LINES_MAX:
        fields.wrong(at, f"must have 1 to {LINES_MAX} lines")
    lines, total = [], 0
    for i, item in enumerate(items):
        line = _plain_line(item) or _named_line(item, fields, f"{at}[{i}]")
        total += line.amount_fen
        lines.append(line)
    if total > MAX_FEN:
        fields.wrong(at, f"must add up to at most {MAX_FEN} fen")
    return tuple(lines)


def _plain_line(item: clearing.OrderLine) -> Line | None:
    """Return a line with nothing wrong and no flags, as nearly all are; None of any other. Names of fields are made for the others only."""
    category, amount_fen = enums.CATEGORY_IN.get(item.category), item.amount_fen
    return None if category is None or not 0 < amount_fen <= MAX_FEN or item.flags else Line(category, amount_fen)


def _named_line(item: clearing.OrderLine, fields: Fields, at: str) -> Line:
    return Line(
        fields.enum(f"{at}.category", item.category, enums.CATEGORY_IN),
        fields.positive_fen(f"{at}.amount_fen", item.amount_fen),
        tuple([fields.enum(f"{at}.flags[{j}]", flag, enums.FLAG_IN) for j, flag in enumerate(item.flags)]),
    )


def read_authorization(message: clearing.AuthorizationInput, fields: Fields, redemption_id: str) -> Authorize:
    """What an authorization or a quote is about."""
    order = message.order
    return Authorize(
        WalletKey(fields.division("input.issuer", message.issuer), fields.uscc("input.enterprise", message.enterprise)),
        OrderKey(fields.uscc("input.provider", message.provider), fields.number("input.order.order_no", order.order_no)),
        read_lines(order.lines, fields, "input.order.lines"),
        redemption_id,
        message.all_or_nothing,
    )


def read_capture(message: clearing.CaptureRequest, fields: Fields) -> Capture:
    """A capture."""
    evidence, lines = list(message.evidence), message.lines
    for i, item in enumerate(evidence):
        if item.sha256 and not _SHA256.fullmatch(item.sha256):
            fields.wrong(f"evidence[{i}].sha256", "must be 64 hexadecimal digits, or empty")
    return Capture(
        fields.uuid("redemption_id", message.redemption_id),
        fields.number("invoice_no", message.invoice_no),
        fields.date("delivered_on", message.delivered_on),
        tuple([enums.EVIDENCE_IN.get(item.kind) or _named_kind(item, fields, i) for i, item in enumerate(evidence)]),
        read_lines(lines, fields, "lines") if lines else (),
    )


def _named_kind(item: clearing.Evidence, fields: Fields, i: int) -> EvidenceKind:
    return fields.enum(f"evidence[{i}].kind", item.kind, enums.EVIDENCE_IN)


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
