"""One hub process for one scenario: started on a database of its own, killed hard, started again."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from hub.cli.scenario.ground import Ground
from hub.divisions import province_codes

ROLES = ("hub", "web", "relay")
START_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.05
_LAST_WORDS_LINES = 15


class HubFailed(Exception):
    """A hub process that did not start, or ended by itself; the message ends with its last words."""


class HubProcess:
    """A hub with its own database, topics and ports. It ends with this process, however that ends."""

    def __init__(self, ground: Ground, name: str, database_url: str, provinces: Iterable[str] = ()) -> None:
        self.name = name
        self._provinces = {*province_codes(), *provinces}
        self.database_url = database_url
        self.bootstrap = ground.kafka.bootstrap
        self.topic_prefix = name
        self.grpc_address = f"localhost:{ground.new_port()}"
        self.web_address = f"localhost:{ground.new_port()}"
        self._ground = ground
        self._log = ground.directory / f"{name}.log"
        self._pid: int | None = None

    async def start(self, now: datetime) -> None:
        """Start the process with its clock at `now` and wait until it is ready; raise HubFailed."""
        self._pid = await asyncio.to_thread(self._ground.nursery.launch, ROLES, self._environment(now), self._log)
        await self._await_ready()

    async def restart(self, now: datetime) -> None:
        """SIGKILL the process and start it again on the same database, topics and ports."""
        await self.kill()
        await self.start(now)

    async def kill(self) -> None:
        """SIGKILL the process; does nothing if it does not run."""
        pid, self._pid = self._pid, None
        if pid is not None:
            await asyncio.to_thread(self._ground.nursery.kill, pid)

    def last_words(self) -> str:
        """Return the end of what the process said."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_WORDS_LINES:])

    def _environment(self, now: datetime) -> dict[str, str]:
        # Settings of the user's own hub must not reach this one.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DELTAHUB_")}
        own = {
            "DELTAHUB_DATA_DIR": str(self._ground.data_dir),
            "DELTAHUB_DATABASE_URL": self.database_url,
            "DELTAHUB_KAFKA_BOOTSTRAP": self.bootstrap,
            "DELTAHUB_TOPIC_PREFIX": self.topic_prefix,
            "DELTAHUB_GRPC_ADDRESS": self.grpc_address,
            "DELTAHUB_WEB_ADDRESS": self.web_address,
            "DELTAHUB_PROVINCES": json.dumps(sorted(self._provinces)),
            "DELTAHUB_PARTITIONS": "2",
            "DELTAHUB_SIMULATED_CLOCK": now.astimezone(UTC).isoformat(),
            "PYTHONUNBUFFERED": "1",
        }
        return inherited | own

    async def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        url = f"https://{self.web_address}/readyz"
        async with httpx.AsyncClient(verify=self._ground.tls(), timeout=5.0, trust_env=False) as http:
            while not await _answers(http, url):
                if self._pid is None or not self._ground.nursery.runs(self._pid):
                    raise HubFailed(f"the hub process ended before it was ready:\n{self.last_words()}")
                if time.monotonic() > deadline:
                    await self.kill()
                    raise HubFailed(f"the hub was not ready after {START_SECONDS_MAX:.0f} s:\n{self.last_words()}")
                await asyncio.sleep(_POLL_SECONDS)


async def raise_hub(ground: Ground, name: str, start: datetime, provinces: Iterable[str] = ()) -> HubProcess:
    """Start a hub on a fresh database, its clock at `start`, also for `provinces` that are new to it; raise HubFailed."""
    hub = HubProcess(ground, name, await ground.new_database(name), provinces)
    try:
        await hub.start(start)
    except BaseException:
        await hub.kill()
        raise
    return hub


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def hub_name(path: Path, index: int, run: str) -> str:
    """Return the name of a scenario's hub: its database and the first part of its topics, such as `s07x3f9c`."""
    digits = "".join(filter(str.isdigit, path.stem))[:3]
    return f"s{digits}x{index:02d}{run}"
