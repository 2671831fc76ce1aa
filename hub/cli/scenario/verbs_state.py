"""The verb `state`: balances of an issuer, a wallet, a provider, and what a redemption has come to."""

from __future__ import annotations

from hub.cli.scenario.acting import Sender
from hub.cli.scenario.answers import outcome, redemption_state
from hub.cli.scenario.arguments import Args
from hub.cli.scenario.model import Fen, Got, Outcome
from hub.cli.scenario.stage import Stage
from hub.domain.clock import local_date
from hub.domain.divisions import COORDINATION
from yrd.clearing.v1 import clearing_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

_SETTLEMENT = "yrd.settlement.v1.SettlementService"


async def state(stage: Stage, args: Args, sender: Sender) -> Outcome:
    """Read the balances that the fields ask for, as the platform they belong to."""
    if "redemption" in args:
        return await _redemption(stage, args, sender)
    if "provider" in args:
        return await _provider(stage, args, sender)
    return await (_wallet if "enterprise" in args else _issuer)(stage, args, sender)


async def _issuer(stage: Stage, args: Args, sender: Sender) -> Outcome:
    issuer = args.text("issuer")
    request = settlement_pb2.GetIssuerPositionRequest(issuer=issuer)

    def read(response: settlement_pb2.GetIssuerPositionResponse) -> Outcome:
        return _read(
            appropriation_used=Fen(response.appropriation_used_fen),
            outstanding=Fen(response.outstanding_fen),
            reserved=Fen(response.reserved_fen),
            payable=Fen(response.payable_fen),
            paid=Fen(response.paid_fen),
            returned=Fen(response.returned_fen),
        )

    return outcome(await sender.send(args.by(issuer), f"{_SETTLEMENT}.GetIssuerPosition", request), read)


async def _wallet(stage: Stage, args: Args, sender: Sender) -> Outcome:
    issuer, year = args.text("issuer"), args.number("year", local_date(stage.now).year)
    request = voucher_pb2.GetWalletRequest(issuer=issuer, enterprise=stage.names.code(args.text("enterprise")), year=year)

    def read(response: voucher_pb2.GetWalletResponse) -> Outcome:
        return _read(
            voucher_available=Fen(response.available_fen),
            voucher_reserved=Fen(response.reserved_fen),
            quota_used=Fen(response.quota_used_fen),
            quota_remaining=Fen(response.quota_remaining_fen),
        )

    return outcome(await sender.send(args.by(issuer), "yrd.voucher.v1.VoucherService.GetWallet", request), read)


async def _provider(stage: Stage, args: Args, sender: Sender) -> Outcome:
    name = args.text("provider")
    request = settlement_pb2.GetProviderPositionRequest(provider=stage.names.code(name))

    def read(response: settlement_pb2.GetProviderPositionResponse) -> Outcome:
        return _read(receivable=Fen(response.receivable_fen), received=Fen(response.received_fen))

    return outcome(await sender.send(args.by(stage.home(name) or COORDINATION), f"{_SETTLEMENT}.GetProviderPosition", request), read)


async def _redemption(stage: Stage, args: Args, sender: Sender) -> Outcome:
    name = args.text("redemption")
    known = stage.redemption(name)
    request = clearing_pb2.GetRedemptionRequest(redemption_id=known.redemption_id)

    def read(response: clearing_pb2.GetRedemptionResponse) -> Outcome:
        redemption = stage.redemptions[name] = response.redemption
        values: dict[str, Got] = {"status": redemption_state(redemption), "subsidy": Fen(redemption.subsidy_fen)}
        if redemption.HasField("days_to_payment"):
            values["days_to_payment"] = redemption.days_to_payment
        return _read(**values)

    return outcome(await sender.send(args.by(known.issuer), "yrd.clearing.v1.ClearingService.GetRedemption", request), read)


def _read(**values: Got) -> Outcome:
    return Outcome("READ", values={"status": "READ", **values})
