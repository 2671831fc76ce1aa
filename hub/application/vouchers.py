"""Vouchers outside the clearing path: applications, rejection, the triple check, wallets (rules.md V1, V3)."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select

from hub.application.batch import Application
from hub.application.transaction import Transaction, UseCase
from hub.codec import encode, events
from hub.codec.applications import application_message
from hub.codec.fields import Fields
from hub.domain.divisions import contains
from hub.domain.issue import issue_cap, whole_notes
from hub.domain.model import WalletKey
from hub.domain.policy import Policy, policy_in_force
from hub.domain.refusals import Refusal, RefusalCode, invalid_state, not_permitted
from hub.ledger import reading
from hub.ledger.tables import ApplicationRow, VerificationRow
from yrd.voucher.v1 import voucher_pb2 as pb


def _message(row: ApplicationRow) -> pb.VoucherApplication:
    wallet = WalletKey(row.issuer, row.enterprise)
    return application_message(Application(str(row.application_id), wallet, row.kind, row.requested, row.approved, row.state, row.filed_at))


async def _policy(tx: Transaction, issuer: str) -> Policy | None:
    known = (await reading.policies(tx.session)).values()
    return policy_in_force((policy for policy in known if policy.issuer == issuer), tx.today)


async def apply_for_vouchers(tx: Transaction, request: pb.ApplyForVouchersRequest) -> pb.ApplyForVouchersResponse | Refusal:
    """File an application or a top-up. What could never be approved is refused at once (rules.md V1, 申请上限)."""
    fields = Fields()
    wallet = WalletKey(fields.division("issuer", request.issuer), fields.uscc("enterprise", request.enterprise))
    fields.positive_fen("amount_fen", request.amount_fen)
    kinds: dict[int, str] = {pb.APPLICATION_KIND_APPLICATION: "APPLICATION", pb.APPLICATION_KIND_TOP_UP: "TOP_UP"}
    kind = fields.enum("kind", request.kind, kinds)
    if fields.refusal is not None:
        return fields.refusal
    division = await reading.division_of(tx.session, wallet.enterprise)
    if division is None:
        return Refusal(RefusalCode.ENTERPRISE_NOT_FOUND)
    if not (tx.caller.acts_for(division) or tx.caller.acts_for(wallet.issuer)):
        return not_permitted("仅企业所在地或发券地平台可以提交申请", "only the enterprise's or the issuer's platform applies")
    if not contains(wallet.issuer, division):
        return Refusal(RefusalCode.ENTERPRISE_NOT_OF_ISSUER)
    policy = await _policy(tx, wallet.issuer)
    if policy is None:
        return Refusal(RefusalCode.POLICY_NOT_IN_FORCE)
    _, issued = await reading.quota(tx.session, wallet, tx.today.year)
    refusal = whole_notes(policy, request.amount_fen, "amount_fen") or issue_cap(policy, issued, request.amount_fen)
    if refusal is not None:
        return refusal
    row = ApplicationRow(
        # One application per request id: the id of the request is as unique and as random as any other.
        application_id=UUID(request.request_id),
        issuer=wallet.issuer,
        enterprise=wallet.enterprise,
        kind=kind,
        requested=request.amount_fen,
        approved=0,
        state="PENDING_REVIEW",
        reason="",
        filed_at=tx.now,
    )
    tx.session.add(row)
    message = _message(row)
    tx.emit(events.application_changed(message, tx.now))
    return pb.ApplyForVouchersResponse(application=message)


async def reject_application(tx: Transaction, request: pb.RejectApplicationRequest) -> pb.RejectApplicationResponse | Refusal:
    """Reject an application; the issuer's platform calls."""
    fields = Fields()
    application_id = fields.uuid("application_id", request.application_id)
    fields.text("reason", request.reason, 500)
    if fields.refusal is not None:
        return fields.refusal
    statement = select(ApplicationRow).where(ApplicationRow.application_id == UUID(application_id)).with_for_update()
    row = (await tx.session.exec(statement)).first()
    if row is None:
        return Refusal(RefusalCode.APPLICATION_NOT_FOUND)
    if not tx.caller.acts_for(row.issuer):
        return not_permitted("仅发券地平台可以审批", "only the issuer's platform rejects")
    if row.state != "PENDING_REVIEW":
        return invalid_state(f"申请状态为 {row.state}", f"the application is {row.state}")
    row.state, row.reason = "REJECTED", request.reason
    tx.session.add(row)
    message = _message(row)
    tx.emit(events.application_changed(message, tx.now))
    return pb.RejectApplicationResponse(application=message)


