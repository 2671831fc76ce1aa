"""Accepting an offer as the hub does it: the order's number on the ledger first, then the appointment."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hub.application.dispatch import Dispatcher
from hub.application.methods import build_methods
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.ledger.committer import GroupCommitter
from registry.demand.methods import FIRST, METHODS
from tests.fixtures.ledger import running
from tests.support_usecases import Desk
from yrd.registry.v1 import demand_pb2 as pb

ACCEPT = "yrd.registry.v1.DemandService.AcceptOffer"


@asynccontextmanager
async def dispatching(desk: Desk) -> AsyncIterator[Dispatcher]:
    """The demand service behind a dispatcher, with a running committer."""
    services = [pb.DESCRIPTOR.services_by_name["DemandService"]]
    committer = GroupCommitter(desk.uri, desk.clock)
    async with running(committer):
        yield Dispatcher(build_methods(services, {}, METHODS, {}, {}, FIRST), committer, desk.work)


async def accept(desk: Desk, caller: Caller, request: pb.AcceptOfferRequest) -> Outcome:
    """Accept an offer; a request without an id gets a fresh one."""
    request.request_id = request.request_id or str(uuid.uuid4())
    async with dispatching(desk) as dispatcher:
        return await dispatcher.call(ACCEPT, request.SerializeToString(), caller)
