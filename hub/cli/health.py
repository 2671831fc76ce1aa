"""`deltahub health`: what a probe asks."""

from __future__ import annotations

import psycopg

from hub.cli.supervisor import listens
from hub.settings import Settings

_SECONDS = 3


def check_health(settings: Settings, role: str) -> str | None:
    """Return what is wrong with a role, or None.

    Servers must accept connections; the others are healthy while what they work on answers, since they retry by themselves.
    """
    if role in ("hub", "web"):
        address = settings.grpc_address if role == "hub" else settings.web_address
        port = address.rpartition(":")[2]
        return None if listens(f"127.0.0.1:{port}") else f"{role} does not accept connections on port {port}"
    if role not in ("relay", "consumer", "scheduler"):
        return f"there is no role {role}"
    if not settings.database_url:
        return "DELTAHUB_DATABASE_URL is empty"
    try:
        psycopg.connect(settings.database_url, connect_timeout=_SECONDS).close()
    except psycopg.OperationalError as error:
        return f"the database does not answer: {error}"
    if role != "scheduler" and not any(listens(address.strip()) for address in settings.kafka_bootstrap.split(",")):
        return "no Kafka bootstrap address accepts connections"
    return None
