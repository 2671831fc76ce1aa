"""Verbs of the switch: quote, authorize, capture, approve, reject, void, refund."""

from __future__ import annotations

from typing import Any

from hub.cli.scenario.acting import Sender
from hub.cli.scenario.answers import REFUSED, amounts, done, outcome, redemption_state
from hub.cli.scenario.arguments import Args, category, evidence
from hub.cli.scenario.model import Fen, Got, Outcome, ScenarioError
from hub.cli.scenario.stage import Stage
from hub.domain.divisions import COORDINATION, is_division
from yrd.clearing.v1 import clearing_pb2 as pb

_SERVICE = "yrd.clearing.v1.ClearingService"


async def quote(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Ask what an authorization would give."""
    request = pb.QuoteRequest(input=_input(stage, args))

    def read(response: pb.QuoteResponse) -> Outcome:
        refusals = list(response.refusals)
        status, first = (REFUSED, refusals[0]) if refusals else ("QUOTED", "")
        values: dict[str, Got] = {**amounts(response.breakdown), "refusals": refusals, "status": status}
        return Outcome(status, first, values=values | ({"refusal": first} if first else {}))

    return outcome(await sender.send(_acquirer(stage, args), f"{_SERVICE}.Quote", request), read)


async def authorize(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Reserve vouchers; `as` names the redemption."""
    request = pb.AuthorizeRequest(request_id=args.request_id(), input=_input(stage, args))

    def read(response: pb.AuthorizeResponse) -> Outcome:
        if "as" in args:
            stage.redemptions[args.text("as")] = response.redemption
        return done(redemption_state(response.redemption), **amounts(response.breakdown))

    return outcome(await sender.send(_acquirer(stage, args), f"{_SERVICE}.Authorize", request), read)


async def capture(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Claim: by default the lines as authorized, delivered today, with all the evidence that the policy asks for."""
    known = stage.redemption(args.text("redemption"))
    kinds = evidence(args.texts("evidence")) if "evidence" in args else stage.evidence_of(known)
    request = pb.CaptureRequest(
        request_id=args.request_id(),
        redemption_id=known.redemption_id,
        lines=_final_lines(args, known),
        invoice_no=args.text("invoice"),
        delivered_on=args.text("delivered_on", stage.today),
        evidence=[pb.Evidence(kind=kind) for kind in kinds],
    )
    result = await sender.send(args.by(known.acquirer), f"{_SERVICE}.Capture", request)

    def read(response: pb.CaptureResponse) -> Outcome:
        payee = pb.PayeeKind.Name(response.redemption.payee).removeprefix("PAYEE_KIND_")
        return _changed(stage, args, response, released=Fen(response.released_fen), forfeited=Fen(response.forfeited_fen), payee=payee)

    return outcome(result, read)


async def approve(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Approve a capture: what is given, or all that was captured."""
    known = stage.redemption(args.text("redemption"))
    approved = args.fen("approved") if "approved" in args else known.subsidy_fen or 1
    request = pb.ApproveRequest(request_id=args.request_id(), redemption_id=known.redemption_id, approved_fen=approved)
    result = await sender.send(args.by(known.issuer), f"{_SERVICE}.Approve", request)
    return outcome(
        result,
        lambda response: _changed(stage, args, response, released=Fen(response.released_fen), forfeited=Fen(response.forfeited_fen)),
    )


async def reject(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Reject a capture."""
    known = stage.redemption(args.text("redemption"))
    reason = args.text("reason", "申报材料不符")
    request = pb.RejectRequest(request_id=args.request_id(), redemption_id=known.redemption_id, reason=reason)
    result = await sender.send(args.by(known.issuer), f"{_SERVICE}.Reject", request)
    return outcome(result, lambda response: _changed(stage, args, response, released=Fen(response.released_fen)))


async def void(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Give up an authorization."""
    known = stage.redemption(args.text("redemption"))
    request = pb.VoidRequest(request_id=args.request_id(), redemption_id=known.redemption_id)
    result = await sender.send(args.by(known.acquirer), f"{_SERVICE}.Void", request)
    return outcome(result, lambda response: _changed(stage, args, response, released=Fen(response.released_fen)))


async def refund(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Give back part of a fee; the issuer's platform asks, unless told otherwise (either may)."""
    known = stage.redemption(args.text("redemption"))
    request = pb.RefundRequest(request_id=args.request_id(), redemption_id=known.redemption_id, fee_fen=args.fen("amount"))
    if "line" in args:
        request.line = _position(args, known)
    result = await sender.send(args.by(known.issuer), f"{_SERVICE}.Refund", request)
    return outcome(result, lambda response: _changed(stage, args, response, returned=Fen(response.returned_fen)))


def _input(stage: Stage, args: Args) -> pb.AuthorizationInput:
    order, provider = args.text("order"), args.text("provider")
    stage.orders.setdefault(order, provider)
    return pb.AuthorizationInput(
        issuer=args.text("issuer"),
        enterprise=stage.names.code(args.text("enterprise")),
        provider=stage.names.code(provider),
        order=pb.Order(order_no=order, lines=args.lines()),
        all_or_nothing=args.yes("all_or_nothing"),
    )


def _acquirer(stage: Stage, args: Args) -> str:
    """Return who authorizes: the provider's home; for a provider that nobody declared, the issuer, who asks in vain."""
    issuer = args.text("issuer")
    return args.by(stage.home(args.text("provider")) or (issuer if is_division(issuer) and issuer != COORDINATION else stage.somebody()))


def _changed(stage: Stage, args: Args, response: Any, **values: Got) -> Outcome:
    redemption: pb.Redemption = response.redemption
    name = args.text("redemption")
    stage.redemptions[name] = redemption
    return done(redemption_state(redemption), subsidy=Fen(redemption.subsidy_fen), **values)


def _final_lines(args: Args, known: pb.Redemption) -> list[pb.OrderLine]:
    if "lines" in args:
        return args.lines()
    if "amount" not in args:
        return []
    if len(known.order.lines) > 1:
        raise ScenarioError("capture: `amount` is for an order of one line; this one has more, so name the `lines`")
    line = pb.OrderLine(category=known.order.lines[0].category if known.order.lines else category("RESEARCH"))
    line.amount_fen = args.fen("amount")
    if known.order.lines:
        line.flags.extend(known.order.lines[0].flags)
    return [line]


def _position(args: Args, known: pb.Redemption) -> int:
    """Return the line's position: a number from 0, or a category that only one line has."""
    text = args.text("line")
    if not text[:1].isalpha():
        return args.number("line", 0)
    wanted = category(text)
    found = [at for at, line in enumerate(known.order.lines) if line.category == wanted]
    if len(found) != 1:
        raise ScenarioError(f"refund: {len(found)} lines are of category {text}; name the line by its position from 0")
    return found[0]
