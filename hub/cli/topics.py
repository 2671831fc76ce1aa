"""`deltahub topics`: the topics of the exchange and the rights to them."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from kafka.errors import KafkaError

from hub.messaging.acls import apply_grants, plan_grants, shell_lines
from hub.messaging.admin import ensure_topics
from hub.messaging.consumer import GROUP
from hub.messaging.topics import TopicPlan
from hub.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="make")(make)
    app.command(name="acl")(acl)


def make() -> None:
    """Make the topics that are missing, as relay and consumer do at their start, and print their names.

    Exit 0: all are there; 2: Kafka does not answer or does not allow it.
    """
    settings = _settings()
    try:
        created = ensure_topics(settings.kafka_bootstrap, settings.kafka_config, _plan(settings))
    except KafkaError as error:
        raise _problem(f"Kafka: {error}") from error
    for name in created:
        typer.echo(name)


def acl(
    principal: Annotated[list[str] | None, typer.Option(help="330000=User:name, where a province's is not User:<prefix>-<code>")] = None,
    hub: Annotated[str, typer.Option(help="Principal of the hub's own roles")] = "User:deltahub",
    apply: Annotated[bool, typer.Option("--apply", help="Have Kafka keep them, as the principal of DELTAHUB_KAFKA_CONFIG")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON")] = False,
) -> None:
    """Print who may do what in Kafka: each province its own topics only. With --apply, have Kafka keep it; entries it has stay.

    Needs DELTAHUB_KAFKA_BOOTSTRAP. Prints calls of kafka-acls.sh. Exit 0: done; 2: Kafka does not take them, or a principal is wrong.
    """
    settings = _settings()
    try:
        named = dict(each.split("=", 1) for each in principal or ())
    except ValueError as error:
        raise _problem("--principal reads <province>=User:<name>") from error
    try:
        grants = plan_grants(_plan(settings), named, hub, GROUP)
        if apply:
            apply_grants(settings.kafka_bootstrap, settings.kafka_config, grants)
    except ValueError as error:
        raise _problem(str(error)) from error
    except KafkaError as error:
        raise _problem(f"Kafka does not take the entries: {error}") from error
    if as_json:
        typer.echo(json.dumps({"applied": apply, "grants": [grant._asdict() for grant in grants]}))
        return
    for line in shell_lines(settings.kafka_bootstrap, grants):
        typer.echo(line)


def _settings() -> Settings:
    settings = Settings()
    if not settings.kafka_bootstrap:
        raise _problem("set DELTAHUB_KAFKA_BOOTSTRAP=host:port")
    return settings


def _plan(settings: Settings) -> TopicPlan:
    return TopicPlan(settings.topic_prefix, tuple(settings.provinces), partitions=settings.partitions)


def _problem(message: str) -> typer.Exit:
    typer.secho(f"deltahub: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)
