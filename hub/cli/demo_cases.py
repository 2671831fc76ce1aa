"""The demo's cases, played over the public gRPC API as the platforms concerned."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stdnum.cn import uscc as uscc_check

from hub.client import HubClient
from hub.domain.clock import local_date
from hub.domain.divisions import COORDINATION, province_of
from hub.domain.money import format_yuan
from hub.security.authority import DevelopmentAuthority
from hub.settings import Settings
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

CHANGXING = "330522"
CHANGXING_FIRM = "91330522MA2B12343A"
POLYMER_CENTRE = "12310104425001236Q"
FIRST_FEE_FEN = 800_000
PAIR_FEE_FEN = 1_000_000


@dataclass
class Clearing:
    """One order, from fee to what was cleared."""

    case: str
    issuer: str
    acquirer: str
    mode: str
    fee: str
    subsidy: str
    notes: int
    enterprise_pays: str
    state: str
    reasons: list[str] = field(default_factory=list)

    @property
    def cleared(self) -> bool:
        """True where it ended CLEARED."""
        return self.state == "CLEARED"


@dataclass
class Played:
    """What was played."""

    clearings: list[Clearing]
    window: settlement_pb2.Window


class Platforms:
    """One client per division, made when first needed."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._clients: dict[str, HubClient] = {}

    async def call(self, division: str, method: str, request: Any) -> Any:
        """Call as the platform of a division; return the response. Raises HubRefused."""
        client = self._clients.get(division)
        if client is None:
            system = "coordination" if division == COORDINATION else "platform"
            folder = self._settings.data_dir / "clients" / division
            await asyncio.to_thread(DevelopmentAuthority(self._settings.identity).ensure_identity, division, system, folder)
            client = await self._stack.enter_async_context(HubClient(self._settings.grpc_address, self._settings.web_address, folder))
            self._clients[division] = client
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = str(uuid.uuid4())
        return (await client.call(method, request)).unwrap()


@asynccontextmanager
async def platforms(settings: Settings) -> AsyncIterator[Platforms]:
    """Open clients as they are needed; close them all at the end."""
    async with AsyncExitStack() as stack:
        yield Platforms(settings, stack)


async def play(settings: Settings) -> Played:
    """Play the first Changxing case, the 16 ordered pairs of regions, and close a window."""
    async with platforms(settings) as clients:
        clearings = [await _first_case(clients)]
        providers = {home: await _provider(clients, home) for home in settings.provinces}
        for number, region in enumerate(settings.provinces):
            issuer = await _issuer(clients, region)
            firm = await _firm(clients, issuer, number)
            for home, provider in providers.items():
                await _recognize(clients, issuer, provider)
                clearings.append(await _clear(clients, f"{region}→{home}", issuer, firm, provider, f"PAIR-{region}-{home}", PAIR_FEE_FEN))
        request = settlement_pb2.CloseWindowRequest()
        response = await clients.call(COORDINATION, "yrd.settlement.v1.SettlementService.CloseWindow", request)
        return Played(clearings, response.window)


async def _first_case(clients: Platforms) -> Clearing:
    """19 December 2013: film analysis at the polymer centre of another province, fee 8,000 yuan, five notes, 4,800 offset."""
    request = registry_pb2.GetProviderRequest(uscc=POLYMER_CENTRE)
    provider = (await clients.call(CHANGXING, "yrd.registry.v1.RegistryService.GetProvider", request)).provider
    return await _clear(clients, "Changxing 2013 首例", CHANGXING, CHANGXING_FIRM, provider, "CX-2013-12-19", FIRST_FEE_FEN)


async def _provider(clients: Platforms, home: str) -> registry_pb2.Provider:
    request = registry_pb2.ListProvidersRequest(home=home, page_size=1)
    found = await clients.call(home, "yrd.registry.v1.RegistryService.ListProviders", request)
    provider: registry_pb2.Provider = found.providers[0]
    return provider


