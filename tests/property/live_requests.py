"""The model's commands as the contract's messages, and the contract's answers as the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from google.protobuf.message import Message

from tests.fixtures import delta
from tests.property.live_model import HOMES, LABS, Line, Record
from tests.property.live_names import Names
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import types_pb2 as types
from yrd.credit.v1 import credit_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

_Written = tuple[str, Message]
_FIRST_DAY = "2001-01-01"


def parties(names: Names) -> Iterator[tuple[str, str, Message]]:
    """What a world needs before its first command: who asks, the method, the request."""
    for firm, division in names.divisions.items():
        request = participant_pb2.RegisterEnterpriseRequest(enterprise=delta.firm(names.code(firm), division))
        yield "province", f"{delta.ENTERPRISES}.RegisterEnterprise", request
    for lab in LABS:
        provider = delta.provider(names.code(lab), names.code(HOMES[lab]))
        provider.admitted_on = _FIRST_DAY
        yield HOMES[lab], f"{delta.REGISTRY}.AdmitProvider", registry_pb2.AdmitProviderRequest(provider=provider)


def write(names: Names, kind: str, request_id: str, body: Record, who: str) -> _Written:
    """Return the method and request of a command."""
    method, request = _WRITERS[kind](names, body)
    request.request_id = request_id
    if kind in ("bar", "unbar"):
        request.reason = f"by {who}"
    return method, request


def lines(items: Sequence[Line]) -> list[pb.OrderLine]:
    """Lines of an order."""
    return [
        pb.OrderLine(
            category=types.Category.Value(f"CATEGORY_{category}"),
            amount_fen=fee,
            flags=[types.LineFlag.Value(f"LINE_FLAG_{flag}")] if flag else [],
        )
        for category, fee, flag in items
    ]


def _authorize(names: Names, body: Record) -> tuple[str, Any]:
    given = pb.AuthorizationInput(
        issuer=names.code(body["issuer"]),
        enterprise=names.code(body["firm"]),
        provider=names.code(body["lab"]),
        order=pb.Order(order_no=body["order"], lines=lines(body["lines"])),
        all_or_nothing=body["whole"],
    )
    return f"{delta.CLEARING}.Authorize", pb.AuthorizeRequest(input=given)


def _capture(names: Names, body: Record) -> tuple[str, Any]:
    evidence = [pb.Evidence(kind=types.EvidenceKind.Value(f"EVIDENCE_KIND_{kind}")) for kind in body["evidence"]]
    request = pb.CaptureRequest(
        redemption_id=names.redemption(body["target"]),
        lines=lines(body["lines"]),
        invoice_no=body["invoice"],
        delivered_on=body["delivered"].isoformat(),
        evidence=evidence,
    )
    return f"{delta.CLEARING}.Capture", request


def _approve(names: Names, body: Record) -> tuple[str, Any]:
    return f"{delta.CLEARING}.Approve", pb.ApproveRequest(redemption_id=names.redemption(body["target"]), approved_fen=body["fen"])


def _reject(names: Names, body: Record) -> tuple[str, Any]:
    return f"{delta.CLEARING}.Reject", pb.RejectRequest(redemption_id=names.redemption(body["target"]))


def _void(names: Names, body: Record) -> tuple[str, Any]:
    return f"{delta.CLEARING}.Void", pb.VoidRequest(redemption_id=names.redemption(body["target"]))


def _refund(names: Names, body: Record) -> tuple[str, Any]:
    request = pb.RefundRequest(redemption_id=names.redemption(body["target"]), fee_fen=body["fee"], line=body["line"])
    return f"{delta.CLEARING}.Refund", request


def _issue(names: Names, body: Record) -> tuple[str, Any]:
    items = [voucher_pb2.IssueItem(enterprise=names.code(firm), face_fen=face, count=count) for firm, face, count in body["items"]]
    return f"{delta.VOUCHERS}.IssueVouchers", voucher_pb2.IssueVouchersRequest(issuer=names.code(body["issuer"]), items=items)


def _bar(names: Names, body: Record) -> tuple[str, Any]:
    code = names.code(body["party"])
    if body["party"] in LABS:
        return f"{delta.REGISTRY}.SuspendProvider", registry_pb2.SuspendProviderRequest(provider=code)
    return f"{delta.CREDIT}.SanctionEnterprise", credit_pb2.SanctionEnterpriseRequest(enterprise=code)


def _unbar(names: Names, body: Record) -> tuple[str, Any]:
    code = names.code(body["party"])
    if body["party"] in LABS:
        return f"{delta.REGISTRY}.ReinstateProvider", registry_pb2.ReinstateProviderRequest(provider=code)
    return f"{delta.CREDIT}.ClearEnterprise", credit_pb2.ClearEnterpriseRequest(enterprise=code)


def _publish(names: Names, body: Record) -> tuple[str, Any]:
    p = body["policy"]
    policy = policy_pb2.Policy(
        issuer=names.code(body["issuer"]),
        version=p["version"],
        effective_from=p["from"].isoformat(),
        effective_until=p["until"].isoformat() if p["until"] else "",
        mode=policy_pb2.Mode.Value(f"MODE_{p['mode']}_SUBSIDY"),
        denomination_fen=p["denomination"],
        validity_months=p["months"],
        expiry_basis=policy_pb2.ExpiryBasis.Value(f"EXPIRY_BASIS_{p['expiry']}"),
        annual_cap_fen=p["annual_cap"],
        annual_issue_cap_fen=p["issue_cap"],
        quota_basis=policy_pb2.QuotaBasis.Value(f"QUOTA_BASIS_{p['basis']}"),
        per_order_cap_fen=p["order_cap"],
        residual=policy_pb2.Residual.Value(f"RESIDUAL_{p['residual']}"),
        eligible=[types.ENTERPRISE_KIND_ABOVE_SCALE],
        recognition=policy_pb2.RecognitionRule(default=policy_pb2.RECOGNITION_DEFAULT_POOL),
        evidence=[types.EvidenceKind.Value(f"EVIDENCE_KIND_{kind}") for kind in p["evidence"]],
        auto_clear_up_to_fen=p["auto"],
        authorization_ttl_days=p["ttl"],
        refund=policy_pb2.RefundTarget.Value(f"REFUND_TARGET_{p['refund']}"),
        settlement=policy_pb2.SettlementModel.Value(f"SETTLEMENT_MODEL_{p['settlement']}"),
        funding=[policy_pb2.FundingShare(division=names.code(division), share_bp=bp) for division, bp in p["funding"]],
    )
    for category, (ratio, cap) in p["categories"].items():
        policy.categories.add(category=types.Category.Value(f"CATEGORY_{category}"), ratio_bp=ratio, per_line_cap_fen=cap)
    return f"{delta.POLICIES}.PublishPolicy", policy_pb2.PublishPolicyRequest(policy=policy)


def _close(names: Names, body: Record) -> tuple[str, Any]:
    return f"{delta.SETTLEMENT}.CloseWindow", settlement_pb2.CloseWindowRequest(issuers=[names.code(issuer) for issuer in body["issuers"]])


def _pay(names: Names, body: Record) -> tuple[str, Any]:
    request = settlement_pb2.ConfirmPaymentRequest(
        window_id=names.windows[body["window"]],
        debtor=names.code(body["debtor"]),
        creditor=names.code(body["creditor"]),
        amount_fen=body["fen"],
    )
    return f"{delta.SETTLEMENT}.ConfirmPayment", request


_WRITERS: dict[str, Callable[[Names, Record], tuple[str, Any]]] = {
    **{"authorize": _authorize, "capture": _capture, "approve": _approve, "reject": _reject, "void": _void, "refund": _refund},
    **{"issue": _issue, "bar": _bar, "unbar": _unbar, "publish": _publish, "close": _close, "pay": _pay},
}


def batch(kind: str, request_id: str, items: Sequence[Message], *, atomic: bool) -> _Written:
    """Return the method and request of a batch of authorizations or captures."""
    request = pb.BatchAuthorizeRequest if kind == "authorize" else pb.BatchCaptureRequest
    made: Any = request(request_id=request_id, atomic=atomic)
    made.items.extend(items)
    return f"{delta.CLEARING}.Batch{kind.capitalize()}", made


def batch_response(kind: str) -> Any:
    """Return the type of a batch's response."""
    return pb.BatchAuthorizeResponse if kind == "authorize" else pb.BatchCaptureResponse


