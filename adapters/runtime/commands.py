"""The commands adapters send, built from values already checked. One function a command keeps the provinces' mappings short."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.runtime.model import Mapped
from adapters.runtime.row import Reject
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types
from yrd.participant.v1 import participant_pb2 as participant
from yrd.policy.v1 import policy_pb2 as policy
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

PUBLISH = "yrd.policy.v1.PolicyService.PublishPolicy"
REGISTER = "yrd.participant.v1.EnterpriseService.RegisterEnterprise"
ADMIT = "yrd.registry.v1.RegistryService.AdmitProvider"
RECOGNIZE = "yrd.registry.v1.RegistryService.RecognizeProvider"
ISSUE = "yrd.voucher.v1.VoucherService.IssueVouchers"
AUTHORIZE = "yrd.clearing.v1.ClearingService.Authorize"
CAPTURE = "yrd.clearing.v1.ClearingService.Capture"
REMOVE = "yrd.registry.v1.RegistryService.RemoveProvider"
REVOKE = "yrd.registry.v1.RegistryService.RevokeRecognition"
CANCEL = "yrd.voucher.v1.VoucherService.CancelVoucher"
VOID = "yrd.clearing.v1.ClearingService.Void"
REFUND = "yrd.clearing.v1.ClearingService.Refund"

WITHDRAWN = "省级平台撤销或更正该记录 (withdrawn or corrected by the province's platform)"
"""What the hub is told as the reason of a removal or cancellation: the native reason is the province's own business."""


def category(name: str) -> types.Category.ValueType:
    """Return a category by its short name, such as `RESEARCH`."""
    return types.Category.Value(f"CATEGORY_{name}")


def publish(issuers_policy: policy.Policy) -> Mapped:
    """Return the command that publishes a policy."""
    native_id = f"{issuers_policy.issuer}/{issuers_policy.version}"
    return Mapped(PUBLISH, policy.PublishPolicyRequest(policy=issuers_policy), issuers_policy.issuer, native_id)


def register(
    native_id: str, *, uscc: str, name: str, division: str, kind: str, sme_no: str, sme_from: str, sme_until: str, staff: int
) -> Mapped:
    """Return the command that registers a firm or replaces what was said of it."""
    enterprise = participant.Enterprise(
        uscc=uscc,
        name=name,
        division=division,
        kind=types.EnterpriseKind.Value(f"ENTERPRISE_KIND_{kind}"),
        sme_no=sme_no,
        sme_valid_from=sme_from,
        sme_valid_until=sme_until,
        staff=staff,
    )
    return Mapped(REGISTER, participant.RegisterEnterpriseRequest(enterprise=enterprise), uscc, native_id)


def admit(native_id: str, *, uscc: str, name: str, home: str, categories: Sequence[str], admitted_on: str, rating: int) -> Mapped:
    """Return the command that admits a provider to the pool; `rating` in hundredths."""
    provider = registry.Provider(
        uscc=uscc, name=name, home=home, categories=[category(each) for each in categories], admitted_on=admitted_on, rating=rating
    )
    return Mapped(ADMIT, registry.AdmitProviderRequest(provider=provider), uscc, native_id)


def recognize(native_id: str, *, issuer: str, provider: str, valid_from: str, valid_until: str, agreement: bool) -> Mapped:
    """Return the command by which an issuer recognises a provider (rules.md P2)."""
    recognition = registry.Recognition(
        issuer=issuer, provider=provider, valid_from=valid_from, valid_until=valid_until, agreement=agreement
    )
    return Mapped(RECOGNIZE, registry.RecognizeProviderRequest(recognition=recognition), provider, native_id)


