"""What is put together from bytes is, byte for byte, the canonical form of the whole message, and reads back as that message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from hub.codec import answers, encode, events, frames
from hub.codec.outcome import STATUS_BYTES_MAX, Outcome, refusal_message, refused
from hub.codec.splice import field, varint
from hub.domain.clock import SHANGHAI
from hub.domain.decision import Breakdown, Decision
from hub.domain.model import Draw, Line, LineFlag, OrderKey, PayeeKind, Redemption, State, WalletKey
from hub.domain.policy import Category
from hub.domain.reasons import SCOPE_CLAUSE, Reason
from hub.domain.refusals import Refusal, RefusalCode, Violation
from tests.property import plain_messages as plain
from tests.property.profile import PROFILE
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.events.v1 import events_pb2

INT64_MAX = 2**63 - 1
RETRIED = {RefusalCode.OVERLOADED, RefusalCode.RATE_LIMITED}

_texts = st.text(max_size=200)
_divisions = st.sampled_from(["310000", "310118", "320500", "330522", "340100"])
_days = st.dates(date(2020, 1, 1), date(2099, 12, 31))
_moments = st.builds(
    lambda zone, after: datetime(2026, 1, 1, tzinfo=zone) + timedelta(microseconds=after),
    st.sampled_from([UTC, SHANGHAI]),
    st.integers(-(10**15), 10**15),
)
# Around each power of 128 a number takes a byte more.
_edges = st.sampled_from([edge + more for power in range(9) for edge in (128**power,) for more in (-1, 0, 1)])
_amounts = st.integers(0, INT64_MAX) | _edges | st.integers(0, 10_000)
_numbers = _amounts | st.integers(-(2**63), INT64_MAX) | st.sampled_from([2**60 - 1, 2**60, INT64_MAX, -1, -(2**63)])

_reasons = st.builds(
    Reason,
    rule=st.sampled_from(["A1", "A2", ""]) | _texts,
    zh=_texts,
    en=_texts,
    code=st.sampled_from(["", "QUOTA_EXCEEDED"]),
    policy_version=st.sampled_from(["v1", "2026-1", ""]),
    clause=st.just(SCOPE_CLAUSE) | _texts,
    facts=st.lists(st.tuples(st.sampled_from(["shares_fen", "limit_fen", ""]) | _texts, _numbers), max_size=4).map(tuple),
)
_steps = st.lists(_reasons, max_size=4)
_lines = st.builds(Line, st.sampled_from(Category), _amounts, st.lists(st.sampled_from(LineFlag), max_size=3).map(tuple))
_redemptions = st.builds(
    Redemption,
    redemption_id=st.uuids().map(str),
    wallet=st.builds(WalletKey, _divisions, _texts),
    acquirer=_divisions,
    order=st.builds(OrderKey, _texts, _texts),
    policy_id=st.just(1),
    policy_version=_texts,
    state=st.sampled_from(State),
    lines=st.lists(_lines, max_size=3).map(tuple),
    authorized=_amounts,
    subsidy=st.integers(0, 10**12),
    payee_kind=st.sampled_from(PayeeKind),
    quota_year=st.integers(2020, 2099),
    authorized_at=_moments,
    expires_on=_days,
    draws=st.lists(st.builds(Draw, st.just(1), _texts, _amounts), max_size=3).map(tuple),
    refunded=_amounts,
    invoice_no=_texts,
    delivered_on=st.none() | _days,
    settled_on=st.none() | _days,
)
_breakdowns = st.builds(Breakdown, _amounts, _amounts, st.lists(_texts, max_size=3).map(tuple), st.integers(0, 2**31 - 1), _numbers)
_refusals = st.builds(
    Refusal,
    st.sampled_from(RefusalCode),
    st.lists(_reasons, max_size=2).map(tuple),
    st.lists(st.builds(Violation, _texts, _texts), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from("abcdef"), _texts, max_size=3).map(lambda entries: tuple(entries.items())),
    st.just("") | _texts,
    st.just("") | _texts,
)


def same(spliced: bytes, whole: Message) -> None:
    assert spliced == whole.SerializeToString(deterministic=True)
    assert type(whole).FromString(spliced) == whole


@PROFILE
@given(_redemptions, st.just("") | st.uuids().map(str))
def test_a_redemption(item: Redemption, window_id: str) -> None:
    same(encode.redemption_field(item, window_id), pb.GetRedemptionResponse(redemption=plain.redemption(item, window_id)))


@PROFILE
@given(_reasons)
def test_a_reason(item: Reason) -> None:
    (whole,) = plain.reasons([item])
    # Twice: the second time its texts are known.
    same(encode.reason(item), whole)
    same(encode.reason(item), whole)


@PROFILE
@given(_redemptions, _breakdowns | st.none(), _steps)
def test_an_answer_to_authorize(item: Redemption, made: Breakdown | None, steps: list[Reason]) -> None:
    body = answers.authorized(encode.redemption_field(item), Decision(breakdown=made), encode.reasons(steps))
    told = plain.breakdown(made or Breakdown(), steps)
    same(body, pb.AuthorizeResponse(redemption=plain.redemption(item, ""), breakdown=told))


_Answer = pb.CaptureResponse | pb.ApproveResponse | pb.RejectResponse | pb.VoidResponse | pb.RefundResponse

_ANSWERS: list[tuple[answers.Respond, Callable[[Decision], _Answer]]] = [
    (answers.captured, lambda made: pb.CaptureResponse(released_fen=made.released, forfeited_fen=made.forfeited)),
    (answers.approved, lambda made: pb.ApproveResponse(released_fen=made.released, forfeited_fen=made.forfeited)),
    (answers.rejected, lambda made: pb.RejectResponse(released_fen=made.released)),
    (answers.voided, lambda made: pb.VoidResponse(released_fen=made.released)),
    (answers.refunded, lambda made: pb.RefundResponse(returned_fen=made.returned)),
]


@PROFILE
@given(st.sampled_from(_ANSWERS), st.builds(Decision, released=_amounts, forfeited=_amounts, returned=_amounts), _redemptions, _steps)
def test_an_answer_to_a_command_on_a_redemption(
    answer: tuple[answers.Respond, Callable[[Decision], _Answer]], made: Decision, item: Redemption, steps: list[Reason]
) -> None:
    respond, amounts = answer
    whole = amounts(made)
    whole.redemption.CopyFrom(plain.redemption(item, ""))
    whole.reasons.extend(plain.reasons(steps))
    same(respond(encode.redemption_field(item), made, encode.reasons(steps)), whole)


@PROFILE
@given(_redemptions, st.sampled_from(["Authorize", "Capture", ""]), _steps, _moments)
def test_the_event_of_a_change(item: Redemption, cause: str, steps: list[Reason], now: datetime) -> None:
    whole = events_pb2.RedemptionChanged(
        redemption=plain.redemption(item, ""), cause=cause, reasons=plain.reasons(steps), occurred_at=plain.timestamp(now)
    )
    made = events.redemption_changed(item, encode.redemption_field(item), cause, encode.reasons(steps), now)
    for event in made:
        same(event.payload, whole)
        assert (event.key, event.type) == (item.wallet.enterprise, "yrd.events.v1.RedemptionChanged")
    assert [event.topic for event in made] == sorted({events.out(item.wallet.issuer), events.out(item.acquirer)})


@PROFILE
@given(_refusals)
def test_a_refusal(item: Refusal) -> None:
    seconds = 1 if item.code in RETRIED else 0
    whole = plain.status(item, seconds)
    outcome = refused(item)
    assert outcome.status == whole.code
    assert refusal_message(item) == plain.refusal(item)
    if whole.ByteSize() <= STATUS_BYTES_MAX:
        same(outcome.body, whole)
        assert frames.refusal_bytes(outcome) == plain.refusal(item).SerializeToString(deterministic=True)
    else:
        assert status_pb2.Status.FromString(outcome.body).code == whole.code


@PROFILE
@given(st.lists(_redemptions | st.sampled_from(RefusalCode), max_size=4))
def test_a_batch(items: list[Redemption | RefusalCode]) -> None:
    whole, outcomes = pb.BatchAuthorizeResponse(), []
    for item in items:
        if isinstance(item, RefusalCode):
            outcomes.append(refused(Refusal(item)))
            whole.outcomes.add(refusal=plain.refusal(Refusal(item)))
        else:
            response = pb.AuthorizeResponse(redemption=plain.redemption(item, ""))
            outcomes.append(Outcome(0, response.SerializeToString(deterministic=True)))
            whole.outcomes.add(response=response)
    same(frames.batch_body(outcomes), whole)


@given(_amounts, st.binary(max_size=300), st.integers(1, 5_000))
def test_numbers_and_fields_of_any_size(number: int, part: bytes, place: int) -> None:
    assert varint(number) == _varint(number)
    assert field(place, part) == _varint(place << 3 | 2) + _varint(len(part)) + part


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_fact_out_of_range_is_a_defect_and_no_wrong_number(value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        encode.reason(Reason("A1", "甲", "a", facts=(("limit_fen", value),)))
