"""需求 → 供需对接 → 订单: what an appointment returns is what Authorize takes, on a running hub."""

from __future__ import annotations

import psycopg

from hub.ledger.audit import audit
from registry.search.indexing import catch_up
from tests.fixtures import delta
from tests.fixtures.delta import CHANGXING, CLEARING, SHANGHAI, SHANGHAI_LAB, TESTING
from tests.fixtures.hub import RunningHub
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2
from yrd.registry.v1 import catalogue_pb2
from yrd.registry.v1 import demand_pb2 as pb

FIRM, OTHER = credit_code(701, "91330522"), credit_code(702, "91330522")
DEMAND = "yrd.registry.v1.DemandService"


async def test_an_appointment_is_authorized_as_it_stands(live_hub: RunningHub) -> None:
    hub = live_hub
    await delta.found(hub)
    for firm in (FIRM, OTHER):
        await delta.furnish(hub, firm, CHANGXING, [CHANGXING], 1_000_000, 1)
    entry = catalogue_pb2.CatalogueEntry(
        provider=SHANGHAI_LAB, kind=catalogue_pb2.ENTRY_KIND_SERVICE, code="P-1", name="塑料薄膜成分分析", category=TESTING
    )
    await hub.call(SHANGHAI, "yrd.registry.v1.CatalogueService.CreateEntry", catalogue_pb2.CreateEntryRequest(entry=entry))
    async with await psycopg.AsyncConnection.connect(hub.process.database_url, autocommit=True) as connection:
        while await catch_up(connection):
            pass
    demand = pb.Demand(
        enterprise=FIRM,
        title="包装薄膜成分分析",
        text="需要弄清塑料薄膜各层的成分",
        due_on=delta.today(),
        contact=pb.Contact(name="技术部", reach="0572-6000000"),
    )
    posted = await hub.call(CHANGXING, f"{DEMAND}.PostDemand", pb.PostDemandRequest(demand=demand, invite_best=3))
    assert [item.provider for item in posted.invitations] == [SHANGHAI_LAB]
    lines = [clearing_pb2.OrderLine(category=TESTING, amount_fen=800_000)]
    offer = pb.Offer(
        demand_id=posted.demand.demand_id, provider=SHANGHAI_LAB, lines=lines, delivery_days=7, valid_to=delta.today(),
        entry_id=posted.invitations[0].entry_id,
    )  # fmt: skip
    offered = await hub.call(SHANGHAI, f"{DEMAND}.SubmitOffer", pb.SubmitOfferRequest(offer=offer))
    await hub.call(CHANGXING, f"{DEMAND}.AcceptOffer", pb.AcceptOfferRequest(offer_id=offered.offer.offer_id))
    asked = pb.GetAppointmentRequest(demand_id=posted.demand.demand_id)
    appointment = (await hub.call(SHANGHAI, f"{DEMAND}.GetAppointment", asked)).appointment

    def authorization(enterprise: str) -> clearing_pb2.AuthorizeRequest:
        wanted = clearing_pb2.AuthorizationInput(
            issuer=CHANGXING, enterprise=enterprise, provider=appointment.provider, order=appointment.order
        )
        return clearing_pb2.AuthorizeRequest(request_id=delta.request_id(), input=wanted)

    # The number is the enterprise's from the appointment on: nobody else's order can take it.
    wire = await hub.wire(SHANGHAI)
    refused = await wire.client.call(f"{CLEARING}.Authorize", authorization(OTHER))
    assert not refused.ok
    made = await hub.call(SHANGHAI, f"{CLEARING}.Authorize", authorization(appointment.enterprise))
    assert made.redemption.order == appointment.order
    assert made.redemption.authorized_fen == 480_000
    assert (await audit(hub.process.database_url)).clean
