"""Outcomes and events: the bytes a caller gets, and what each province is told."""

from __future__ import annotations

from datetime import date

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from hub.codec import encode, events
from hub.codec.outcome import STATUS_BYTES_MAX, answer, refusal_of, refused
from hub.domain.model import Redemption, State, WalletKey
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal, RefusalCode, Violation
from tests.unit.builders import ENTERPRISE, PROVIDER, TODAY, approved, at, desk, line, note
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2
from yrd.events.v1 import events_pb2

NOW = at(TODAY)


def _redemption() -> Redemption:
    world = desk()
    redemption = approved(world.authorize(line(1000))).redemption_id
    return approved(world.capture(redemption))


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_is_a_status_with_its_reason(code: RefusalCode) -> None:
    outcome = refused(Refusal(code, metadata=(("field", "x"),)))
    status = status_pb2.Status.FromString(outcome.body)
    assert not outcome.ok
    number: int = StatusCode[Refusal(code).entry.grpc_status].value[0]
    assert outcome.status == status.code == number
    assert status.message.startswith(f"{code.value}: ")
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (code.value, "yrd", {"field": "x"})
    message = refusal_of(outcome)
    assert refusal_pb2.RefusalCode.Name(message.code) == f"REFUSAL_CODE_{code.value}"
    assert message.zh and message.en and message.remedy_zh and message.remedy_en


def test_wrong_fields_travel_twice_for_machines_of_both_kinds() -> None:
    refusal = Refusal(RefusalCode.INVALID_ARGUMENT, violations=(Violation("a", "must be b"), Violation("c", "must be d")))
    status = status_pb2.Status.FromString(refused(refusal).body)
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details if detail.TypeName() == "google.rpc.BadRequest")
    assert [(item.field, item.description) for item in bad.field_violations] == [("a", "must be b"), ("c", "must be d")]
    assert [item.field for item in refusal_of(refused(refusal)).violations] == ["a", "c"]


def test_a_refusal_always_fits_into_what_a_client_takes() -> None:
    """As metadata: of more than 8 KiB gRPC's clients show nothing, not even the code."""
    many = tuple(Violation(f"items[{number}].enterprise", "must be a code") for number in range(1_000))
    steps = tuple(Reason("A1", f"第 {number} 行", f"line {number}") for number in range(1_000))
    outcome = refused(Refusal(RefusalCode.INVALID_ARGUMENT, steps, many, (("field", many[0].field),)))
    assert len(outcome.body) <= STATUS_BYTES_MAX
    told = refusal_of(outcome)
    assert [item.field for item in told.violations] == [item.field for item in many[: len(told.violations)]] != []
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(outcome.body).details[0].Unpack(info)
    assert info.metadata["field"] == many[0].field
    assert int(info.metadata["left_out"]) == 2_000 - len(told.violations) - len(told.reasons)


def test_overload_says_when_to_come_again() -> None:
    def told(code: RefusalCode) -> bool:
        details = status_pb2.Status.FromString(refused(Refusal(code)).body).details
        return any(detail.TypeName() == "google.rpc.RetryInfo" for detail in details)

    assert told(RefusalCode.OVERLOADED) and not told(RefusalCode.QUOTA_EXCEEDED)


def test_an_answer_holds_no_refusal() -> None:
    outcome = answer(clearing_pb2.VoidResponse(released_fen=5))
    assert outcome.ok and clearing_pb2.VoidResponse.FromString(outcome.body).released_fen == 5
    with pytest.raises(LookupError):
        refusal_of(outcome._replace(body=b""))


def test_the_same_refusal_is_the_same_bytes() -> None:
    metadata = tuple((f"k{number}", "v") for number in range(20))
    assert refused(Refusal(RefusalCode.INVALID_STATE, metadata=metadata)) == refused(
        Refusal(RefusalCode.INVALID_STATE, metadata=metadata[::-1])
    )


