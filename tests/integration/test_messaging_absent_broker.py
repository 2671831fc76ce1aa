"""A broker that is away costs the hub no threads and no sockets, however often it is asked for."""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from hub.messaging.client import opened
from tests.fixtures.ports import free_port


@pytest.mark.parametrize("client", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_a_client_that_finds_no_broker_leaves_nothing_behind(client: type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "kafka")  # records that are kept would keep the sockets they are about
    nobody = f"127.0.0.1:{free_port()}"

    def attempt() -> None:
        with pytest.raises(KafkaError):
            opened(client, nobody, {"bootstrap_timeout_ms": 200}, {})

    def held() -> tuple[int, int]:
        gc.collect()  # the library's objects refer to one another
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    attempt()  # what the library makes once for all is made now
    threads, files = held()
    for _ in range(3):
        attempt()
    assert held() <= (threads, files)
