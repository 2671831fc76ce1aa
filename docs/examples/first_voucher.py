"""From an empty hub to a cleared cross-region voucher: a note of Changxing county pays for a test in Shanghai.

    deltahub up                                  # in another terminal, in the same folder
    deltahub certs issue 330522 ./changxing
    deltahub certs issue 310000 ./shanghai
    python first_voucher.py ./changxing ./shanghai

The hub's addresses may follow: `… ./changxing ./shanghai localhost:8443 localhost:8080`. It may run any number of times: what is
registered stays registered, and each run clears a new order.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hub.client import HubClient
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types
from yrd.participant.v1 import participant_pb2 as participant
from yrd.policy.v1 import policy_pb2 as policy
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

CHANGXING = "330522"  # issuer 发券地
SHANGHAI = "310000"  # acquirer 服务地
FIRM = "91330522MA2B12343A"  # fictitious, as is the next
LABORATORY = "91310118MA1JTERT16"
YUAN = 100  # amounts are whole fen


def yuan(fen: int) -> str:
    """Show fen as yuan, without a float on the way."""
    return f"{fen // YUAN}.{fen % YUAN:02d} yuan"


async def call(hub: HubClient, method: str, request: Any) -> Any:
    """Call a method; a mutation gets a request id. Kept and sent again with the same body, it would have no second effect."""
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = str(uuid.uuid4())
    result = await hub.call(f"yrd.{method}", request)
    if result.refusal is not None:
        raise SystemExit(f"{method}: {result.code} {result.refusal.zh} | {result.refusal.en} -> {result.refusal.remedy_en}")
    return result.response


async def prepare(changxing: HubClient, shanghai: HubClient) -> None:
    """Changxing publishes its rules and registers a firm; Shanghai admits a laboratory; Changxing recognises it and issues notes."""
    rules = policy.Policy(issuer=CHANGXING, version="example-1", effective_from="2025-01-01", mode=policy.MODE_PRE_SUBSIDY)
    rules.denomination_fen, rules.annual_cap_fen = 1_000 * YUAN, 100_000 * YUAN
    rules.categories.add(category=types.CATEGORY_INSPECTION_TESTING, ratio_bp=6_000)
    rules.recognition.default, rules.recognition.require_agreement = policy.RECOGNITION_DEFAULT_LISTED, True
    await call(changxing, "policy.v1.PolicyService.PublishPolicy", policy.PublishPolicyRequest(policy=rules))

    firm = participant.Enterprise(uscc=FIRM, name="示例科技有限公司", division=CHANGXING, kind=types.ENTERPRISE_KIND_TECH_SME)
    firm.sme_no, firm.staff = "2025330522A0000001", 40
    await call(changxing, "participant.v1.EnterpriseService.RegisterEnterprise", participant.RegisterEnterpriseRequest(enterprise=firm))

    laboratory = registry.Provider(uscc=LABORATORY, name="示例检测中心", home=SHANGHAI, admitted_on="2025-01-01")
    laboratory.categories.append(types.CATEGORY_INSPECTION_TESTING)
    await call(shanghai, "registry.v1.RegistryService.AdmitProvider", registry.AdmitProviderRequest(provider=laboratory))
    recognition = registry.Recognition(issuer=CHANGXING, provider=LABORATORY, valid_from="2025-01-01", agreement=True)
    await call(changxing, "registry.v1.RegistryService.RecognizeProvider", registry.RecognizeProviderRequest(recognition=recognition))

    notes = voucher.IssueVouchersRequest(issuer=CHANGXING)
    notes.items.add(enterprise=FIRM, face_fen=10_000 * YUAN)
    issued = await call(changxing, "voucher.v1.VoucherService.IssueVouchers", notes)
    print(f"issued      {yuan(issued.issued_fen)} in {len(issued.vouchers)} notes")


async def clear(shanghai: HubClient) -> None:
    """The acquirer's platform authorizes, and captures once the service is delivered."""
    order_no = f"EXAMPLE-{uuid.uuid4().hex[:8]}"
    given = clearing.AuthorizationInput(issuer=CHANGXING, enterprise=FIRM, provider=LABORATORY)
    given.order.order_no = order_no
    given.order.lines.add(category=types.CATEGORY_INSPECTION_TESTING, amount_fen=8_000 * YUAN)
    authorized = await call(shanghai, "clearing.v1.ClearingService.Authorize", clearing.AuthorizeRequest(input=given))
    breakdown = authorized.breakdown
    print(f"authorized  {yuan(breakdown.subsidy_fen)} from {breakdown.vouchers_used} notes;", end=" ")
    print(f"the firm pays {yuan(breakdown.enterprise_pays_fen)}")
    for reason in breakdown.reasons:
        print(f"            {reason.rule}  {reason.zh} | {reason.en}")

    capture = clearing.CaptureRequest(redemption_id=authorized.redemption.redemption_id, invoice_no=f"INV-{order_no}")
    capture.delivered_on = datetime.now(timezone(timedelta(hours=8))).date().isoformat()  # dates are those of Shanghai
    capture.evidence.add(kind=types.EVIDENCE_KIND_INVOICE)
    captured = await call(shanghai, "clearing.v1.ClearingService.Capture", capture)
    state = clearing.RedemptionState.Name(captured.redemption.state).removeprefix("REDEMPTION_STATE_")
    print(f"captured    {yuan(captured.redemption.subsidy_fen)}, {state}, redemption {captured.redemption.redemption_id}")


async def main(changxing: str, shanghai: str, grpc_address: str = "localhost:8443", web_address: str = "localhost:8080") -> None:
    """Connect as both platforms and play the case."""
    async with (
        HubClient(grpc_address, web_address, Path(changxing)) as issuer,
        HubClient(grpc_address, web_address, Path(shanghai)) as acquirer,
    ):
        await prepare(issuer, acquirer)
        await clear(acquirer)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        raise SystemExit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
