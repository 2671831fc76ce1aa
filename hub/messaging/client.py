"""Settings of the three Kafka clients (producer, consumer, administration) from one set that an operator gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

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
