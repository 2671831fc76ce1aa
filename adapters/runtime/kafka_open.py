"""Opening kafka-python clients: one that fails to reach a broker is taken apart again, as its own constructor does not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net.compat import KafkaNetClient

ClientT = TypeVar("ClientT")


def opened(client: Callable[..., ClientT], **config: Any) -> ClientT:
    """Return a consumer or producer; raise KafkaError where no broker answers.

    A constructor that gives up leaves its network thread running and its sockets open. Through a week without a broker that would be ten
    thousand threads, so its inner client is kept hold of until the outer one stands.
    """
    inner: list[Any] = []

    def make(**settings: Any) -> Any:
        inner.append(KafkaNetClient(**settings))
        return inner[-1]

    try:
        return client(kafka_client=make, **config)
    except BaseException:
        for each in inner:
            each.close()
        raise
