"""Admission and removal at a running hub, over gRPC: clearing follows with the next call."""

from __future__ import annotations

from google.protobuf.message import Message

from tests.fixtures import delta
from tests.fixtures.admission import applicant, criteria
from tests.fixtures.delta import CHANGXING, CLEARING, REGISTRY, SHANGHAI, SHANGHAI_LAB, ZHEJIANG
from tests.fixtures.hub import RunningHub
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2
from yrd.registry.v1 import admission_pb2 as pb
from yrd.registry.v1 import registry_pb2

ADMISSION = "yrd.registry.v1.AdmissionService"
FIRM = credit_code(71, "91330522")


async def code(hub: RunningHub, division: str, method: str, request: Message) -> str:
    return (await (await hub.wire(division)).send(method, request.SerializeToString())).code


async def test_a_removed_provider_is_paid_no_more_until_it_is_admitted_anew(live_hub: RunningHub) -> None:
    await delta.found(live_hub)
    await delta.furnish(live_hub, FIRM, CHANGXING, [CHANGXING], 100_000, 20)
    before = delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "R-1", 100_000)
    held: clearing_pb2.AuthorizeResponse = await live_hub.call(SHANGHAI, f"{CLEARING}.Authorize", before)
    remove = registry_pb2.RemoveProviderRequest(request_id=delta.request_id(), provider=SHANGHAI_LAB, reason="弄虚作假")
    assert await code(live_hub, ZHEJIANG, f"{REGISTRY}.RemoveProvider", remove) == "NOT_PERMITTED"
    remove.request_id = delta.request_id()
    await live_hub.call(SHANGHAI, f"{REGISTRY}.RemoveProvider", remove)
    after = delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "R-2", 100_000)
    assert await code(live_hub, SHANGHAI, f"{CLEARING}.Authorize", after) == "PROVIDER_SUSPENDED"
    # Delivered on the day of the removal: not delivered before it (rules.md C4).
    capture = delta.capture(held.redemption.redemption_id, "FP-R-1")
    assert await code(live_hub, SHANGHAI, f"{CLEARING}.Capture", capture) == "PROVIDER_SUSPENDED"
    listed: registry_pb2.ListProvidersResponse = await live_hub.call(
        CHANGXING, f"{REGISTRY}.ListProviders", registry_pb2.ListProvidersRequest()
    )
    assert SHANGHAI_LAB not in {item.uscc for item in listed.providers}
    again = registry_pb2.AdmitProviderRequest(provider=delta.provider(SHANGHAI_LAB, SHANGHAI))
    await live_hub.call(SHANGHAI, f"{REGISTRY}.AdmitProvider", again)
    third = delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "R-3", 100_000)
    assert (await live_hub.call(SHANGHAI, f"{CLEARING}.Authorize", third)).redemption.state == clearing_pb2.REDEMPTION_STATE_AUTHORIZED


async def test_the_service_is_served_and_scoped(live_hub: RunningHub) -> None:
    publish = pb.PublishAdmissionCriteriaRequest(criteria=criteria())
    await live_hub.call(SHANGHAI, f"{ADMISSION}.PublishAdmissionCriteria", publish)
    apply = pb.ApplyForAdmissionRequest(request_id=delta.request_id(), applicant=applicant(credit_code(72, "12310104")))
    assert await code(live_hub, ZHEJIANG, f"{ADMISSION}.ApplyForAdmission", apply) == "NOT_PERMITTED"
    apply.request_id = delta.request_id()
    made: pb.ApplyForAdmissionResponse = await live_hub.call(SHANGHAI, f"{ADMISSION}.ApplyForAdmission", apply)
    get = pb.GetApplicationRequest(application_id=made.application.application_id)
    assert await code(live_hub, ZHEJIANG, f"{ADMISSION}.GetApplication", get) == "NOT_PERMITTED"
    found: pb.GetApplicationResponse = await live_hub.call(SHANGHAI, f"{ADMISSION}.GetApplication", get)
    assert (found.application.state, [item.cause for item in found.history]) == (pb.APPLICATION_STATE_SUBMITTED, ["Apply"])