async def verify_voucher(tx: Transaction, request: pb.VerifyVoucherRequest) -> pb.VerifyVoucherResponse | Refusal:
    """Answer on enterprise, voucher and order together, and log the check (rules.md V3)."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    fields.uscc("enterprise", request.enterprise)
    fields.number("voucher_no", request.voucher_no)
    fields.uscc("provider", request.provider)
    fields.number("order_no", request.order_no)
    if fields.refusal is not None:
        return fields.refusal
    home = await reading.provider_home(tx.session, request.provider)
    if not (
        tx.caller.is_provider(request.provider) or tx.caller.acts_for(request.issuer) or (home is not None and tx.caller.acts_for(home))
    ):
        return not_permitted(
            "仅服务机构本身、发券地或服务地平台可以核验", "only the provider itself, the issuer's or the acquirer's platform verifies"
        )
    found = await _objections(tx, request)
    row = VerificationRow(
        at=tx.now,
        participant_id=tx.caller.participant_id,
        issuer=request.issuer,
        enterprise=request.enterprise,
        voucher_no=request.voucher_no,
        provider=request.provider,
        order_no=request.order_no,
        valid=not found,
        reasons=[code.value for code in found],
    )
    tx.session.add(row)
    return pb.VerifyVoucherResponse(valid=not found, reasons=[code.value for code in found])


async def _objections(tx: Transaction, request: pb.VerifyVoucherRequest) -> list[RefusalCode]:
    found: list[RefusalCode] = []
    if await reading.division_of(tx.session, request.enterprise) is None:
        found.append(RefusalCode.ENTERPRISE_NOT_FOUND)
    elif await reading.one(tx.session, _SANCTIONED, {"uscc": request.enterprise, "today": tx.today}):
        found.append(RefusalCode.ENTERPRISE_SANCTIONED)
    drawn = await reading.one(
        tx.session, _DRAWN, {"provider": request.provider, "order_no": request.order_no, "enterprise": request.enterprise,
                             "issuer": request.issuer, "number": request.voucher_no},
    )  # fmt: skip
    wallet = WalletKey(request.issuer, request.enterprise)
    note = next((item for item in await reading.notes(tx.session, wallet) if item.voucher_no == request.voucher_no), None)
    if note is None:
        found.append(RefusalCode.VOUCHER_NOT_FOUND)
    elif note.expired(tx.today):
        found.append(RefusalCode.VOUCHER_EXPIRED)
    elif not drawn and (note.available == 0 or note.cancelled):
        found.append(RefusalCode.VOUCHER_EXHAUSTED)
    if drawn is None:
        found.append(RefusalCode.ORDER_NOT_FOUND)
    return found


_SANCTIONED = """
SELECT true FROM registry.negative_list
WHERE enterprise = :uscc AND since <= :today AND (until IS NULL OR until > :today) LIMIT 1"""

# None: the provider has no such order of this enterprise; else whether a live redemption on it draws the note.
_DRAWN = """
SELECT EXISTS (SELECT FROM redemption AS r WHERE r.provider = o.provider AND r.order_no = o.order_no AND r.issuer = :issuer
  AND r.state IN ('AUTHORIZED', 'PENDING_REVIEW', 'HELD') AND :number = ANY(r.draw_numbers))
FROM service_order AS o WHERE o.provider = :provider AND o.order_no = :order_no AND o.enterprise = :enterprise"""


async def get_wallet(tx: Transaction, request: pb.GetWalletRequest) -> pb.GetWalletResponse | Refusal:
    """Return what an enterprise holds of an issuer, and its quota of a year."""
    fields = Fields()
    wallet = WalletKey(fields.division("issuer", request.issuer), fields.uscc("enterprise", request.enterprise))
    year = fields.between("year", request.year or tx.today.year, 2000, 2199)
    if fields.refusal is not None:
        return fields.refusal
    division = await reading.division_of(tx.session, wallet.enterprise)
    if not tx.caller.sees(wallet.issuer) and not (division is not None and tx.caller.sees(division)):
        return not_permitted("仅发券地与企业所在地平台可以查询", "only the issuer's and the enterprise's platform may look")
    held = await reading.notes(tx.session, wallet)
    used, issued = await reading.quota(tx.session, wallet, year)
    policy = await _policy(tx, wallet.issuer)
    return pb.GetWalletResponse(
        available_fen=sum(note.available for note in held),
        reserved_fen=sum(note.reserved for note in held),
        quota_used_fen=used,
        quota_remaining_fen=max(policy.annual_cap_fen - used, 0) if policy else 0,
        issued_fen=issued,
        vouchers=[encode.voucher(note) for note in held],
    )


METHODS: dict[str, UseCase] = {
    "yrd.voucher.v1.VoucherService.ApplyForVouchers": apply_for_vouchers,
    "yrd.voucher.v1.VoucherService.RejectApplication": reject_application,
    "yrd.voucher.v1.VoucherService.VerifyVoucher": verify_voucher,
    "yrd.voucher.v1.VoucherService.GetWallet": get_wallet,
}
