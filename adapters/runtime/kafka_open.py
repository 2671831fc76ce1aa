"""Opening kafka-python clients: one that fails to reach a broker is taken apart again, as its own constructor does not do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer
from kafka.net.compat import KafkaNetClient

ClientT = TypeVar("ClientT")


def known_to(client: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a client knows: one set is given for both directions, and some are about groups or batches only.

    Raise ValueError for one that neither client knows: a misspelt TLS setting must not be passed over.
    """
    unknown = [name for name in config if name not in KafkaConsumer.DEFAULT_CONFIG and name not in KafkaProducer.DEFAULT_CONFIG]
    if unknown:
        raise ValueError(f"no Kafka client knows the setting {', '.join(sorted(unknown))}")
    return {name: value for name, value in config.items() if name in client.DEFAULT_CONFIG}


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
