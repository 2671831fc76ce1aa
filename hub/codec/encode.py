"""Domain values to messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hub.codec import enums
from hub.domain.decision import Breakdown
from hub.domain.model import Line, Note, Redemption
from hub.domain.reasons import Reason
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2
from yrd.voucher.v1 import voucher_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(instant: datetime) -> Timestamp:
    """An instant as a protobuf timestamp."""
    # By whole numbers: several times faster than the message's own reading of a datetime, and twice in every answer.
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def reason(item: Reason) -> refusal_pb2.Reason:
    """One step of a decision."""
    return refusal_pb2.Reason(
        rule=item.rule,
        code=item.code,
        policy_version=item.policy_version,
        clause=item.clause,
        facts=[refusal_pb2.Fact(name=name, value=value) for name, value in item.facts],
        zh=item.zh,
        en=item.en,
    )


def reasons(items: Iterable[Reason]) -> list[refusal_pb2.Reason]:
    """The steps of a decision."""
    return [reason(item) for item in items]


def lines(items: Iterable[Line]) -> list[clearing_pb2.OrderLine]:
    """Lines of an order."""
    return [
        clearing_pb2.OrderLine(
            category=enums.CATEGORY_OUT[item.category], amount_fen=item.amount_fen, flags=[enums.FLAG_OUT[flag] for flag in item.flags]
        )
        for item in items
    ]


def redemption(item: Redemption, window_id: str = "") -> clearing_pb2.Redemption:
    """A redemption as participants see it."""
    message = clearing_pb2.Redemption(
        redemption_id=item.redemption_id,
        issuer=item.wallet.issuer,
        acquirer=item.acquirer,
        enterprise=item.wallet.enterprise,
        provider=item.order.provider,
        order=clearing_pb2.Order(order_no=item.order.order_no, lines=lines(item.lines)),
        policy_version=item.policy_version,
        state=enums.STATE_OUT[item.state],
        authorized_fen=item.authorized,
        subsidy_fen=item.subsidy,
        refunded_fen=item.refunded,
        payee=enums.PAYEE_OUT[item.payee_kind],
        invoice_no=item.invoice_no,
        delivered_on=item.delivered_on.isoformat() if item.delivered_on else "",
        quota_year=item.quota_year,
        authorized_at=timestamp(item.authorized_at),
        authorization_expires_on=item.expires_on.isoformat(),
        draws=[clearing_pb2.VoucherDraw(voucher_no=draw.voucher_no, amount_fen=draw.amount) for draw in item.draws],
        window_id=window_id,
    )
    if item.settled_on is not None:
        message.settled_on = item.settled_on.isoformat()
        if item.delivered_on is not None:
            message.days_to_payment = (item.settled_on - item.delivered_on).days
            # Whoever waited for the money bore the capital: the payee (rules.md T4).
            message.capital_fen_days = item.subsidy * message.days_to_payment
    return message


def breakdown(item: Breakdown, steps: Iterable[refusal_pb2.Reason]) -> clearing_pb2.Breakdown:
    """How an amount came about."""
    return clearing_pb2.Breakdown(
        entitlement_fen=item.entitlement,
        subsidy_fen=item.subsidy,
        clamps=item.clamps,
        vouchers_used=item.vouchers_used,
        enterprise_pays_fen=item.enterprise_pays,
        reasons=steps,
    )


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