def test_a_redemption_as_participants_see_it() -> None:
    redemption = _redemption()
    message = encode.redemption(redemption, "w-1")
    assert (message.issuer, message.acquirer, message.enterprise, message.provider) == ("310000", "320000", ENTERPRISE, PROVIDER)
    assert (message.state, message.authorized_fen, message.subsidy_fen) == (clearing_pb2.REDEMPTION_STATE_CLEARED, 500_00, 500_00)
    assert (message.payee, message.quota_year, message.delivered_on) == (clearing_pb2.PAYEE_KIND_PROVIDER, 2026, "2026-03-02")
    assert (message.authorization_expires_on, message.invoice_no, message.window_id) == ("2026-05-31", "I-1", "w-1")
    assert [(draw.voucher_no, draw.amount_fen) for draw in message.draws] == [("N0001", 500_00)]
    assert message.settled_on == "" and not message.HasField("days_to_payment")


def test_t4_days_from_delivery_to_payment_once_settled() -> None:
    redemption = _redemption()
    redemption.state, redemption.settled_on = State.SETTLED, date(2026, 4, 1)
    message = encode.redemption(redemption)
    assert (message.settled_on, message.days_to_payment) == ("2026-04-01", 30)
    assert message.capital_fen_days == message.subsidy_fen * 30
    redemption.settled_on = redemption.delivered_on
    message = encode.redemption(redemption)
    assert message.HasField("days_to_payment") and message.days_to_payment == 0


def test_a_reason_keeps_its_numbers() -> None:
    step = Reason("A2", "甲", "a", code="QUOTA_EXCEEDED", policy_version="v", clause="c", facts=(("limit_fen", 5),))
    message = refusal_pb2.Reason.FromString(encode.reason(step))
    assert (message.rule, message.code, message.policy_version, message.clause, message.zh, message.en) == (
        "A2",
        "QUOTA_EXCEEDED",
        "v",
        "c",
        "甲",
        "a",
    )
    assert [(fact.name, fact.value) for fact in message.facts] == [("limit_fen", 5)]


@pytest.mark.parametrize(
    ("issuer", "acquirer", "topics"),
    [
        ("310000", "320500", ["310000.out", "320000.out"]),
        ("330522", "330000", ["330000.out"]),
        ("340100", "310000", ["310000.out", "340000.out"]),
    ],
)
def test_c7_both_sides_are_told_each_once(issuer: str, acquirer: str, topics: list[str]) -> None:
    redemption = _redemption()
    redemption.wallet, redemption.acquirer = WalletKey(issuer, ENTERPRISE), acquirer
    steps = encode.reasons([Reason("C7", "甲", "a")])
    made = events.redemption_changed(redemption, encode.redemption_field(redemption), "Refund", steps, NOW)
    assert [item.topic for item in made] == topics
    assert {item.key for item in made} == {ENTERPRISE}
    assert {item.type for item in made} == {"yrd.events.v1.RedemptionChanged"}
    (payload,) = {item.payload for item in made}
    body = events_pb2.RedemptionChanged.FromString(payload)
    assert (body.cause, body.reasons[0].rule, body.redemption) == ("Refund", "C7", encode.redemption(redemption))


def test_vouchers_events_go_to_the_issuers_province() -> None:
    held = note(1)
    issued = events.vouchers_issued([held, note(2)], NOW)
    assert (issued.topic, issued.key) == ("310000.out", ENTERPRISE)
    assert len(events_pb2.VouchersIssued.FromString(issued.payload).vouchers) == 2
    body = events_pb2.VoucherReturned.FromString(events.voucher_returned(held, 7, "Expire", NOW).payload)
    assert (body.returned_fen, body.cause, body.voucher.voucher_no, body.voucher.expires_on) == (7, "Expire", "N0001", "2027-01-05")


def test_the_outcome_of_a_command_goes_back_where_it_came_from() -> None:
    reply = events.Reply("320500", "yrd.clearing.v1.ClearingService.Void", "row-7", "k")
    good = events.command_outcome(reply, "q", answer(clearing_pb2.VoidResponse(released_fen=5)))
    body = events_pb2.CommandOutcome.FromString(good.payload)
    assert (good.topic, good.key, body.request_id, body.source_id) == ("320000.out", "k", "q", "row-7")
    assert clearing_pb2.VoidResponse.FromString(body.response).released_fen == 5
    bad = events.command_outcome(reply, "q", refused(Refusal(RefusalCode.INVALID_STATE)))
    told = events_pb2.CommandOutcome.FromString(bad.payload)
    assert told.refusal.code == refusal_pb2.REFUSAL_CODE_INVALID_STATE and not told.response
