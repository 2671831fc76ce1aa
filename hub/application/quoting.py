"""Quote: what an authorization would give now, with every objection, changing nothing."""

from __future__ import annotations

from typing import Protocol

from hub.application.batch import WorkingSet
from hub.codec import encode
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, answer, refused
from hub.codec.requests import read_authorization
from hub.codec.splice import field
from hub.domain.authorize import Authorize, order_mismatch, quote
from hub.domain.caller import Caller
from hub.domain.clock import local_date
from hub.domain.refusals import not_permitted
from yrd.clearing.v1 import clearing_pb2 as pb

_NOBODY = "00000000-0000-0000-0000-000000000000"


class Snapshots(Protocol):
    """Reads what an authorization would read, without locks."""

    async def read(self, command: Authorize) -> WorkingSet:
        """Return the rows."""
        ...


class Quoting:
    """Answers quotes."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def handle(self, caller: Caller, request: pb.QuoteRequest) -> Outcome:
        """Quote; the acquirer's or the issuer's platform asks."""
        fields = Fields()
        command = read_authorization(request.input, fields, _NOBODY)
        if fields.refusal is not None:
            return refused(fields.refusal)
        batch = await self._snapshots.read(command)
        policy = batch.policy_of(command.wallet.issuer, local_date(batch.now))
        snapshot = batch.snapshot(command.wallet, command.order, policy)
        home = snapshot.provider.home if snapshot.provider else command.wallet.issuer
        if not (caller.acts_for(home) or caller.acts_for(command.wallet.issuer)):
            return refused(not_permitted("仅发券地或服务地平台可以询价", "only the issuer's or the acquirer's platform quotes"))
        mismatch = order_mismatch(snapshot, command)
        if mismatch is not None:
            return refused(mismatch)
        breakdown, found, steps = quote(snapshot, command, batch.now)
        told = field(pb.QuoteResponse.BREAKDOWN_FIELD_NUMBER, encode.breakdown(breakdown, encode.reasons(steps)))
        return answer(pb.QuoteResponse(refusals=[code.value for code in found]), told)
