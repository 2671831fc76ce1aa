"""The use cases of demand by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import Foresee, UseCase
from registry.demand.answering import accept_offer, decline_invitation, get_appointment, order_of_offer, submit_offer, withdraw_offer
from registry.demand.posting import get_demand, invite_providers, list_demands, match_demand, post_demand, withdraw_demand

_SERVICE = "yrd.registry.v1.DemandService"

METHODS: dict[str, UseCase] = {
    f"{_SERVICE}.PostDemand": post_demand,
    f"{_SERVICE}.WithdrawDemand": withdraw_demand,
    f"{_SERVICE}.GetDemand": get_demand,
    f"{_SERVICE}.ListDemands": list_demands,
    f"{_SERVICE}.MatchDemand": match_demand,
    f"{_SERVICE}.InviteProviders": invite_providers,
    f"{_SERVICE}.SubmitOffer": submit_offer,
    f"{_SERVICE}.WithdrawOffer": withdraw_offer,
    f"{_SERVICE}.DeclineInvitation": decline_invitation,
    f"{_SERVICE}.AcceptOffer": accept_offer,
    f"{_SERVICE}.GetAppointment": get_appointment,
}

FIRST: dict[str, Foresee] = {f"{_SERVICE}.AcceptOffer": order_of_offer}
"""What has to be on the ledger before."""
