"""The REST part of a running hub, as composition puts it together: a registered provider's system with its certificate and token."""

from __future__ import annotations

import asyncio
import ssl
import uuid

import httpx

from hub.client import HubClient
from hub.domain.divisions import COORDINATION
from tests.fixtures.hub import RunningHub
from tests.support_pool import TESTING
from tests.support_usecases import credit_code
from yrd.common.v1 import access_pb2
from yrd.participant.v1 import participant_pb2
from yrd.registry.v1 import registry_pb2

SHANGHAI, LAB = "310000", credit_code(31, "12310104")
SCOPES = ["catalogue.read", "catalogue.write", "registry.read"]


async def test_a_registered_provider_publishes_and_everybody_reads(live_hub: RunningHub) -> None:
    hub = live_hub.process
    provider = registry_pb2.Provider(uscc=LAB, home=SHANGHAI, name="某某检测中心", categories=[TESTING], admitted_on="2026-01-01")
    await live_hub.call(SHANGHAI, "yrd.registry.v1.RegistryService.AdmitProvider", registry_pb2.AdmitProviderRequest(provider=provider))
    system = f"provider-{LAB}"
    participant = participant_pb2.Participant(
        participant_id=f"spiffe://{SHANGHAI}/{SHANGHAI}/{system}",
        division=SHANGHAI,
        name="某某检测中心",
        role=access_pb2.ROLE_PROVIDER,
        scopes=SCOPES,
    )
    request = participant_pb2.RegisterParticipantRequest(participant=participant)
    await live_hub.call(COORDINATION, "yrd.participant.v1.ParticipantService.RegisterParticipant", request)
    folder = await asyncio.to_thread(hub.folder, SHANGHAI, system)
    async with HubClient(hub.grpc_address, hub.web_address, folder, SCOPES) as client:
        token = await client.tokens.get()
    context = ssl.create_default_context(cafile=str(hub.identity / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    entry = {"provider": LAB, "kind": "ENTRY_KIND_SERVICE", "code": "R-1", "name": "薄膜测定", "category": "CATEGORY_INSPECTION_TESTING"}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
    async with httpx.AsyncClient(verify=context, base_url=f"https://{hub.web_address}", trust_env=False) as http:
        made = await http.post("/api/provider/v1/entries", json=entry, headers=headers)
        assert made.status_code == 201, made.text
    context = ssl.create_default_context(cafile=str(hub.identity / "ca.pem"))
    async with httpx.AsyncClient(verify=context, base_url=f"https://{hub.web_address}", trust_env=False) as http:
        read = await http.get(f"/api/pool/v1/entries/{made.json()['entry_id']}")
        assert read.json() == made.json() and read.headers["etag"] == made.headers["etag"]
        assert (await http.get("/api/pool/v1/docs")).status_code == 200
        assert (await http.get("/api/pool/v1/docs.css")).headers["content-type"].startswith("text/css")
        assert (await http.post("/api/provider/v1/entries", json=entry, headers=headers)).json()["code"] == "CERTIFICATE_REJECTED"
