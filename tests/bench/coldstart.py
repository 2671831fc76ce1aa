"""Cold start: from nothing on disk to the first cleared voucher, everything embedded, by the public API."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from hub.client import HubClient
from hub.embedded import Lifeline
from hub.embedded.kafka import free_port
from hub.security.authority import DevelopmentAuthority
from hub.security.spiffe import PLATFORM_SYSTEM
from tests.bench.rig import tell
from tests.bench.table import Row
from tests.fixtures import delta
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2

SECONDS_GOAL = 15.0
_SECONDS_MAX = 120.0
_FIRM = credit_code(41, "91330522")


async def cold_start(directory: Path) -> Row:
    """Start `deltahub up` in an empty directory and clear one voucher between two provinces."""
    tell("cold start")
    grpc_address, web_address = f"localhost:{free_port()}", f"localhost:{free_port()}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DELTAHUB_")}
    own = {"DATA_DIR": str(directory), "GRPC_ADDRESS": grpc_address, "WEB_ADDRESS": web_address}
    started = time.perf_counter()
    process = _up({**inherited, **{f"DELTAHUB_{name}": value for name, value in own.items()}})
    with Lifeline(process.pid, signal="TERM"):
        try:
            async with asyncio.timeout(_SECONDS_MAX):
                await _until_up(directory, web_address)
                up = time.perf_counter() - started
                state = await _clear_one(directory, grpc_address, web_address)
                seconds = time.perf_counter() - started
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)
    name = "cold start of everything embedded, to the first cleared voucher"
    text = f"{seconds:.1f} s (up after {up:.1f} s; {state})"
    reached = seconds < SECONDS_GOAL and state == "CLEARED"
    return Row(name, text, f"< {SECONDS_GOAL:.0f} s", reached, values={"s": seconds})


def _up(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "hub", "up"], stdin=quiet, stdout=quiet, stderr=quiet, env=environment)


async def _until_up(directory: Path, web_address: str) -> None:
    authority = directory / "identity" / "ca.pem"
    while True:
        if (directory / "identity" / "server.pem").exists():
            try:
                async with httpx.AsyncClient(verify=_trusting(authority), timeout=2.0, trust_env=False) as http:
                    if (await http.get(f"https://{web_address}/readyz")).status_code == httpx.codes.OK:
                        return
            except (httpx.HTTPError, OSError):
                pass
        await asyncio.sleep(0.05)


def _trusting(authority: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(authority))


async def _clear_one(directory: Path, grpc_address: str, web_address: str) -> str:
    async def call(division: str, method: str, request: Any) -> Any:
        folder = directory / "clients" / division
        DevelopmentAuthority(directory / "identity").ensure_identity(division, PLATFORM_SYSTEM, folder)
        if not request.request_id:
            request.request_id = str(uuid.uuid4())
        async with HubClient(grpc_address, web_address, folder) as client:
            return (await client.call(method, request)).unwrap()

    issuer, lab, home = delta.CHANGXING, delta.SHANGHAI_LAB, delta.SHANGHAI
    policy = delta.policy(issuer, 10_000_000)
    await call(issuer, f"{delta.POLICIES}.PublishPolicy", policy_pb2.PublishPolicyRequest(policy=policy))
    await call(home, f"{delta.REGISTRY}.AdmitProvider", registry_pb2.AdmitProviderRequest(provider=delta.provider(lab, home)))
    register = participant_pb2.RegisterEnterpriseRequest(enterprise=delta.firm(_FIRM, issuer))
    await call(issuer, f"{delta.ENTERPRISES}.RegisterEnterprise", register)
    await call(issuer, f"{delta.VOUCHERS}.IssueVouchers", delta.issue(issuer, _FIRM, 100_000, 10))
    authorized = await call(home, f"{delta.CLEARING}.Authorize", delta.authorize(issuer, _FIRM, lab, "COLD-1", 800_000))
    captured = await call(home, f"{delta.CLEARING}.Capture", delta.capture(authorized.redemption.redemption_id, "COLD-INV-1"))
    return clearing_pb2.RedemptionState.Name(captured.redemption.state).removeprefix("REDEMPTION_STATE_")