def shown(names: Names, item: pb.Redemption) -> Record:
    """A redemption as the model shows it."""
    return {
        "state": pb.RedemptionState.Name(item.state).removeprefix("REDEMPTION_STATE_"),
        "authorized": item.authorized_fen,
        "subsidy": item.subsidy_fen,
        "refunded": item.refunded_fen,
        "lines": tuple(_line(line) for line in item.order.lines),
        "invoice": item.invoice_no,
        "delivered": _day(item.delivered_on),
        "settled": _day(item.settled_on),
        "year": item.quota_year,
        "ends": _day(item.authorization_expires_on),
        "draws": [(names.note(draw.voucher_no), draw.amount_fen) for draw in item.draws],
        "payee": pb.PayeeKind.Name(item.payee).removeprefix("PAYEE_KIND_"),
        "policy": item.policy_version,
    }


def _line(line: pb.OrderLine) -> Line:
    flags = [types.LineFlag.Name(flag).removeprefix("LINE_FLAG_") for flag in line.flags]
    return types.Category.Name(line.category).removeprefix("CATEGORY_"), line.amount_fen, "".join(flags)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def read(names: Names, kind: str, key: str, body: bytes) -> Any:
    """Return the response to a command as the model answers it."""
    reader = _READERS.get(kind)
    return () if reader is None else reader(names, key, body)


