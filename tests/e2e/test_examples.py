"""The examples of the documents, run against a hub: what a reader is told to type does what the text says."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hub.client import ClientIdentity
from tests.fixtures.hub import RunningHub

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
ISSUER, ACQUIRER = "330522", "310000"
FIRM = "91330522MA2B12343A"


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_the_first_voucher_clears_and_may_be_run_again(live_hub: RunningHub) -> None:
    hub = live_hub.process
    folders = [str(await asyncio.to_thread(hub.folder, division)) for division in (ISSUER, ACQUIRER)]
    command = (sys.executable, str(EXAMPLES / "first_voucher.py"), *folders, hub.grpc_address, hub.web_address)
    for notes in (5, 6):
        # The second order begins with the 200 yuan left on the fifth note of the first.
        said = await _run(*command)
        assert "issued      10000.00 yuan in 10 notes" in said
        assert f"authorized  4800.00 yuan from {notes} notes; the firm pays 3200.00 yuan" in said
        assert "captured    4800.00 yuan, CLEARED" in said


async def test_a_command_over_kafka_comes_back_with_its_outcome(live_hub: RunningHub) -> None:
    hub = live_hub.process
    said = await _run(sys.executable, str(EXAMPLES / "kafka_command.py"), hub.bootstrap, hub.prefix)
    assert "sent     yrd.participant.v1.EnterpriseService.RegisterEnterprise" in said
    assert "done     91330522MA2B12343A" in said


async def _events(*command: str) -> list[str]:
    """Return what the example shows up to the first redemption."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    assert process.stdout is not None
    shown: list[str] = []
    try:
        async with asyncio.timeout(60):
            while not shown or "RedemptionChanged" not in shown[-1]:
                line = await process.stdout.readline()
                assert line, shown
                shown.append(line.decode())
    finally:
        process.kill()
        await process.wait()
    return shown


async def test_events_without_kafka_go_on_where_they_ended(live_hub: RunningHub) -> None:
    hub = live_hub.process
    addresses = (hub.grpc_address, hub.web_address)
    parties = [str(await asyncio.to_thread(hub.folder, division)) for division in (ISSUER, ACQUIRER)]
    subscriber = str(await asyncio.to_thread(hub.folder, "330000"))
    ends = []
    for _ in range(2):
        await _run(sys.executable, str(EXAMPLES / "first_voucher.py"), *parties, *addresses)
        shown = await _events(sys.executable, str(EXAMPLES / "subscribe.py"), subscriber, *addresses)
        ends.append([int(shown[at].split()[0]) for at in (0, -1)])
        assert f"own   {FIRM}  RedemptionChanged(redemption, cause, reasons, occurred_at)" in shown[-1]
    # Killed before it kept the cursor of an event that it had shown, it shows that one again.
    assert ends[1][0] >= ends[0][1]


async def test_the_service_config_is_one_that_grpc_takes(live_hub: RunningHub) -> None:
    hub = live_hub.process
    text = (EXAMPLES / "service-config.json").read_text()
    assert json.loads(text)["methodConfig"][0]["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    identity = ClientIdentity.load(await asyncio.to_thread(hub.folder, ACQUIRER))
    # A channel with a service config that gRPC cannot read never connects.
    async with grpc.aio.secure_channel(hub.grpc_address, identity.channel_credentials(), [("grpc.service_config", text)]) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


if shutil.which("openssl") and shutil.which("curl"):

    async def test_a_token_with_openssl_and_curl_alone(live_hub: RunningHub) -> None:
        hub = live_hub.process
        folder = str(await asyncio.to_thread(hub.folder, ACQUIRER))
        token = (await _run(str(EXAMPLES / "token.sh"), folder, hub.web_address, "clearing.read", "registry.read")).strip()
        assert token.count(".") == 2
        assert len(token) > 500
