"""A pool with no connection left is an outage like any other: come back later, whichever door."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.application.dispatch import Dispatcher
from hub.inbound import InboundCommands
from hub.messaging.ports import InboundCommand, Unavailable

METHOD = "yrd.participant.v1.EnterpriseService.RegisterEnterprise"


class _Exhausted(Dispatcher):
    def __init__(self) -> None:
        self.methods = {METHOD: None}  # type: ignore[dict-item]  # it is only looked up

    async def call(self, *_: Any, **__: Any) -> Any:
        raise PoolTimeout("QueuePool limit of size 8 overflow 10 reached")


async def test_a_command_from_kafka_waits() -> None:
    command = InboundCommand("330000", METHOD, "1", b"", "topic", 0, 0)
    with pytest.raises(Unavailable):
        await InboundCommands(_Exhausted()).handle(command)
