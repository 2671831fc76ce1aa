"""Verbs of notes: issue, request_top_up, approve_top_up, verify."""

from __future__ import annotations

from hub.cli.scenario.acting import Sender
from hub.cli.scenario.answers import done, outcome
from hub.cli.scenario.arguments import Args
from hub.cli.scenario.model import Fen, Outcome
from hub.cli.scenario.names import unknown_id
from hub.cli.scenario.stage import Stage
from yrd.voucher.v1 import voucher_pb2 as pb

_SERVICE = "yrd.voucher.v1.VoucherService"


async def issue(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Issue notes; as many as there are `ids` where no count is given."""
    ids = args.texts("ids")
    item = pb.IssueItem(
        enterprise=stage.names.code(args.text("enterprise")),
        face_fen=args.fen("face"),
        count=args.number("count", len(ids) or 1),
        voucher_nos=ids,
    )
    issuer = args.text("issuer")
    request = pb.IssueVouchersRequest(request_id=args.request_id(), issuer=issuer, items=[item], issued_on=args.text("issued"))

    def read(response: pb.IssueVouchersResponse) -> Outcome:
        stage.issued(args.text("enterprise"), list(response.vouchers))
        return done("ISSUED", issued=Fen(response.issued_fen))

    return outcome(await sender.send(args.by(issuer), f"{_SERVICE}.IssueVouchers", request), read)


async def request_top_up(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Ask for more notes; `as` names the top-up."""
    issuer = args.text("issuer")
    request = pb.ApplyForVouchersRequest(
        request_id=args.request_id(),
        issuer=issuer,
        enterprise=stage.names.code(args.text("enterprise")),
        kind=pb.APPLICATION_KIND_TOP_UP,
        amount_fen=args.fen("amount"),
    )

    def read(response: pb.ApplyForVouchersResponse) -> Outcome:
        if "as" in args:
            stage.top_ups[args.text("as")] = response.application
        return done(_state(response.application), issued=Fen(0))

    return outcome(await sender.send(args.by(issuer), f"{_SERVICE}.ApplyForVouchers", request), read)


async def approve_top_up(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Approve a top-up: what is given, or all that was asked for."""
    name = args.text("top_up")
    known = stage.top_ups.get(name) or pb.VoucherApplication(application_id=unknown_id(name), issuer=stage.somebody(), requested_fen=1)
    approved = args.fen("approved") if "approved" in args else known.requested_fen
    request = pb.ApproveApplicationRequest(request_id=args.request_id(), application_id=known.application_id, approved_fen=approved)

    def read(response: pb.ApproveApplicationResponse) -> Outcome:
        stage.top_ups[name] = response.application
        stage.issued(stage.names.name(response.application.enterprise), list(response.vouchers))
        return done(_state(response.application), issued=Fen(response.issued_fen))

    return outcome(await sender.send(args.by(known.issuer), f"{_SERVICE}.ApproveApplication", request), read)


async def verify(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Check enterprise, note and order together. The order's provider is the one that an earlier step named with it."""
    name = args.text("voucher")
    note = stage.notes.get(name)
    issuer = args.text("issuer") or (note.issuer if note is not None else stage.somebody())
    provider = args.text("provider") or stage.orders.get(args.text("order")) or next(iter(stage.scenario.providers), "")
    request = pb.VerifyVoucherRequest(
        request_id=args.request_id(),
        issuer=issuer,
        enterprise=stage.names.code(args.text("enterprise")),
        voucher_no=note.voucher_no if note is not None else name,
        provider=stage.names.code(provider),
        order_no=args.text("order"),
    )

    def read(response: pb.VerifyVoucherResponse) -> Outcome:
        return done("VALID" if response.valid else "INVALID", valid=response.valid, reasons=list(response.reasons))

    return outcome(await sender.send(args.by(stage.home(provider) or issuer), f"{_SERVICE}.VerifyVoucher", request), read)


def _state(application: pb.VoucherApplication) -> str:
    return pb.ApplicationState.Name(application.state).removeprefix("APPLICATION_STATE_")
