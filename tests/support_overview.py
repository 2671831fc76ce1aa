"""A small Delta whose flows the page shows: three issuers, two providers, played through use cases and the group committer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from google.protobuf.message import Message

from hub.application.enterprises import register_enterprise
from hub.application.methods import ledger_methods
from hub.application.policies import publish_policy
from hub.application.settlement import close_window, confirm_payment
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal
from hub.ledger.committer import GroupCommitter
from hub.security.authority import DevelopmentAuthority
from hub.security.keys import load_signing_key
from hub.security.participants import DevelopmentParticipants
from hub.security.tokens import TokenIssuer
from hub.security.trust import TrustStore
from hub.web.app import WebDependencies, create_app
from registry.admission.direct import admit_provider
from tests.support_identity import RegisteredParticipants
from tests.support_usecases import Desk, credit_code, platform, response
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

SHANGHAI, JIANGSU, ZHEJIANG, ANHUI = "310000", "320000", "330000", "340000"
CHANGXING, QINGPU, SUZHOU = "330522", "310118", "320500"
PROVINCES = (SHANGHAI, JIANGSU, ZHEJIANG, ANHUI)

SHANGHAI_LAB, JIANGSU_LAB = "12310104425001236Q", credit_code(1, "12320100")
CHANGXING_FIRM, QINGPU_FIRM, SUZHOU_FIRM = credit_code(2, "91330522"), credit_code(3, "91310118"), credit_code(4, "91320500")

TESTING = types_pb2.CATEGORY_INSPECTION_TESTING
START_SECONDS_MAX = 10.0
ISSUER = "https://localhost"
_INVOICE = clearing_pb2.Evidence(kind=types_pb2.EVIDENCE_KIND_INVOICE, sha256="0" * 64)


class Delta:
    """Plays the parties. Amounts are fen; every step must be approved."""

    def __init__(self, desk: Desk, committer: GroupCommitter) -> None:
        self.desk = desk
        self._committer = committer
        self._methods = ledger_methods(desk.clock)
        self._orders = 0

    async def prepare(self) -> None:
        """Publish policies, admit providers, register and furnish enterprises."""
        for issuer, ratio, mode, clears_up_to in (
            (CHANGXING, 6_000, policy_pb2.MODE_PRE_SUBSIDY, None),
            (SHANGHAI, 5_000, policy_pb2.MODE_PRE_SUBSIDY, None),
            (JIANGSU, 5_000, policy_pb2.MODE_POST_SUBSIDY, 0),
        ):
            await self._publish(issuer, ratio, mode, clears_up_to)
        for lab, home in ((SHANGHAI_LAB, SHANGHAI), (JIANGSU_LAB, JIANGSU)):
            provider = registry_pb2.Provider(uscc=lab, home=home, name="检测中心", categories=[TESTING], admitted_on="2026-01-01")
            await self.desk.do(admit_provider, platform(home), registry_pb2.AdmitProviderRequest(provider=provider))
        for issuer, division, firm in (
            (CHANGXING, CHANGXING, CHANGXING_FIRM),
            (SHANGHAI, QINGPU, QINGPU_FIRM),
            (JIANGSU, SUZHOU, SUZHOU_FIRM),
        ):
            await self._furnish(issuer, division, firm)

    async def _publish(self, issuer: str, ratio_bp: int, mode: policy_pb2.Mode.ValueType, clears_up_to_fen: int | None) -> None:
        policy = policy_pb2.Policy(
            issuer=issuer,
            version="2026",
            effective_from="2026-01-01",
            mode=mode,
            annual_cap_fen=10_000_000,
            categories=[policy_pb2.CategoryRule(category=TESTING, ratio_bp=ratio_bp)],
            eligible=[types_pb2.ENTERPRISE_KIND_ABOVE_SCALE],
            recognition=policy_pb2.RecognitionRule(default=policy_pb2.RECOGNITION_DEFAULT_POOL),
            auto_clear_up_to_fen=clears_up_to_fen,
        )
        await self.desk.do(publish_policy, platform(issuer), policy_pb2.PublishPolicyRequest(policy=policy))

    async def _furnish(self, issuer: str, division: str, firm: str) -> None:
        enterprise = participant_pb2.Enterprise(
            uscc=firm, name="某某科技有限公司", division=division, kind=types_pb2.ENTERPRISE_KIND_ABOVE_SCALE, staff=10
        )
        request = participant_pb2.RegisterEnterpriseRequest(enterprise=enterprise)
        await self.desk.do(register_enterprise, platform(division), request)
        item = voucher_pb2.IssueItem(enterprise=firm, face_fen=100_000, count=20)
        await self._ledger(
            "yrd.voucher.v1.VoucherService.IssueVouchers", voucher_pb2.IssueVouchersRequest(issuer=issuer, items=[item]), platform(issuer)
        )

    async def authorize(self, issuer: str, firm: str, lab: str, amount_fen: int) -> str:
        """Authorize one order and return the redemption's id."""
        self._orders += 1
        line = clearing_pb2.OrderLine(category=TESTING, amount_fen=amount_fen)
        order = clearing_pb2.Order(order_no=f"HT-{self._orders:04d}", lines=[line])
        request = clearing_pb2.AuthorizeRequest(
            input=clearing_pb2.AuthorizationInput(issuer=issuer, enterprise=firm, provider=lab, order=order)
        )
        answer = await self._ledger("yrd.clearing.v1.ClearingService.Authorize", request, platform(_home(lab)))
        return str(answer.redemption.redemption_id)

    async def capture(self, redemption_id: str, lab: str) -> None:
        """Capture as authorized."""
        request = clearing_pb2.CaptureRequest(
            redemption_id=redemption_id, invoice_no=f"FP-{redemption_id[-12:]}", delivered_on="2026-03-02", evidence=[_INVOICE]
        )
        await self._ledger("yrd.clearing.v1.ClearingService.Capture", request, platform(_home(lab)))

    async def clear(self, issuer: str, firm: str, lab: str, amount_fen: int) -> str:
        """Authorize and capture."""
        redemption_id = await self.authorize(issuer, firm, lab, amount_fen)
        await self.capture(redemption_id, lab)
        return redemption_id

    async def settle(self, issuer: str, *, pay: bool) -> None:
        """Close the issuer's window, and confirm the payment of what it owes where asked."""
        request = settlement_pb2.CloseWindowRequest(issuers=[issuer])
        window = (await self.desk.do(close_window, platform(issuer), request)).window
        for debt in window.obligations if pay else ():
            confirmation = settlement_pb2.ConfirmPaymentRequest(
                window_id=window.window_id, debtor=debt.debtor, creditor=debt.creditor, amount_fen=debt.amount_fen
            )
            await self.desk.do(confirm_payment, platform(issuer), confirmation)

    async def _ledger(self, method: str, request: Message, caller: Caller) -> Any:
        command = self._methods[method](request)
        assert not isinstance(command, Refusal), command
        return response(request, await self._committer.submit(command, caller))


def _home(lab: str) -> str:
    return SHANGHAI if lab == SHANGHAI_LAB else JIANGSU


@asynccontextmanager
async def open_delta(desk: Desk) -> AsyncIterator[Delta]:
    """A Delta at a migrated, empty database, ready for redemptions."""
    committer = GroupCommitter(desk.uri, desk.clock)
    running = asyncio.create_task(committer.run())
    delta = Delta(desk, committer)
    try:
        await delta.prepare()
        yield delta
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def web_app(desk: Desk, identity: Path, **changes: Any) -> FastAPI:
    """The web role on the desk's database, with a development identity, reading anew for every request."""
    DevelopmentAuthority(identity).ensure(PROVINCES)
    given: dict[str, Any] = {
        "engine": desk.work.engine,
        "clock": desk.clock,
        "issuer": TokenIssuer(load_signing_key(identity / "token.key"), ISSUER),
        "directory": DevelopmentParticipants(RegisteredParticipants()),
        "trust": TrustStore.load(identity / "trust"),
        "overview_seconds_min": 0.0,
    }
    return create_app(WebDependencies(**{**given, **changes}))
