"""Domain values to messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from hub.codec import enums
from hub.codec.splice import field, fields, varint, written
from hub.domain.decision import Breakdown
from hub.domain.model import Line, Note, Redemption
from hub.domain.reasons import Reason
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2
from yrd.voucher.v1 import voucher_pb2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FACTS: Final[int] = refusal_pb2.Reason.FACTS_FIELD_NUMBER
_BREAKDOWN_REASONS: Final[int] = clearing_pb2.Breakdown.REASONS_FIELD_NUMBER
_AMOUNT_LIMIT: Final = 1 << 60
_TEXTS_KEPT: Final = 1_024
"""Most texts come from a few dozen rules and the policies in force; what has an amount in it passes through."""


def timestamp(instant: datetime) -> Timestamp:
    """An instant as a protobuf timestamp."""
    # By whole numbers: several times faster than the message's own reading of a datetime, and twice in every answer.
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def reason(item: Reason) -> bytes:
    """One step of a decision, serialised: it goes into the answer and into the event, and most of it is the same text every time."""
    rule, zh, en, code, policy_version, clause, facts = item
    before, after = _texts(rule, code, policy_version, clause, zh, en)
    for name, value in facts:
        before += field(_FACTS, _fact(name, value))
    return before + after


@lru_cache(maxsize=_TEXTS_KEPT)
def _texts(rule: str, code: str, policy_version: str, clause: str, zh: str, en: str) -> tuple[bytes, bytes]:
    """Return the fields of a reason before its facts, and those behind them."""
    before = refusal_pb2.Reason(rule=rule, code=code, policy_version=policy_version, clause=clause)
    return written(before), written(refusal_pb2.Reason(zh=zh, en=en))


def _fact(name: str, value: int) -> bytes:
    # Zero is not written, and a negative number in ten bytes, or in none if there are not enough: the library knows.
    if 0 < value < _AMOUNT_LIMIT:
        return _fact_name(name) + varint(value)
    return written(refusal_pb2.Fact(name=name, value=value))


@lru_cache(maxsize=_TEXTS_KEPT)
def _fact_name(name: str) -> bytes:
    """Return a fact up to its value: the name, and the key of the field behind it."""
    return written(refusal_pb2.Fact(name=name)) + varint(refusal_pb2.Fact.VALUE_FIELD_NUMBER << 3)


def reasons(items: Iterable[Reason]) -> list[bytes]:
    """The steps of a decision, each serialised."""
    return [reason(item) for item in items]


def lines(items: Iterable[Line]) -> list[clearing_pb2.OrderLine]:
    """Lines of an order."""
    return [_filled(clearing_pb2.OrderLine(), item) for item in items]


def _filled(message: clearing_pb2.OrderLine, item: Line) -> clearing_pb2.OrderLine:
    category, amount, flags = item
    message.category = enums.CATEGORY_OUT[category]
    message.amount_fen = amount
    if flags:
        message.flags.extend([enums.FLAG_OUT[flag] for flag in flags])
    return message


def redemption(item: Redemption, window_id: str = "") -> clearing_pb2.Redemption:
    """A redemption as participants see it."""
    # Filled in place: a message handed to another's constructor is written and read again to get there.
    message = clearing_pb2.Redemption()
    issuer, enterprise = item.wallet
    provider, order_no = item.order
    message.redemption_id = item.redemption_id
    message.issuer = issuer
    message.acquirer = item.acquirer
    message.enterprise = enterprise
    message.provider = provider
    order = message.order
    order.order_no = order_no
    for line in item.lines:
        _filled(order.lines.add(), line)
    message.policy_version = item.policy_version
    message.state = enums.STATE_OUT[item.state]
    message.authorized_fen = item.authorized
    message.subsidy_fen = item.subsidy
    if item.refunded:
        message.refunded_fen = item.refunded
    message.payee = enums.PAYEE_OUT[item.payee_kind]
    if item.invoice_no:
        message.invoice_no = item.invoice_no
    message.quota_year = item.quota_year
    since, authorized_at = item.authorized_at - _EPOCH, message.authorized_at
    authorized_at.seconds = since.days * 86_400 + since.seconds
    authorized_at.nanos = since.microseconds * 1_000
    message.authorization_expires_on = item.expires_on.isoformat()
    for _, voucher_no, amount in item.draws:
        draw = message.draws.add()
        draw.voucher_no = voucher_no
        draw.amount_fen = amount
    if window_id:
        message.window_id = window_id
    if item.delivered_on is not None:
        message.delivered_on = item.delivered_on.isoformat()
    if item.settled_on is not None:
        _settled(message, item, item.settled_on)
    return message


def redemption_field(item: Redemption, window_id: str = "") -> bytes:
    """A redemption as field 1, which it is in every answer and event that tells of one, serialised."""
    return field(1, written(redemption(item, window_id)))


def _settled(message: clearing_pb2.Redemption, item: Redemption, settled_on: date) -> None:
    message.settled_on = settled_on.isoformat()
    if item.delivered_on is not None:
        message.days_to_payment = (settled_on - item.delivered_on).days
        # Whoever waited for the money bore the capital: the payee (rules.md T4).
        message.capital_fen_days = item.subsidy * message.days_to_payment


def breakdown(item: Breakdown, steps: list[bytes]) -> bytes:
    """How an amount came about, serialised. `steps` are its reasons."""
    message = clearing_pb2.Breakdown()
    message.entitlement_fen = item.entitlement
    message.subsidy_fen = item.subsidy
    if item.clamps:
        message.clamps.extend(item.clamps)
    message.vouchers_used = item.vouchers_used
    message.enterprise_pays_fen = item.enterprise_pays
    return written(message) + fields(_BREAKDOWN_REASONS, steps)


def voucher(note: Note) -> voucher_pb2.Voucher:
    """A note."""
    return voucher_pb2.Voucher(
        issuer=note.wallet.issuer,
        voucher_no=note.voucher_no,
        enterprise=note.wallet.enterprise,
        face_fen=note.face,
        available_fen=note.available,
        reserved_fen=note.reserved,
        redeemed_fen=note.redeemed,
        returned_fen=note.returned,
        issued_on=note.issued_on.isoformat(),
        expires_on=note.expires_on.isoformat(),
    )
