"""What a record means in the light of what was sent before: every kind, every way a record may come again (the table in `follow`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.runtime import commands
from adapters.runtime.edition import Before, Done, Edition, Send, Wait
from adapters.runtime.effects import gone_already, held_after, packed, spent_after, unpacked
from adapters.runtime.follow import next_step, steps
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.reasons import REASONS
from adapters.runtime.remedies import REMEDIES, remedy
from adapters.runtime.row import Reject
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.policy.v1 import policy_pb2 as policy
from yrd.voucher.v1 import voucher_pb2 as voucher

FIRM, OTHER, LAB, OTHER_LAB = "91330522MA2B12343A", "91310118MA1JTERT16", "12310104425001236Q", "12320000466000000X"
REDEMPTION = "8a1c0f7e-0000-4000-8000-000000000001"


def firm(uscc: str = FIRM, staff: int = 10) -> Mapped:
    return commands.register("r1", uscc=uscc, name="甲", division="330522", kind="TEAM", sme_no="", sme_from="", sme_until="", staff=staff)


def lab(uscc: str = LAB, rating: int = 300) -> Mapped:
    return commands.admit("r1", uscc=uscc, name="乙", home="330000", categories=["RESEARCH"], admitted_on="2026-01-01", rating=rating)


def recognition(provider: str = LAB, until: str = "2027-01-01", *, agreement: bool = False) -> Mapped:
    return commands.recognize("r1", issuer="330000", provider=provider, valid_from="2026-01-01", valid_until=until, agreement=agreement)


def notes(face: int = 100_000, numbers: tuple[str, ...] = ("q1", "q2"), enterprise: str = FIRM) -> Mapped:
    return commands.issue("r1", issuer="330000", enterprise=enterprise, face_fen=face, count=2, voucher_nos=numbers)


def order(*amounts: int) -> Mapped:
    lines = [commands.line("RESEARCH", each) for each in amounts or (100_000,)]
    return commands.authorize("r1", issuer="330000", enterprise=FIRM, provider=LAB, order_no="o1", lines=lines, lines_field="mx")


def captured(*amounts: int, invoice: str = "i1", redemption: str = REDEMPTION) -> Mapped:
    lines = [commands.line("RESEARCH", each) for each in amounts]
    mapped = commands.capture(
        "r1",
        authorization="a1",
        authorization_field="sq",
        enterprise=FIRM,
        invoice_no=invoice,
        delivered_on="2026-02-03",
        documents=[commands.evidence("INVOICE")],
        lines=lines,
    )
    assert isinstance(mapped.request, clearing.CaptureRequest)
    mapped.request.redemption_id = redemption
    return mapped


def published(cap: int = 1) -> Mapped:
    return commands.publish(policy.Policy(issuer="330000", version="v1", annual_cap_fen=cap))


FIRST = {
    Kind.POLICY: published(),
    Kind.ENTERPRISE: firm(),
    Kind.PROVIDER: lab(),
    Kind.RECOGNITION: recognition(),
    Kind.VOUCHER: notes(),
    Kind.AUTHORIZATION: order(),
    Kind.CAPTURE: captured(60_000, 40_000),
}
CHANGED = {
    Kind.POLICY: published(2),
    Kind.ENTERPRISE: firm(staff=11),
    Kind.PROVIDER: lab(rating=400),
    Kind.RECOGNITION: recognition(until="2026-06-01"),
    Kind.VOUCHER: notes(200_000),
    Kind.AUTHORIZATION: order(90_000),
    Kind.CAPTURE: captured(50_000, 30_000),
}


def edition(kind: Kind, mapped: Mapped, digest: str = "d2", *, deleted: bool = False) -> Edition:
    return Edition(kind, "r1", digest, deleted, "id", mapped.method, mapped.key, packed(mapped.request))


def held(kind: Kind, mapped: Mapped | None = None, **more: Any) -> Before:
    """Return what is known of a record that the hub took."""
    first = mapped or FIRST[kind]
    base = Before("d1", 0, "OK", first.method, packed(first.request), ever=True)
    if kind in (Kind.AUTHORIZATION, Kind.CAPTURE):
        base = replace(base, redemption_id=REDEMPTION, state="AUTHORIZED" if kind is Kind.AUTHORIZATION else "CLEARED")
    return replace(base, **more)


def way(kind: Kind, mapped: Mapped, before: Before, *, deleted: bool = False) -> list[str]:
    """Return the methods of the whole way, each by its last word, or the reason of the quarantine."""
    found = steps(edition(kind, mapped, deleted=deleted), before)
    assert not isinstance(found, Wait)
    if isinstance(found, Reject):
        assert found.code in REASONS and found.field == "id"
        return [found.code]
    return [each.method.rpartition(".")[2] for each in found]


@pytest.mark.parametrize("kind", Kind)
def test_a_new_record_is_sent_and_one_withdrawn_before_that_is_not(kind: Kind) -> None:
    first = FIRST[kind]
    assert next_step(edition(kind, first), None) == Send(first.method, first.key, packed(first.request), 0)
    assert next_step(edition(kind, first, deleted=True), None) == Done(settled=True)


@pytest.mark.parametrize("kind", Kind)
def test_the_same_again_is_nothing(kind: Kind) -> None:
    assert next_step(edition(kind, FIRST[kind], "d1"), held(kind)) == Done()
    # A new mark or spelling that says the same to the hub is no change either, but it is the record's edition from now on.
    assert next_step(edition(kind, FIRST[kind], "d2"), held(kind)) == Done(settled=True)


@pytest.mark.parametrize("kind", Kind)
def test_while_unanswered_any_edition_waits(kind: Kind) -> None:
    before = Before("d1", 0, "", FIRST[kind].method)
    for after in (FIRST[kind], CHANGED[kind]):
        assert next_step(edition(kind, after), before) == Wait()
    assert next_step(edition(kind, FIRST[kind], deleted=True), before) == Wait()


@pytest.mark.parametrize("kind", Kind)
def test_after_a_refusal_a_correction_is_a_new_attempt_and_the_same_waits_to_be_asked_for(kind: Kind) -> None:
    before = Before("d1", 4, "POLICY_NOT_IN_FORCE", FIRST[kind].method)
    assert next_step(edition(kind, FIRST[kind], "d1"), before) == Done()
    for found in (next_step(edition(kind, FIRST[kind], "d1"), before, retry=True), next_step(edition(kind, CHANGED[kind]), before)):
        assert isinstance(found, Send)
        assert (found.method, found.attempt) == (FIRST[kind].method, 5)
    assert next_step(edition(kind, FIRST[kind], deleted=True), before) == Done(settled=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.POLICY, ["CHANGED_AFTER_SENT"]),
        (Kind.ENTERPRISE, ["RegisterEnterprise"]),
        (Kind.PROVIDER, ["AdmitProvider"]),
        (Kind.RECOGNITION, ["RevokeRecognition", "RecognizeProvider"]),
        (Kind.VOUCHER, ["CancelVoucher", "CancelVoucher", "IssueVouchers"]),
        (Kind.AUTHORIZATION, ["Void", "Authorize"]),
        (Kind.CAPTURE, ["Refund", "Refund"]),
    ],
)
def test_changed(kind: Kind, expected: list[str]) -> None:
    assert way(kind, CHANGED[kind], held(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.POLICY, ["CHANGED_AFTER_SENT"]),
        (Kind.ENTERPRISE, ["CANNOT_DEREGISTER"]),
        (Kind.PROVIDER, ["RemoveProvider"]),
        (Kind.RECOGNITION, ["RevokeRecognition"]),
        (Kind.VOUCHER, ["CancelVoucher", "CancelVoucher"]),
        (Kind.AUTHORIZATION, ["Void"]),
        (Kind.CAPTURE, ["Refund", "Refund"]),
    ],
)
def test_withdrawn(kind: Kind, expected: list[str]) -> None:
    assert way(kind, FIRST[kind], held(kind), deleted=True) == expected
    # The record need not map any more: what the hub holds is enough.
    gone = steps(Edition(kind, "r1", "d2", deleted=True, id_field="id", key=FIRST[kind].key), held(kind))
    assert not isinstance(gone, list) or [each.method.rpartition(".")[2] for each in gone] == expected


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.POLICY, Kind.ENTERPRISE, Kind.CAPTURE)])
def test_withdrawn_and_back_again(kind: Kind) -> None:
    gone = held(kind, held=b"", digest="gone", attempt=3)
    assert next_step(edition(kind, FIRST[kind], "gone", deleted=True), gone) == Done()
    back = next_step(edition(kind, FIRST[kind], "d1"), gone)
    assert isinstance(back, Send)
    assert (back.method, back.attempt) == (FIRST[kind].method, 4)
    if kind is Kind.VOUCHER:
        # The hub never uses a number twice.
        assert list(voucher.IssueVouchersRequest.FromString(back.request).items[0].voucher_nos) == ["q1-R4", "q2-R4"]


@pytest.mark.parametrize(
    ("kind", "after", "more", "expected"),
    [
        (Kind.ENTERPRISE, firm(OTHER), {}, ["ANOTHER_FIRM"]),
        (Kind.PROVIDER, lab(OTHER_LAB), {}, ["RemoveProvider", "AdmitProvider"]),
        (Kind.PROVIDER, lab(OTHER_LAB), {"others": (packed(lab().request),)}, ["SHARED_FIRM"]),
        (Kind.RECOGNITION, recognition(until=""), {}, ["RecognizeProvider"]),
        (Kind.RECOGNITION, recognition(agreement=True), {}, ["RecognizeProvider"]),
        (Kind.RECOGNITION, recognition(OTHER_LAB), {}, ["RevokeRecognition", "RecognizeProvider"]),
        (Kind.RECOGNITION, recognition(until="2026-06-01"), {"others": (packed(recognition().request),)}, ["SHARED_FIRM"]),
        (Kind.VOUCHER, notes(enterprise=OTHER), {}, ["CancelVoucher", "CancelVoucher", "IssueVouchers"]),
        (Kind.VOUCHER, notes(200_000), {"used": True}, ["VOUCHER_USED"]),
        (Kind.VOUCHER, notes(200_000), {"held": b"", "spent": True}, ["VOUCHER_USED"]),
        (Kind.VOUCHER, notes(200_000, ("q" * 60, "p")), {}, ["NUMBER_TOO_LONG"]),
        (Kind.AUTHORIZATION, order(1), {"captured": True}, ["CAPTURED_ALREADY"]),
        (Kind.AUTHORIZATION, order(1), {"state": "PENDING_REVIEW"}, ["CAPTURED_ALREADY"]),
        (Kind.AUTHORIZATION, order(1), {"state": "EXPIRED"}, ["Authorize"]),
        (Kind.AUTHORIZATION, order(1), {"state": "REFUNDED", "captured": True}, ["Authorize"]),
        (Kind.CAPTURE, captured(60_000, 30_000), {}, ["Refund"]),
        (Kind.CAPTURE, captured(60_001, 30_000), {}, ["CHANGED_AFTER_CAPTURE"]),
        (Kind.CAPTURE, captured(60_000), {}, ["CHANGED_AFTER_CAPTURE"]),
        (Kind.CAPTURE, captured(60_000, 40_000, invoice="i2"), {}, ["CHANGED_AFTER_CAPTURE"]),
        (Kind.CAPTURE, captured(50_000, 30_000), {"state": "HELD"}, ["UNDER_REVIEW"]),
        (Kind.CAPTURE, captured(50_000, 30_000), {"state": "REFUNDED"}, []),
        (Kind.CAPTURE, captured(50_000, 30_000), {"state": "REJECTED"}, ["NEEDS_AUTHORIZATION"]),
        (Kind.CAPTURE, captured(1, redemption="other"), {"state": "REJECTED"}, ["Capture"]),
        (Kind.CAPTURE, captured(60_000, 40_000), {"held": b""}, ["NEEDS_AUTHORIZATION"]),
        (Kind.CAPTURE, captured(60_000, 40_000, redemption="other"), {"held": b""}, ["Capture"]),
    ],
)
def test_changed_in_other_ways(kind: Kind, after: Mapped, more: dict[str, Any], expected: list[str]) -> None:
    assert way(kind, after, held(kind, redemption_id=REDEMPTION, **{"state": held(kind).state, **more})) == expected


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        (Kind.PROVIDER, {"others": (packed(lab().request),)}, ["SHARED_FIRM"]),
        (Kind.PROVIDER, {"others": (packed(lab(OTHER_LAB).request),)}, ["RemoveProvider"]),
        (Kind.RECOGNITION, {"others": (packed(recognition().request),)}, ["SHARED_FIRM"]),
        (Kind.VOUCHER, {"used": True}, ["CancelVoucher", "CancelVoucher"]),
        (Kind.AUTHORIZATION, {"captured": True}, ["CAPTURED_ALREADY"]),
        (Kind.AUTHORIZATION, {"state": "EXPIRED"}, []),
        (Kind.AUTHORIZATION, {"state": ""}, ["Void"]),
        (Kind.CAPTURE, {"state": "PENDING_REVIEW"}, ["UNDER_REVIEW"]),
        (Kind.CAPTURE, {"state": "REFUNDED"}, []),
        (Kind.CAPTURE, {"state": "VOIDED"}, []),
    ],
)
def test_withdrawn_in_other_ways(kind: Kind, more: dict[str, Any], expected: list[str]) -> None:
    assert way(kind, FIRST[kind], held(kind, **more), deleted=True) == expected


def test_a_capture_of_the_lines_authorized_is_compared_with_those() -> None:
    authorized = packed(order(60_000, 40_000).request)
    before = held(Kind.CAPTURE, authorized=authorized)
    assert way(Kind.CAPTURE, captured(), before) == []
    assert way(Kind.CAPTURE, captured(60_000, 10_000), before) == ["Refund"]


def test_refunds_say_line_and_fee() -> None:
    found = steps(edition(Kind.CAPTURE, CHANGED[Kind.CAPTURE]), held(Kind.CAPTURE))
    assert isinstance(found, list)
    said = [clearing.RefundRequest.FromString(each.request) for each in found]
    assert [(each.redemption_id, each.line, each.fee_fen) for each in said] == [(REDEMPTION, 0, 10_000), (REDEMPTION, 1, 10_000)]
    assert [(each.attempt, each.step) for each in found] == [(1, "refund/0"), (2, "refund/1")]


def test_what_a_refused_correction_left_at_the_hub_decides_the_next_step() -> None:
    """The second of two refunds was refused: a retry refunds that line alone."""
    before = held(Kind.CAPTURE, captured(50_000, 40_000), digest="d2", attempt=2, outcome="INVALID_STATE", method=commands.REFUND)
    assert next_step(edition(Kind.CAPTURE, CHANGED[Kind.CAPTURE]), before) == Done()
    found = next_step(edition(Kind.CAPTURE, CHANGED[Kind.CAPTURE]), before, retry=True)
    assert isinstance(found, Send)
    assert (found.step, found.attempt) == ("refund/1", 3)
    # The edition before comes back while the hub still holds part of it: that is higher again, for an officer.
    again = next_step(edition(Kind.CAPTURE, FIRST[Kind.CAPTURE], "d1"), before)
    assert isinstance(again, Reject) and again.code == "CHANGED_AFTER_CAPTURE"


def test_with_the_memory_lost_nothing_that_moves_money_is_sent_under_another_id() -> None:
    for kind in Kind:
        before = Before("d1", 0, "REQUEST_ID_REUSED", FIRST[kind].method)
        found = next_step(edition(kind, CHANGED[kind]), before)
        if kind in (Kind.ENTERPRISE, Kind.PROVIDER, Kind.RECOGNITION):
            assert isinstance(found, Send)
        else:
            assert isinstance(found, Reject) and found.code == "MEMORY_LOST"


@pytest.mark.parametrize("kind", Kind)
def test_history_never_overrides_the_live_feed(kind: Kind) -> None:
    old = replace(edition(kind, CHANGED[kind]), historic=True)
    assert next_step(old, held(kind)) == Done()
    assert next_step(replace(old, deleted=True), held(kind)) == Done()
    followed = next_step(old, held(kind, live=False))
    assert followed != Done()
    assert isinstance(next_step(old, None), Send)


def test_numbers_the_hub_gave_are_remembered() -> None:
    asked = packed(notes(numbers=()).request)
    answer = voucher.IssueVouchersResponse(vouchers=[voucher.Voucher(voucher_no="h1"), voucher.Voucher(voucher_no="h2")])
    stands = held_after(commands.ISSUE, asked, b"", answer.SerializeToString())
    before = held(Kind.VOUCHER, notes(numbers=()), held=stands)
    assert way(Kind.VOUCHER, notes(numbers=()), before) == []
    found = steps(edition(Kind.VOUCHER, notes(numbers=()), deleted=True), before)
    assert isinstance(found, list)
    assert [voucher.CancelVoucherRequest.FromString(each.request).voucher_no for each in found] == ["h1", "h2"]


def test_a_cancelled_note_that_had_been_used_is_noticed() -> None:
    answer = voucher.CancelVoucherResponse(voucher=voucher.Voucher(face_fen=5), returned_fen=4)
    assert spent_after(commands.CANCEL, answer.SerializeToString())
    answer.returned_fen = 5
    assert not spent_after(commands.CANCEL, answer.SerializeToString())


def test_a_withdrawal_of_what_is_gone_has_reached_its_aim() -> None:
    assert gone_already(commands.REVOKE, "RECOGNITION_NOT_FOUND", "")
    assert gone_already(commands.REMOVE, "INVALID_STATE", "")
    assert gone_already(commands.CANCEL, "INVALID_STATE", "")
    assert gone_already(commands.VOID, "INVALID_STATE", "EXPIRED")
    assert not gone_already(commands.VOID, "INVALID_STATE", "CLEARED")
    assert not gone_already(commands.REFUND, "INVALID_STATE", "CLEARED")
    assert not gone_already(commands.REVOKE, "NOT_PERMITTED", "")


def test_every_command_of_a_correction_reads_back() -> None:
    for kind in Kind:
        for deleted in (False, True):
            found = steps(edition(kind, CHANGED[kind], deleted=deleted), held(kind))
            for each in found if isinstance(found, list) else ():
                assert packed(unpacked(each.method, each.request)) == each.request
                assert each.key


def test_every_reason_says_what_to_do_in_both_languages() -> None:
    assert set(REMEDIES) <= set(REASONS)
    for code in REASONS:
        zh, en = remedy(code)
        assert zh and en and zh != en