def _authorized(names: Names, key: str, body: bytes) -> Record:
    made = pb.AuthorizeResponse.FromString(body)
    names.made(key, made.redemption.redemption_id)
    b = made.breakdown
    assert b.subsidy_fen == made.redemption.subsidy_fen
    told = {"entitlement": b.entitlement_fen, "clamps": list(b.clamps), "notes": b.vouchers_used, "pays": b.enterprise_pays_fen}
    return {**shown(names, made.redemption), **told}


def _captured(names: Names, _key: str, body: bytes) -> Record:
    # Approve answers with the same fields under the same numbers.
    made = pb.CaptureResponse.FromString(body)
    return {**shown(names, made.redemption), "released": made.released_fen, "forfeited": made.forfeited_fen}


def _released(names: Names, _key: str, body: bytes) -> Record:
    made = pb.VoidResponse.FromString(body)
    return {**shown(names, made.redemption), "released": made.released_fen}


def _refunded(names: Names, _key: str, body: bytes) -> Record:
    made = pb.RefundResponse.FromString(body)
    return {**shown(names, made.redemption), "returned": made.returned_fen}


def _issued(names: Names, _key: str, body: bytes) -> Record:
    made = voucher_pb2.IssueVouchersResponse.FromString(body)
    numbers = [names.note(note.voucher_no) for note in made.vouchers]
    assert numbers == sorted(numbers)
    return {"fen": made.issued_fen, "notes": [note.face_fen for note in made.vouchers]}


def _closed(names: Names, key: str, body: bytes) -> Record:
    window = settlement_pb2.CloseWindowResponse.FromString(body).window
    assert names.windows.setdefault(key, window.window_id) == window.window_id
    owed = {(names.name(debt.debtor), names.name(debt.creditor)): debt.amount_fen for debt in window.obligations}
    return {"owed": owed, "positions": {names.name(item.division): item.amount_fen for item in window.positions}}


def _paid(_names: Names, _key: str, body: bytes) -> Record:
    return {"settled": settlement_pb2.ConfirmPaymentResponse.FromString(body).redemptions_settled}


_READERS: dict[str, Callable[[Names, str, bytes], Any]] = {
    **{"authorize": _authorized, "capture": _captured, "approve": _captured, "reject": _released, "void": _released},
    **{"refund": _refunded, "issue": _issued, "close": _closed, "pay": _paid},
}
