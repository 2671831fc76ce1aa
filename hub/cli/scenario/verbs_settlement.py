"""Verbs of settlement: close_window, confirm_payment."""

from __future__ import annotations

from hub.cli.scenario.acting import Sender
from hub.cli.scenario.answers import done, outcome
from hub.cli.scenario.arguments import Args
from hub.cli.scenario.model import Obligations, Outcome, Positions
from hub.cli.scenario.names import unknown_id
from hub.cli.scenario.stage import Stage
from hub.domain.divisions import COORDINATION
from yrd.settlement.v1 import settlement_pb2 as pb

_SERVICE = "yrd.settlement.v1.SettlementService"
# The hub knows an obligation as paid; a scenario speaks of what its redemptions become.
_PAYMENT_STATUS = {pb.OBLIGATION_STATE_PAID: "SETTLED", pb.OBLIGATION_STATE_DUE: "DUE"}


async def close_window(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Close the window of some issuers, or of all, as the coordination group; `as` names it."""
    request = pb.CloseWindowRequest(request_id=args.request_id(), issuers=args.texts("issuers"))

    def read(response: pb.CloseWindowResponse) -> Outcome:
        window = response.window
        if "as" in args:
            stage.windows[args.text("as")] = window
        obligations = tuple((each.debtor, each.creditor, each.amount_fen) for each in window.obligations)
        positions = {each.division: each.amount_fen for each in window.positions}
        return done("CLOSED", obligations=Obligations(obligations), positions=Positions(positions))

    return outcome(await sender.send(args.by(COORDINATION), f"{_SERVICE}.CloseWindow", request), read)


async def confirm_payment(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Confirm, as the debtor, that an obligation was paid: in full, unless an amount is given."""
    name, debtor, creditor = args.text("window"), args.text("debtor"), stage.names.code(args.text("creditor"))
    window = stage.windows.get(name) or pb.Window(window_id=unknown_id(name))
    owed = [each.amount_fen for each in window.obligations if (each.debtor, each.creditor) == (debtor, creditor)]
    request = pb.ConfirmPaymentRequest(
        request_id=args.request_id(),
        window_id=window.window_id,
        debtor=debtor,
        creditor=creditor,
        # Where nothing is owed there is no exact amount; any that is valid lets the hub say so.
        amount_fen=args.fen("amount") if "amount" in args else sum(owed) or 1,
    )
    result = await sender.send(args.by(debtor), f"{_SERVICE}.ConfirmPayment", request)
    return outcome(result, lambda response: done(_PAYMENT_STATUS.get(response.obligation.state, "UNKNOWN")))
