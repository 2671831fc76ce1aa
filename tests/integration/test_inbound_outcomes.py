"""Every command that comes in over Kafka gets an outcome, also one that never reaches the ledger."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from hub.bootstrap import Hub
from hub.embedded import EmbeddedPostgres
from hub.inbound import InboundCommands
from hub.messaging.ports import InboundCommand, Undeliverable
from hub.settings import Settings
from tests.fixtures.hub import migrated_database
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2
from yrd.events.v1 import events_pb2

AUTHORIZE = "yrd.clearing.v1.ClearingService.Authorize"


def _command(method: str, payload: bytes) -> InboundCommand:
    return InboundCommand("310000", method, f"source-{uuid.uuid4()}", payload, "topic", 0, 0)


def _outcomes(url: str) -> list[events_pb2.CommandOutcome]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT payload FROM outbox WHERE type = 'yrd.events.v1.CommandOutcome' ORDER BY seq").fetchall()
    return [events_pb2.CommandOutcome.FromString(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (
            clearing_pb2.AuthorizeRequest(request_id="7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01").SerializeToString(),
            refusal_pb2.REFUSAL_CODE_INVALID_ARGUMENT,
        ),
        (clearing_pb2.AuthorizeRequest(request_id="not a uuid").SerializeToString(), refusal_pb2.REFUSAL_CODE_INVALID_ARGUMENT),
        (b"\xff\xff\xff", refusal_pb2.REFUSAL_CODE_INVALID_ARGUMENT),
        (b"\x9a\x06\x01x", refusal_pb2.REFUSAL_CODE_UNKNOWN_FIELD),
    ],
    ids=["empty", "no request id", "no message", "unknown field"],
)
async def test_what_cannot_be_read_is_answered(postgres_server: EmbeddedPostgres, tmp_path: Path, payload: bytes, code: int) -> None:
    with migrated_database(postgres_server) as url:
        hub = Hub(Settings(database_url=url, data_dir=tmp_path), CollectorRegistry())
        command = _command(AUTHORIZE, payload)
        try:
            await InboundCommands(hub.dispatcher).handle(command)
        finally:
            await hub.close()
        (outcome,) = _outcomes(url)
        assert outcome.source_id == command.source_id
        assert outcome.method == AUTHORIZE
        assert outcome.refusal.code == code


@pytest.mark.parametrize("method", ["yrd.clearing.v1.ClearingService.Nothing", "yrd.clearing.v1.ClearingService.GetRedemption"])
async def test_what_is_no_command_goes_to_the_dead_letters(postgres_server: EmbeddedPostgres, tmp_path: Path, method: str) -> None:
    with migrated_database(postgres_server) as url:
        hub = Hub(Settings(database_url=url, data_dir=tmp_path), CollectorRegistry())
        try:
            with pytest.raises(Undeliverable):
                await InboundCommands(hub.dispatcher).handle(_command(method, b""))
        finally:
            await hub.close()
        assert _outcomes(url) == []
