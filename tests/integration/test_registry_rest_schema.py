"""The served application against its own OpenAPI document, by generated requests: every check, both parts, with certificate and token.

Short, unless told: REST_EXAMPLES are generated requests for each operation, REST_COVERED how many operations are tried with every kind of
wrong data; which ones, the seed says. REST_SEED plays a run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.embedded import EmbeddedPostgres
from tests.integration.test_registry_rest import COMMITTED, HUZHOU, LAB, SHANGHAI, STATION, furnish
from tests.support_rest import Door, open_door, provider
from tests.support_usecases import Desk, open_desk

_ROOT = Path(__file__).resolve().parents[2]
_ITSELF = provider(SHANGHAI, LAB)
_EXAMPLES, _COVERED = os.environ.get("REST_EXAMPLES", "4"), int(os.environ.get("REST_COVERED", "4"))


def _known(desk: Desk) -> dict[str, list[str]]:
    """What is in the pool, by form of parameter."""
    applications = [str(row[0]) for row in desk.rows("SELECT application_id FROM registry.admission_application")]
    return {"uscc": [LAB, STATION], "division": [SHANGHAI, HUZHOU, "330000"], "uuid": applications}


async def _run(desk: Desk, door: Door, seed: int, *more: str) -> None:
    folder, token = door.folder(_ITSELF), await door.token(_ITSELF)
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(_ROOT / "tests/fixtures/rest_schemathesis.toml"),
        "run", str(COMMITTED), "--url", door.address, "--tls-verify", str(door.identity / "ca.pem"),
        "--request-cert", str(folder / "cert.pem"), "--request-cert-key", str(folder / "key.pem"),
        "-H", f"Authorization: Bearer {token}", "--checks", "all", "--max-examples", _EXAMPLES, "--seed", str(seed),
        "--generation-database", "none", "--no-shrink", "--suppress-health-check", "all", *more,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.fixtures.rest_hooks",
        "REST_KNOWN": json.dumps(_known(desk)),
        "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_ROOT / "proto" / "gen"))),
        "NO_PROXY": "localhost",
        "PYTHONWARNINGS": "ignore",
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment, cwd=door.identity
    )
    said = (await process.communicate())[0].decode()
    print(said)  # noqa: T201
    assert process.returncode == 0, said


def _operations() -> list[str]:
    document: dict[str, Any] = json.loads(COMMITTED.read_text())
    return [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]


@pytest.mark.slow
async def test_what_is_served_is_what_the_document_says(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    seed = int(os.environ.get("REST_SEED", random.randrange(2**31)))
    print(f"REST_SEED={seed}")  # noqa: T201
    names = _operations()
    covered = random.Random(seed).sample(names, min(_COVERED, len(names)))
    async with open_desk(postgres_server) as desk:
        await furnish(desk)
        async with open_door(desk, tmp_path, _ITSELF) as door:
            await _run(desk, door, seed, "--phases", "examples,fuzzing")
            chosen = [part for name in covered for part in ("--include-operation-id", name)]
            await _run(desk, door, seed, "--phases", "coverage", *chosen)
