"""Bad input of every kind at the public doors: a stable code, the field named, and nothing changed. One table for all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapters.runtime.policy_file import PolicyFileError, policy_from_mapping
from hub.client import HubClient
from hub.domain.divisions import COORDINATION
from hub.domain.money import MAX_FEN
from tests.fixtures import badcallers, badidentity
from tests.fixtures import requests as good
from tests.fixtures.badinput import UNKNOWN, Make, Row, Seen, World, change, invalid, mutations, nest, open_to_platforms, row, wrong
from tests.fixtures.delta import (
    CHANGXING,
    CLEARING,
    CREDIT,
    ENTERPRISES,
    JIANGSU,
    PARTICIPANTS,
    POLICIES,
    REGISTRY,
    SETTLEMENT,
    SHANGHAI,
    TESTING,
    VOUCHERS,
)
from tests.support_usecases import forged, platform
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

BAD_IDS = ["", "1", "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a0", "zzzzzzzz-53c9-4a3c-9a3e-1d0f6f1b9a01"]
BAD_DIVISIONS = ["", "31000", "3100000", "31000O", "000000", "310000\n", "３１００００"]
BAD_CODES = ["", "91330522MA2B12343B", "91330522ma2b12343a", "91330522MA2B12343", "91330522-MA2B12343-A", "91330522MA2B12343A\x00"]
TOO_LARGE = [MAX_FEN + 1, 2**63 - 1]
TOO_SMALL = [0, -1, -(2**63)]
BAD_NUMBERS = ["", "HT 1", "x" * 65, "HT\n1", "HT\x001", "HT\u30001"]
BAD_DATES = ["2026-02-30", "2026-2-3", "2026/02/03", "20260203", "tomorrow", "２０２６-02-03"]
BAD_TOKENS = [
    "nonsense",
    "中文",
    "W10",
    "WyJhIiwiYiJd",
    "e30",
    "WyIyMDI2IiwiMSIsIjIiXQ",
    "=" * 9,
    "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIlx1MDAwMCJd",
    forged(platform(SHANGHAI), pb.ListRedemptionsRequest(), "\x00").page_token,
    forged(platform(SHANGHAI), pb.ListRedemptionsRequest(issuer=CHANGXING), "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01").page_token,
]
BAD_ENUMS = [0, 99, -1]
# The whole lists stand where a kind of field first appears; every other field of the kind is read by the same code.
FEW_IDS, FEW_DIVISIONS, FEW_CODES = BAD_IDS[:2], ["31000", "310000\x00"], [BAD_CODES[1], BAD_CODES[-1]]
FEW_NUMBERS, FEW_DATES, FEW_ENUMS = ["HT 1", "HT\x001"], ["2026-02-30", "2026/02/03"], BAD_ENUMS[:2]
FEW_AMOUNTS, FEW_TOKENS = [0, -1, MAX_FEN + 1], BAD_TOKENS[:2]
BAD_PAGES: dict[str, Sequence[object]] = {"page_token": FEW_TOKENS, "page_size": [-1]}
LINE = pb.OrderLine(category=TESTING, amount_fen=1)

FIELDS = [
    *wrong(SHANGHAI, f"{CLEARING}.Authorize", good.authorize, {
        "request_id": BAD_IDS,
        "input.issuer": BAD_DIVISIONS,
        "input.enterprise": BAD_CODES,
        "input.provider": BAD_CODES,
        "input.order.order_no": BAD_NUMBERS,
        "input.order.lines": [[], [LINE] * 101, [pb.OrderLine(category=TESTING, amount_fen=MAX_FEN)] * 2],
        "input.order.lines[0].category": BAD_ENUMS,
        "input.order.lines[0].amount_fen": TOO_SMALL,
    }),
    *wrong(SHANGHAI, f"{CLEARING}.Authorize", good.authorize, {"input.order.lines[0].amount_fen": TOO_LARGE}, "input.order.lines"),
    *wrong(SHANGHAI, f"{CLEARING}.Quote", good.quote, {"input.issuer": ["x"], "input.order.lines": [[]]}),
    *wrong(SHANGHAI, f"{CLEARING}.Capture", good.capture, {
        "request_id": BAD_IDS,
        "redemption_id": BAD_IDS,
        "invoice_no": BAD_NUMBERS,
        "delivered_on": ["", *BAD_DATES, "2999-01-01"],
        "lines": [[LINE] * 101],
        "lines[0].amount_fen": TOO_SMALL,
        "lines[0].category": BAD_ENUMS,
        "evidence[0].kind": BAD_ENUMS,
        "evidence[0].sha256": ["abc", "g" * 64, "0" * 65],
    }),
    *wrong(SHANGHAI, f"{CLEARING}.Capture", good.capture, {"lines[0].amount_fen": TOO_LARGE}, "lines"),
    *wrong(JIANGSU, f"{CLEARING}.Approve", good.approve, {"redemption_id": FEW_IDS, "approved_fen": [*FEW_AMOUNTS, 200_001]}),
    *wrong(JIANGSU, f"{CLEARING}.Reject", good.reject, {"redemption_id": FEW_IDS, "reason": ["x" * 501, "a\x00b"]}),
    *wrong(SHANGHAI, f"{CLEARING}.Void", good.void, {"redemption_id": FEW_IDS}),
    *wrong(SHANGHAI, f"{CLEARING}.Refund", good.refund, {"redemption_id": FEW_IDS, "fee_fen": FEW_AMOUNTS, "line": [-1, 1, 2**31 - 1]}),
    *wrong(SHANGHAI, f"{CLEARING}.GetRedemption", good.get_redemption, {"redemption_id": FEW_IDS}),
    *wrong(SHANGHAI, f"{CLEARING}.ListRedemptions", lambda _: pb.ListRedemptionsRequest(), {
        "page_token": BAD_TOKENS,
        "page_size": [-1, -(2**31)],
        "state": [99, -1],
        "issuer": ["x", "310000\x00"],
        "acquirer": ["x", "310000\x00"],
        "enterprise": FEW_CODES,
        "provider": FEW_CODES,
        "order_no": ["HT 1", "\x00"],
    }),
    *wrong(CHANGXING, f"{VOUCHERS}.IssueVouchers", good.issue, {
        "issuer": FEW_DIVISIONS,
        "items": [[], [voucher_pb2.IssueItem(enterprise=good.NEW_FIRM, face_fen=1)] * 1_001],
        "items[0].enterprise": FEW_CODES,
        "items[0].face_fen": TOO_SMALL[:2],
        "items[0].count": [-1],
        "items[0].voucher_nos[0]": FEW_NUMBERS,
        "issued_on": [*FEW_DATES, "2999-01-01"],
    }),
    *wrong(CHANGXING, f"{VOUCHERS}.IssueVouchers", good.issue, {"items[0].face_fen": TOO_LARGE[:1], "items[0].count": [10_001]}, "items"),
    *wrong(CHANGXING, f"{VOUCHERS}.ApplyForVouchers", good.apply, {"kind": FEW_ENUMS, "amount_fen": FEW_AMOUNTS, "enterprise": FEW_CODES}),
    *wrong(CHANGXING, f"{VOUCHERS}.ApproveApplication", good.approve_application, {
        "application_id": FEW_IDS,
        "approved_fen": [*FEW_AMOUNTS, 10_001],
    }),
    *wrong(CHANGXING, f"{VOUCHERS}.RejectApplication", good.reject_application, {"application_id": FEW_IDS, "reason": ["", "x" * 501]}),
    *wrong(CHANGXING, f"{VOUCHERS}.CancelVoucher", good.cancel, {"voucher_no": FEW_NUMBERS, "reason": ["x" * 501, "\x00"]}),
    *wrong(CHANGXING, f"{VOUCHERS}.VerifyVoucher", good.verify, {
        "voucher_no": FEW_NUMBERS,
        "order_no": FEW_NUMBERS,
        "provider": FEW_CODES,
    }),
    *wrong(CHANGXING, f"{VOUCHERS}.GetWallet", good.get_wallet, {
        "issuer": FEW_DIVISIONS,
        "enterprise": FEW_CODES,
        "year": [-1, 1999, 2200],
    }),
    *wrong(CHANGXING, f"{POLICIES}.PublishPolicy", good.publish, {
        "policy.issuer": FEW_DIVISIONS,
        "policy.version": FEW_NUMBERS,
        "policy.effective_until": ["2029-12-31", "never"],
        "policy.mode": FEW_ENUMS,
        "policy.annual_cap_fen": FEW_AMOUNTS,
        "policy.annual_issue_cap_fen": [-1, MAX_FEN + 1],
        "policy.denomination_fen": [-1, MAX_FEN + 1],
        "policy.validity_months": [-1, 121],
        "policy.categories": [[]],
        "policy.categories[0].category": FEW_ENUMS,
        "policy.categories[0].ratio_bp": [-1, 10_001],
        "policy.eligible[0]": FEW_ENUMS,
        "policy.funding[0].division": FEW_DIVISIONS,
        "policy.conditions[0].cel": ["", "order.", "1 + 1"],
    }),
    *wrong(CHANGXING, f"{POLICIES}.PublishPolicy", good.publish, {"policy.funding[0].share_bp": [0, -1, 10_001]}, "policy.funding"),
    *wrong(CHANGXING, f"{POLICIES}.ListPolicies", lambda _: policy_pb2.ListPoliciesRequest(issuer=CHANGXING), BAD_PAGES),
    *wrong(CHANGXING, f"{ENTERPRISES}.RegisterEnterprise", good.register_enterprise, {
        "enterprise.uscc": FEW_CODES,
        "enterprise.name": ["", " ", "x" * 201, "\x00"],
        "enterprise.division": FEW_DIVISIONS,
        "enterprise.kind": FEW_ENUMS,
        "enterprise.sme_no": ["1", "2026330522A000000"],
        "enterprise.sme_valid_from": FEW_DATES,
        "enterprise.staff": [-1],
    }),
    *wrong(CHANGXING, f"{ENTERPRISES}.GetEnterprise", good.get_enterprise, {"uscc": FEW_CODES}),
    *wrong(COORDINATION, f"{PARTICIPANTS}.RegisterParticipant", good.register_participant, {
        "participant.participant_id": ["", "310118", "spiffe://310000/330000/platform"],
        "participant.name": ["", "\x00"],
        "participant.division": ["310000", ""],
    }),
    *wrong(SHANGHAI, f"{PARTICIPANTS}.ListParticipants", lambda _: participant_pb2.ListParticipantsRequest(), BAD_PAGES),
    *wrong(SHANGHAI, f"{REGISTRY}.AdmitProvider", good.admit, {
        "provider.uscc": FEW_CODES,
        "provider.name": ["", "x" * 201],
        "provider.home": FEW_DIVISIONS,
        "provider.admitted_on": ["", *FEW_DATES],
        "provider.rating": [-1, 501],
        "provider.categories[0]": FEW_ENUMS,
    }),
    *wrong(SHANGHAI, f"{REGISTRY}.SuspendProvider", good.suspend, {"provider": FEW_CODES, "reason": ["x" * 501, "\x00"]}),
    *wrong(CHANGXING, f"{REGISTRY}.RecognizeProvider", good.recognize, {
        "recognition.issuer": FEW_DIVISIONS,
        "recognition.provider": FEW_CODES,
        "recognition.valid_from": ["", *FEW_DATES],
        "recognition.valid_until": ["2029-12-31", "2030-01-01", *FEW_DATES],
    }),
    *wrong(SHANGHAI, f"{REGISTRY}.ListProviders", lambda _: registry_pb2.ListProvidersRequest(), {**BAD_PAGES, "home": ["x"]}),
    *wrong(CHANGXING, f"{REGISTRY}.ListRecognitions", lambda _: registry_pb2.ListRecognitionsRequest(issuer=CHANGXING), {
        **BAD_PAGES,
    }),
    *wrong(CHANGXING, f"{CREDIT}.SanctionEnterprise", good.sanction, {"enterprise": FEW_CODES, "reason": ["x" * 501, "\x00"]}),
    *wrong(CHANGXING, f"{SETTLEMENT}.CloseWindow", good.close_window, {"issuers[0]": FEW_DIVISIONS}),
    *wrong(CHANGXING, f"{SETTLEMENT}.ConfirmPayment", good.confirm_payment, {
        "window_id": FEW_IDS,
        "debtor": FEW_DIVISIONS,
        "creditor": FEW_CODES,
        "amount_fen": FEW_AMOUNTS,
    }),
    *wrong(CHANGXING, f"{SETTLEMENT}.GetWindow", lambda _: settlement_pb2.GetWindowRequest(), {"window_id": FEW_IDS}),
]  # fmt: skip

NO_ID = [
    row(
        "no request_id",
        SHANGHAI if open_to_platforms(name) else COORDINATION,
        name,
        b"",
        invalid("request_id"),
    )
    for name in mutations()
]

_ORDER = nest(2, LINE.SerializeToString() + UNKNOWN)


def _unknown(path: str) -> Seen:
    return Seen("INVALID_ARGUMENT", "UNKNOWN_FIELD", (path,))


BYTES = [
    row("unknown field", SHANGHAI, f"{CLEARING}.Authorize", UNKNOWN, _unknown("#1999")),
    row("unknown field within", SHANGHAI, f"{CLEARING}.Authorize", nest(2, UNKNOWN), _unknown("input.#1999")),
    row("unknown field in a line", SHANGHAI, f"{CLEARING}.Authorize", nest(2, nest(4, _ORDER)), _unknown("input.order.lines[0].#1999")),
    row("unknown field of a query", SHANGHAI, f"{CLEARING}.GetRedemption", UNKNOWN, _unknown("#1999")),
    row("half a message", SHANGHAI, f"{CLEARING}.Authorize", b"\x0a\x24abc", invalid("(message)")),
    row("no message", SHANGHAI, f"{CLEARING}.Authorize", b"\xff" * 16, invalid("(message)")),
    row("text that is not UTF-8", SHANGHAI, f"{CLEARING}.Void", nest(1, b"\xff\xfe"), invalid("(message)")),
    row(
        "larger than the hub accepts",
        SHANGHAI,
        f"{CLEARING}.Void",
        nest(1, b"x" * 300_000),
        Seen("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"),
    ),
    row("larger than gRPC accepts", SHANGHAI, f"{CLEARING}.Void", nest(1, b"x" * 2_000_000), Seen("RESOURCE_EXHAUSTED")),
    row("unknown method", SHANGHAI, f"{CLEARING}.Forgive", b"", Seen("UNIMPLEMENTED")),
    row("unknown service", SHANGHAI, "yrd.clearing.v2.ClearingService.Void", b"", Seen("UNIMPLEMENTED")),
    row("rehearsals only", COORDINATION, "yrd.simulation.v1.SimulationService.AdvanceClock", b"", Seen("UNIMPLEMENTED")),
]


async def _larger_than_grpc_accepts(world: World) -> Seen:
    """The client knows gRPC's own words for it."""
    client: HubClient = (await world.hub.wire(SHANGHAI)).client
    result = await client.call(f"{CLEARING}.Void", pb.VoidRequest(redemption_id="x" * 2_000_000))
    return Seen(result.status.name, result.code)


