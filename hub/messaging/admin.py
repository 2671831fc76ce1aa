"""Makes the topics. The only place that talks to Kafka's administration interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from hub.messaging.client import opened
from hub.messaging.topics import TopicPlan

_DAY_MS = 24 * 3600 * 1000


def ensure_topics(bootstrap: str, client_config: Mapping[str, Any], plan: TopicPlan) -> list[str]:
    """Create the topics of `plan` that are missing and return their names. Blocks; raises kafka.errors.KafkaError.

    Partitions of a topic that exists are left alone: changing their number would move keys and break the order per key.
    """
    client = opened(KafkaAdminClient, bootstrap, {"bootstrap_timeout_ms": 5_000}, client_config)
    try:
        missing = sorted(set(plan.names()) - set(client.list_topics()))
        created = [name for name in missing if _create(client, name, plan)]
        # Those that another replica is making this moment count as well.
        client.wait_for_topics(missing)
        return created
    finally:
        client.close()


def _create(client: Any, name: str, plan: TopicPlan) -> bool:
    # One by one: another replica may be making the same topics, and one that exists fails the whole request.
    settings = {"retention.ms": str(plan.retention_days * _DAY_MS)}
    try:
        client.create_topics([NewTopic(name, plan.partitions, plan.replication_factor, topic_configs=settings)])
    except TopicAlreadyExistsError:
        return False
    return True
