"""The embedded parts of one machine: PostgreSQL and a Kafka broker, started where no server is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from hub.settings import Settings


@contextmanager
def embedded(settings: Settings, *, kafka: bool) -> Iterator[Settings]:
    """Yield settings in which every server has an address. What was started here stops at the end; PostgreSQL's files stay."""
    with ExitStack() as stack:
        changes: dict[str, str] = {}
        if not settings.database_url:
            from hub.embedded import EmbeddedPostgres
            from hub.ledger.migrate import migrate

            server = stack.enter_context(EmbeddedPostgres(settings.data_dir / "postgres"))
            changes["database_url"] = server.uri()
            migrate(changes["database_url"])
        if kafka and not settings.kafka_bootstrap:
            from hub.embedded import EmbeddedKafka

            broker = EmbeddedKafka()
            broker.start()
            stack.callback(broker.stop)
            changes["kafka_bootstrap"] = broker.bootstrap
        yield settings.model_copy(update=changes)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a child process these settings."""
    values = settings.model_dump(mode="json", exclude_none=True)
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, (dict, list)):
            found[f"DELTAHUB_{name.upper()}"] = json.dumps(value)
        else:
            found[f"DELTAHUB_{name.upper()}"] = str(value)
    return found
