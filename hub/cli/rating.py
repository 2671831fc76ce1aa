"""`deltahub pool rate`: all ratings anew, and the list of quality providers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from typing import Annotated

import psycopg
import typer
from google.protobuf.json_format import MessageToDict
from sqlalchemy.exc import OperationalError

from hub.application.sweeping import SCHEDULER
from hub.cli.embedded import embedded
from hub.cli.pool_work import working
from hub.codec.outcome import refusal_of
from hub.settings import Settings
from registry.quality.rating import rate_pool
from yrd.registry.v1 import quality_pb2 as pb


def rate(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False) -> None:
    """Rate every provider by what the ledger says of its orders, and bring the list of quality providers in line.

    The scheduler does so once a day; running it again changes nothing. Exit 0: done; 2: the database cannot be reached.
    """
    try:
        with embedded(Settings(), kafka=False) as settings:
            done = asyncio.run(_rate(settings))
    except (OperationalError, psycopg.OperationalError) as error:
        typer.secho(f"deltahub: the database does not answer: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
    if as_json:
        told = MessageToDict(done, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(
        f"formula {done.formula_version}: {done.providers} providers with orders, {done.changed} ratings changed, "
        f"{done.listed} onto the list of quality providers, {done.delisted} off it"
    )


async def _rate(settings: Settings) -> pb.RatePoolResponse:
    request = pb.RatePoolRequest(request_id=str(uuid.uuid4()))
    digest = hashlib.sha256(request.SerializeToString()).digest()
    async with working(settings) as work:
        outcome = await work.mutate(rate_pool, SCHEDULER, request, request_id=request.request_id, digest=digest)
    assert outcome.ok, refusal_of(outcome)
    return pb.RatePoolResponse.FromString(outcome.body)
