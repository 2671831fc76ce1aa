"""Real servers from wheels, for one machine without Docker or root: PostgreSQL 18 and a Kafka-compatible broker."""

from hub.embedded.kafka import EmbeddedKafka
from hub.embedded.lifeline import Lifeline
from hub.embedded.postgres import EmbeddedPostgres, EmbeddedServerError

__all__ = ["EmbeddedKafka", "EmbeddedPostgres", "EmbeddedServerError", "Lifeline"]
