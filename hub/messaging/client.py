"""The three Kafka clients (producer, consumer, administration): opened with settings from one set that an operator gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.net.compat import KafkaNetClient

_CLIENTS = (KafkaAdminClient, KafkaConsumer, KafkaProducer)


def settings_for(client: Any, bootstrap: str, defaults: Mapping[str, Any], client_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for `client`: `defaults`, overruled by those of `client_config` that it knows.

    Raise ValueError if a setting is known to none of the clients: a misspelt TLS setting must not be passed over.
    """
    unknown = [name for name in client_config if not any(name in each.DEFAULT_CONFIG for each in _CLIENTS)]
    if unknown:
        raise ValueError(f"no Kafka client knows the setting {', '.join(sorted(unknown))}")
    own = {name: value for name, value in client_config.items() if name in client.DEFAULT_CONFIG}
    return {"bootstrap_servers": bootstrap, **defaults, **own}


def opened(client: Callable[..., Any], bootstrap: str, defaults: Mapping[str, Any], client_config: Mapping[str, Any], *topics: str) -> Any:
    """Open a client; `topics` are what a consumer subscribes to. Raises kafka.errors.KafkaError where no broker answers.

    A constructor that gives up leaves its network thread running and its sockets open: tens of thousands in a week without a broker. So
    its inner client is kept hold of until the outer one stands, and closed where it does not.
    """
    inner: list[Any] = []

    def make(**settings: Any) -> Any:
        inner.append(KafkaNetClient(**settings))
        return inner[-1]

    try:
        return client(*topics, kafka_client=make, **settings_for(client, bootstrap, defaults, client_config))
    except BaseException:
        for each in inner:
            each.close()
        raise