def issue(
    native_id: str, *, issuer: str, enterprise: str, face_fen: int, count: int = 0, voucher_nos: Sequence[str] = (), issued_on: str = ""
) -> Mapped:
    """Return the command that issues notes to one firm; `issued_on` empty means the day the hub acts."""
    item = voucher.IssueItem(enterprise=enterprise, face_fen=face_fen, count=count, voucher_nos=voucher_nos)
    return Mapped(ISSUE, voucher.IssueVouchersRequest(issuer=issuer, items=[item], issued_on=issued_on), enterprise, native_id)


def line(native_category: str, amount_fen: int, flags: Sequence[str] = ()) -> clearing.OrderLine:
    """Return an order line from the contract's short names."""
    return clearing.OrderLine(
        category=category(native_category), amount_fen=amount_fen, flags=[types.LineFlag.Value(f"LINE_FLAG_{flag}") for flag in flags]
    )


def authorize(
    native_id: str,
    *,
    issuer: str,
    enterprise: str,
    provider: str,
    order_no: str,
    lines: Sequence[clearing.OrderLine],
    lines_field: str,
    all_or_nothing: bool = False,
) -> Mapped:
    """Return the command that reserves vouchers for an order; an order without lines is at fault in `lines_field`."""
    if not lines:
        raise Reject(lines_field, "NO_LINES")
    given = clearing.AuthorizationInput(
        issuer=issuer,
        enterprise=enterprise,
        provider=provider,
        order=clearing.Order(order_no=order_no, lines=lines),
        all_or_nothing=all_or_nothing,
    )
    return Mapped(AUTHORIZE, clearing.AuthorizeRequest(input=given), enterprise, native_id)


def evidence(kind: str, sha256: str = "") -> clearing.Evidence:
    """Return a piece of evidence by its short name."""
    return clearing.Evidence(kind=types.EvidenceKind.Value(f"EVIDENCE_KIND_{kind}"), sha256=sha256)


def capture(
    native_id: str,
    *,
    authorization: str,
    authorization_field: str,
    enterprise: str,
    invoice_no: str,
    delivered_on: str,
    documents: Sequence[clearing.Evidence],
    lines: Sequence[clearing.OrderLine] = (),
) -> Mapped:
    """Return the command that captures; `authorization` is the native id under which the order was sent, read from the field named."""
    request = clearing.CaptureRequest(lines=lines, invoice_no=invoice_no, delivered_on=delivered_on, evidence=documents)
    return Mapped(CAPTURE, request, enterprise, native_id, refers_to=authorization, refers_field=authorization_field)


def remove(native_id: str, provider: str) -> Mapped:
    """Return the command that takes a provider out of the pool from today on."""
    return Mapped(REMOVE, registry.RemoveProviderRequest(provider=provider, reason=WITHDRAWN), provider, native_id)


def revoke(native_id: str, issuer: str, provider: str) -> Mapped:
    """Return the command that ends every recognition of a provider by an issuer today (rules.md C4)."""
    return Mapped(REVOKE, registry.RevokeRecognitionRequest(issuer=issuer, provider=provider), provider, native_id)


def cancel(native_id: str, *, issuer: str, enterprise: str, voucher_no: str) -> Mapped:
    """Return the command that cancels a note: what is free on it goes back to the issuer, what is used stays."""
    request = voucher.CancelVoucherRequest(issuer=issuer, voucher_no=voucher_no, enterprise=enterprise, reason=WITHDRAWN)
    return Mapped(CANCEL, request, enterprise, native_id)


def void(native_id: str, enterprise: str, redemption_id: str) -> Mapped:
    """Return the command that gives up an authorization before its capture (rules.md C6)."""
    return Mapped(VOID, clearing.VoidRequest(redemption_id=redemption_id), enterprise, native_id)


def refund(native_id: str, enterprise: str, redemption_id: str, *, line_no: int, fee_fen: int) -> Mapped:
    """Return the command that gives back `fee_fen` of the fee of a final line, counted from 0 (rules.md C7)."""
    return Mapped(REFUND, clearing.RefundRequest(redemption_id=redemption_id, line=line_no, fee_fen=fee_fen), enterprise, native_id)
