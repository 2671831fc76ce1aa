"""Answers, events and refusals as whole messages, built by the library's constructors alone and written in one go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from hub.codec import enums
from hub.domain.decision import Breakdown
from hub.domain.model import Redemption
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import refusal_pb2


def timestamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant.astimezone(UTC))
    return made


def reasons(items: Iterable[Reason]) -> list[refusal_pb2.Reason]:
    return [
        refusal_pb2.Reason(
            rule=item.rule,
            code=item.code,
            policy_version=item.policy_version,
            clause=item.clause,
            facts=[refusal_pb2.Fact(name=name, value=value) for name, value in item.facts],
            zh=item.zh,
            en=item.en,
        )
        for item in items
    ]


def redemption(item: Redemption, window_id: str) -> pb.Redemption:
    settled = item.settled_on
    days = (settled - item.delivered_on).days if settled and item.delivered_on else None
    lines = [
        pb.OrderLine(
            category=enums.CATEGORY_OUT[line.category], amount_fen=line.amount_fen, flags=[enums.FLAG_OUT[flag] for flag in line.flags]
        )
        for line in item.lines
    ]
    return pb.Redemption(
        redemption_id=item.redemption_id,
        issuer=item.wallet.issuer,
        acquirer=item.acquirer,
        enterprise=item.wallet.enterprise,
        provider=item.order.provider,
        order=pb.Order(order_no=item.order.order_no, lines=lines),
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
        draws=[pb.VoucherDraw(voucher_no=draw.voucher_no, amount_fen=draw.amount) for draw in item.draws],
        window_id=window_id,
        settled_on=settled.isoformat() if settled else "",
        days_to_payment=days,
        capital_fen_days=None if days is None else item.subsidy * days,
    )


def breakdown(item: Breakdown, steps: Iterable[Reason]) -> pb.Breakdown:
    return pb.Breakdown(
        entitlement_fen=item.entitlement,
        subsidy_fen=item.subsidy,
        clamps=item.clamps,
        vouchers_used=item.vouchers_used,
        enterprise_pays_fen=item.enterprise_pays,
        reasons=reasons(steps),
    )


def refusal(item: Refusal) -> refusal_pb2.Refusal:
    return refusal_pb2.Refusal(
        code=enums.REFUSAL_OUT[item.code],
        zh=item.zh,
        en=item.en,
        remedy_zh=item.entry.remedy_zh,
        remedy_en=item.entry.remedy_en,
        reasons=reasons(item.reasons),
        violations=[refusal_pb2.FieldViolation(field=name, description=description) for name, description in item.violations],
    )


def status(item: Refusal, retry_seconds: int) -> status_pb2.Status:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=item.code.value, domain="yrd", metadata=dict(item.metadata)),
        refusal(item),
    ]
    if item.violations:
        violation = error_details_pb2.BadRequest.FieldViolation
        wrong = [violation(field=name, description=description) for name, description in item.violations]
        details.append(error_details_pb2.BadRequest(field_violations=wrong))
    if retry_seconds:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_seconds)))
    number: int = StatusCode[item.entry.grpc_status].value[0]
    return status_pb2.Status(code=number, message=f"{item.code.value}: {item.en}", details=[_packed(each) for each in details])


def _packed(message: Message) -> any_pb2.Any:
    made = any_pb2.Any()
    made.Pack(message, deterministic=True)
    return made