def _outsider(who: str, method: str, make: Make, path: str) -> Row:
    """A division of a province that takes no part: what it is told would have no topic, and would keep everybody's events waiting."""
    return row(
        f"{path} takes no part",
        who,
        method,
        lambda world: change(make(world), path, "440300"),
        Seen("NOT_FOUND", "PARTICIPANT_NOT_FOUND", (path,)),
    )


OUTSIDERS = [
    _outsider(COORDINATION, f"{SETTLEMENT}.CloseWindow", good.close_window, "issuers[0]"),
    _outsider(CHANGXING, f"{POLICIES}.PublishPolicy", good.publish, "policy.funding[0].division"),
]

POLICY = {
    "issuer": SHANGHAI,
    "version": "1",
    "effective_from": "2026-01-01",
    "mode": "PRE_SUBSIDY",
    "categories": [{"category": "INSPECTION_TESTING", "ratio_bp": "5000"}],
}


def _yuan(text: str) -> Row:
    """An amount as a province's own policy file writes it, before the hub is asked at all."""

    async def read(_: World) -> Seen:
        try:
            policy_from_mapping({**POLICY, "annual_cap": text})
        except PolicyFileError as error:
            return Seen("PolicyFileError", "", (error.field,))
        return Seen("OK")

    return Row(f"annual_cap {text!r} of a policy file", read, Seen("PolicyFileError", "", ("annual_cap",)))


YUAN = [_yuan(text) for text in ("8000.005", "-1.00", "1e3", "", "１.00", "90071992547409.92", "1,000.00", "0x10", "NaN", " 1")]

ROWS = [
    *FIELDS,
    *NO_ID,
    *BYTES,
    *OUTSIDERS,
    Row("larger than gRPC accepts, through the client", _larger_than_grpc_accepts, Seen("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE")),
    *badidentity.ROWS,
    *badcallers.ROWS,
    *YUAN,
]


@pytest.mark.parametrize("bad", ROWS, ids=lambda bad: bad.name)
async def test_bad_input(furnished_hub: World, bad: Row) -> None:
    before = furnished_hub.digest()
    got = await bad.send(furnished_hub)
    assert got == bad.expected, got
    assert furnished_hub.digest() == before
