"""Reading redemptions: one, or a list of the caller's side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hub.application.ids import first_uuid
from hub.application.keyset import read_page
from hub.application.transaction import Transaction, UseCase
from hub.codec import encode, enums
from hub.codec.fields import Fields
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, RefusalCode, invalid
from hub.ledger import reading
from yrd.clearing.v1 import clearing_pb2 as pb


async def get_redemption(tx: Transaction, request: pb.GetRedemptionRequest) -> pb.GetRedemptionResponse | Refusal:
    """Return one redemption. One that is not of the caller's side does not exist for it."""
    fields = Fields()
    redemption_id = fields.uuid("redemption_id", request.redemption_id)
    if fields.refusal is not None:
        return fields.refusal
    found = await reading.redemption_by_id(tx.session, redemption_id)
    if found is None:
        return Refusal(RefusalCode.REDEMPTION_NOT_FOUND)
    item, window_id = found
    if not (tx.caller.sees(item.wallet.issuer) or tx.caller.sees(item.acquirer)):
        return Refusal(RefusalCode.REDEMPTION_NOT_FOUND)
    return pb.GetRedemptionResponse(redemption=encode.redemption(item, window_id))


def side(caller: Caller) -> tuple[str, dict[str, object]]:
    """Return the SQL condition and its parameter that keep a list to the caller's side."""
    if caller.role is Role.COORDINATOR:
        return "true", {}
    # A division contains another when the codes agree up to the zeros (docs/domain.md, Codes).
    prefix = caller.division.removesuffix("00").removesuffix("00") if caller.division.endswith("00") else caller.division
    return "(r.issuer LIKE :side OR r.acquirer LIKE :side)", {"side": f"{prefix}%"}


_FILTERS = {
    **{name: f"r.{name} = :{name}" for name in ("issuer", "acquirer", "enterprise", "provider", "order_no")},
    # Ids are in the order of time, and one is made about when its authorization is: they lead to the rows, the instant decides.
    "authorized_from": "r.authorized_at >= :authorized_from AND r.redemption_id >= :first_id",
    "authorized_until": "r.authorized_at < :authorized_until AND r.redemption_id < :end_id",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 30, tzinfo=UTC)
"""A day can be added to it, not to every instant of the contract."""

_APART = timedelta(days=1)
"""Longest time between the making of an id and its authorization, which is later, or earlier where the clock was set back between."""


def _filters(request: pb.ListRedemptionsRequest, fields: Fields) -> dict[str, object]:
    """Return the filters that are set, by name, each checked."""
    readers = {
        "issuer": fields.division,
        "acquirer": fields.division,
        "enterprise": fields.uscc,
        "provider": fields.uscc,
        "order_no": fields.number,
    }
    given: dict[str, object] = {name: read(name, value) for name, read in readers.items() if (value := getattr(request, name))}
    for name in ("authorized_from", "authorized_until"):
        if request.HasField(name):
            given[name] = fields.instant(name, getattr(request, name))
    return given


def _id_bounds(given: dict[str, object]) -> dict[str, object]:
    """Return between which ids the instants asked for lie."""
    since, until = given.get("authorized_from"), given.get("authorized_until")
    bounds: dict[str, object] = {}
    if isinstance(since, datetime):
        bounds["first_id"] = first_uuid(max(since, _EPOCH) - _APART)
    if isinstance(until, datetime):
        bounds["end_id"] = first_uuid(min(until, _END) + _APART)
    return bounds


async def list_redemptions(tx: Transaction, request: pb.ListRedemptionsRequest) -> pb.ListRedemptionsResponse | Refusal:
    """List redemptions of the caller's side, newest first. Pages are keyset positions, so they stay correct while data changes."""
    condition, parameters = side(tx.caller)
    fields = Fields()
    given = _filters(request, fields)
    conditions = [condition, *(_FILTERS[name] for name in given)]
    parameters |= given | _id_bounds(given)
    page = fields.refusal or read_page(tx.caller, request, UUID)
    if isinstance(page, Refusal):
        return page
    if request.state:
        state = enums.STATE_IN.get(request.state)
        if state is None:
            return invalid("state", "is not a state of the contract")
        conditions.append("r.state = :state")
        parameters["state"] = state.value
    if page.after is not None:
        parameters["id"] = page.after[0]
        conditions.append("r.redemption_id < :id")
    found = await reading.redemptions(tx.session, " AND ".join(conditions), parameters, page.fetch)
    shown, token = page.cut(found, lambda item: [item[0].redemption_id])
    return pb.ListRedemptionsResponse(redemptions=[encode.redemption(*item) for item in shown], next_page_token=token)


METHODS: dict[str, UseCase] = {
    "yrd.clearing.v1.ClearingService.GetRedemption": get_redemption,
    "yrd.clearing.v1.ClearingService.ListRedemptions": list_redemptions,
}
