"""Requests to commands: good ones in full, wrong ones with every field named."""

from __future__ import annotations

from datetime import date

import pytest

from hub.codec import requests
from hub.codec.fields import Fields
from hub.domain.authorize import Authorize
from hub.domain.capture import Capture
from hub.domain.issue import IssueItem
from hub.domain.model import Line, LineFlag, OrderKey, WalletKey
from hub.domain.money import MAX_FEN
from hub.domain.policy import Category, EvidenceKind
from hub.domain.review import Approve, Refund, Reject, Void
from tests.unit.builders import ENTERPRISE, PROVIDER
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types
from yrd.voucher.v1 import voucher_pb2 as voucher

ID = "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01"
LINE = clearing.OrderLine(category=types.CATEGORY_RESEARCH, amount_fen=100)


def _order(*lines: clearing.OrderLine) -> clearing.AuthorizationInput:
    return clearing.AuthorizationInput(
        issuer="310000", enterprise=ENTERPRISE, provider=PROVIDER, order=clearing.Order(order_no="O-1", lines=lines)
    )


def _names(fields: Fields) -> list[str]:
    return [item.field for item in fields.violations]


def test_an_authorization() -> None:
    flagged = clearing.OrderLine(category=types.CATEGORY_IP, amount_fen=5, flags=[types.LINE_FLAG_PATENT_APPLICATION])
    message = _order(LINE, flagged)
    message.all_or_nothing = True
    fields = Fields()
    assert requests.read_authorization(message, fields, "r") == Authorize(
        WalletKey("310000", ENTERPRISE),
        OrderKey(PROVIDER, "O-1"),
        (Line(Category.RESEARCH, 100), Line(Category.IP, 5, (LineFlag.PATENT_APPLICATION,))),
        "r",
        True,
    )
    assert fields.refusal is None


def test_o1_an_order_has_one_to_a_hundred_lines_of_something() -> None:
    for lines, wrong in (
        ([], ["input.order.lines"]),
        ([LINE] * 100, []),
        ([LINE] * 101, ["input.order.lines"]),
        ([clearing.OrderLine(category=types.CATEGORY_IP)], ["input.order.lines[0].amount_fen"]),
        ([LINE, clearing.OrderLine(amount_fen=1)], ["input.order.lines[1].category"]),
        ([clearing.OrderLine(category=types.CATEGORY_IP, amount_fen=1, flags=[0])], ["input.order.lines[0].flags[0]"]),  # type: ignore[list-item]
        ([clearing.OrderLine(category=types.CATEGORY_IP, amount_fen=MAX_FEN), LINE], ["input.order.lines"]),
    ):
        fields = Fields()
        requests.read_authorization(_order(*lines), fields, "r")
        assert _names(fields) == wrong


def test_every_wrong_field_of_an_authorization_is_named() -> None:
    fields = Fields()
    requests.read_authorization(clearing.AuthorizationInput(), fields, "r")
    assert _names(fields) == ["input.issuer", "input.enterprise", "input.provider", "input.order.order_no", "input.order.lines"]


def test_a_capture() -> None:
    message = clearing.CaptureRequest(
        redemption_id=ID.upper(),
        lines=[LINE],
        invoice_no="I-1",
        delivered_on="2026-03-02",
        evidence=[
            clearing.Evidence(kind=types.EVIDENCE_KIND_INVOICE, sha256="aF09" * 16),
            clearing.Evidence(kind=types.EVIDENCE_KIND_CONTRACT),
        ],
    )
    fields = Fields()
    assert requests.read_capture(message, fields) == Capture(
        ID, "I-1", date(2026, 3, 2), (EvidenceKind.INVOICE, EvidenceKind.CONTRACT), (Line(Category.RESEARCH, 100),)
    )
    assert fields.refusal is None
    del message.lines[:]
    assert requests.read_capture(message, fields).lines == ()
    assert fields.refusal is None


@pytest.mark.parametrize("digest", ["a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n", "１" * 64])
def test_a_capture_names_what_is_wrong(digest: str) -> None:
    fields = Fields()
    message = clearing.CaptureRequest(lines=[clearing.OrderLine()], evidence=[clearing.Evidence(sha256=digest)])
    requests.read_capture(message, fields)
    assert sorted(_names(fields)) == [
        "delivered_on",
        "evidence[0].kind",
        "evidence[0].sha256",
        "invoice_no",
        "lines[0].amount_fen",
        "lines[0].category",
        "redemption_id",
    ]


def test_commands_on_a_redemption() -> None:
    fields = Fields()
    assert requests.read_approve(clearing.ApproveRequest(redemption_id=ID, approved_fen=-3), fields) == Approve(ID, -3)
    assert requests.read_reject(clearing.RejectRequest(redemption_id=ID, reason="材料不符"), fields) == Reject(ID, "材料不符")
    assert requests.read_void(clearing.VoidRequest(redemption_id=ID), fields) == Void(ID)
    assert requests.read_refund(clearing.RefundRequest(redemption_id=ID, fee_fen=5), fields) == Refund(ID, 5, None)
    assert requests.read_refund(clearing.RefundRequest(redemption_id=ID, fee_fen=5, line=0), fields) == Refund(ID, 5, 0)
    assert fields.refusal is None
    requests.read_reject(clearing.RejectRequest(redemption_id="x", reason="长" * 501), fields)
    assert _names(fields) == ["redemption_id", "reason"]


def test_v1_items_of_an_issue() -> None:
    request = voucher.IssueVouchersRequest()
    request.items.add(enterprise=ENTERPRISE, face_fen=100)
    request.items.add(enterprise=ENTERPRISE, face_fen=100, count=2, voucher_nos=["A", "B"])
    fields = Fields()
    assert requests.read_issue_items(request, fields) == (IssueItem(ENTERPRISE, 100), IssueItem(ENTERPRISE, 100, 2, ("A", "B")))
    assert fields.refusal is None


def test_v1_an_issue_is_bounded() -> None:
    item = voucher.IssueVouchersRequest().items.add(enterprise=ENTERPRISE, face_fen=100)
    for count, changes, wrong in (
        (0, {}, ["items"]),
        (1001, {}, ["items"]),
        (2, {"count": 5001}, ["items"]),
        (1, {"count": -1}, ["items[0].count"]),
        (1, {"face_fen": 0}, ["items[0].face_fen"]),
        (1, {"face_fen": MAX_FEN, "count": 2}, ["items"]),
        (1, {"enterprise": "x"}, ["items[0].enterprise"]),
        (1, {"voucher_nos": ["a b"]}, ["items[0].voucher_nos[0]"]),
    ):
        request = voucher.IssueVouchersRequest(items=[item] * count)
        for each in request.items:
            for name, value in changes.items():
                if isinstance(value, list):
                    getattr(each, name).extend(value)
                else:
                    setattr(each, name, value)
        fields = Fields()
        requests.read_issue_items(request, fields)
        assert _names(fields) == wrong, (count, changes)