async def _issuer(clients: Platforms, region: str) -> str:
    """Return who issues in a region: the province itself, or the first of its cities where the province never issues."""
    for division in (region, *(f"{region[:2]}{city:02d}00" for city in range(1, 100))):
        request = policy_pb2.ListPoliciesRequest(issuer=division, page_size=1)
        if (await clients.call(region, "yrd.policy.v1.PolicyService.ListPolicies", request)).policies:
            return division
    raise LookupError(f"no issuer in {region}")


async def _firm(clients: Platforms, issuer: str, number: int) -> str:
    """Register a firm of the issuer's division and issue it vouchers for all its pairs."""
    uscc = _code(issuer, number)
    firm = participant_pb2.Enterprise(
        uscc=uscc,
        name=f"演示科技有限公司 {issuer}",
        division=issuer,
        kind=types_pb2.ENTERPRISE_KIND_TECH_SME,
        sme_no=f"2026{issuer}A{number:07d}",
        staff=30,
    )
    register = participant_pb2.RegisterEnterpriseRequest(enterprise=firm)
    await clients.call(issuer, "yrd.participant.v1.EnterpriseService.RegisterEnterprise", register)
    issue = voucher_pb2.IssueVouchersRequest(issuer=issuer)
    issue.items.add(enterprise=uscc, face_fen=5_000_000)
    await clients.call(issuer, "yrd.voucher.v1.VoucherService.IssueVouchers", issue)
    return uscc


def _code(division: str, number: int) -> str:
    """Return a valid fictitious unified social credit code."""
    body = f"91{division}MA9DEM{number:03d}"
    return body + uscc_check.calc_check_digit(body)


async def _recognize(clients: Platforms, issuer: str, provider: registry_pb2.Provider) -> None:
    recognition = registry_pb2.Recognition(issuer=issuer, provider=provider.uscc, valid_from="2026-01-01", agreement=True)
    request = registry_pb2.RecognizeProviderRequest(recognition=recognition)
    await clients.call(issuer, "yrd.registry.v1.RegistryService.RecognizeProvider", request)


async def _clear(
    clients: Platforms, case: str, issuer: str, firm: str, provider: registry_pb2.Provider, order_no: str, fee_fen: int
) -> Clearing:
    """Authorize and capture as the acquirer, approve as the issuer where it reviews; return what became of it."""
    given = clearing_pb2.AuthorizationInput(issuer=issuer, enterprise=firm, provider=provider.uscc)
    given.order.order_no = order_no
    given.order.lines.add(category=types_pb2.CATEGORY_INSPECTION_TESTING, amount_fen=fee_fen)
    service = "yrd.clearing.v1.ClearingService"
    authorized = await clients.call(provider.home, f"{service}.Authorize", clearing_pb2.AuthorizeRequest(input=given))
    capture = clearing_pb2.CaptureRequest(
        redemption_id=authorized.redemption.redemption_id,
        invoice_no=f"INV-{order_no}",
        delivered_on=local_date(datetime.now(UTC)).isoformat(),
        evidence=[clearing_pb2.Evidence(kind=kind) for kind in types_pb2.EvidenceKind.values() if kind],
    )
    redemption = (await clients.call(provider.home, f"{service}.Capture", capture)).redemption
    if redemption.state == clearing_pb2.REDEMPTION_STATE_PENDING_REVIEW:
        approve = clearing_pb2.ApproveRequest(redemption_id=redemption.redemption_id, approved_fen=redemption.subsidy_fen)
        redemption = (await clients.call(issuer, f"{service}.Approve", approve)).redemption
    breakdown = authorized.breakdown
    provider_paid = redemption.payee == clearing_pb2.PAYEE_KIND_PROVIDER
    return Clearing(
        case=case,
        issuer=issuer,
        acquirer=province_of(provider.home),
        mode="通兑 PRE_SUBSIDY" if provider_paid else "通用 POST_SUBSIDY",
        fee=format_yuan(fee_fen),
        subsidy=format_yuan(redemption.subsidy_fen),
        notes=breakdown.vouchers_used,
        enterprise_pays=format_yuan(breakdown.enterprise_pays_fen),
        state=clearing_pb2.RedemptionState.Name(redemption.state).removeprefix("REDEMPTION_STATE_"),
        reasons=[f"{reason.rule} {reason.zh}" for reason in breakdown.reasons],
    )
