"""What must hold after the last step of any scenario: the books balance, and what Kafka was told is what happened."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable

import psycopg

from hub.cli.scenario.answers import redemption_state
from hub.cli.scenario.exchange import Told, read_back
from hub.cli.scenario.hubs import HubProcess
from hub.cli.scenario.model import Difference, ScenarioError
from hub.cli.scenario.stage import Stage
from hub.domain.divisions import COORDINATION, province_of
from hub.domain.money import format_yuan
from hub.ledger.audit import audit
from yrd.clearing.v1 import clearing_pb2

PUBLISH_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.02
_PAGE = 1000


async def check_books(stage: Stage) -> list[Difference]:
    """Return what the auditor finds: a trial balance that is not zero, accounts that the journal does not give."""
    report = await audit(stage.hub.database_url)
    return [Difference(0, "audit", "ledger", "as the journal says", difference) for difference in report.differences]


async def check_events(stage: Stage) -> list[Difference]:
    """Return where the events read back from Kafka do not match the redemptions."""
    try:
        published = await _await_published(stage.hub)
    except TimeoutError as error:
        return [Difference(0, "events", "outbox", "all published", str(error))]
    hub = stage.hub
    told, redemptions = await asyncio.gather(
        asyncio.to_thread(read_back, hub.bootstrap, hub.topic_prefix, published, PUBLISH_SECONDS_MAX), _redemptions(stage)
    )
    found = [Difference(0, "events", event, "in Kafka", "missing") for event in sorted(published - {each.id for each in told})]
    found += _out_of_order(told)
    if not found:
        found = compare(redemptions, told)
    return found


def compare(redemptions: Iterable[clearing_pb2.Redemption], told: Iterable[Told]) -> list[Difference]:
    """Return the redemptions of which a province concerned was told nothing, or something else than what they are."""
    last: dict[tuple[str, str], Told] = {}
    for each in sorted(told, key=lambda each: each.sequence):
        if each.redemption is not None:
            last[each.division, each.redemption.redemption_id] = each
    found = []
    known = set()
    for redemption in redemptions:
        known.add(redemption.redemption_id)
        for division in sorted({province_of(redemption.issuer), province_of(redemption.acquirer)}):
            event = last.get((division, redemption.redemption_id))
            heard = _shown(event.redemption) if event is not None and event.redemption is not None else "no event"
            if heard != _shown(redemption):
                found.append(Difference(0, "events", f"{redemption.order.order_no} to {division}", _shown(redemption), heard))
    for division, redemption_id in sorted(key for key in last if key[1] not in known):
        found.append(Difference(0, "events", f"{redemption_id} to {division}", "no event", "an event of a redemption that is not there"))
    return found


def _shown(redemption: clearing_pb2.Redemption) -> str:
    amounts = {"authorized": redemption.authorized_fen, "subsidy": redemption.subsidy_fen, "refunded": redemption.refunded_fen}
    return ", ".join([redemption_state(redemption), *(f"{name} {format_yuan(fen)}" for name, fen in amounts.items())])


def _out_of_order(told: Iterable[Told]) -> list[Difference]:
    """Return keys whose events came in another order than they happened in; a repeated delivery is none."""
    seen: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for each in told:
        sequences = seen[each.division, each.key]
        if each.sequence not in sequences:
            sequences.append(each.sequence)
    return [
        Difference(0, "events", f"order of {key.decode(errors='replace')} to {division}", "as they happened", str(sequences))
        for (division, key), sequences in seen.items()
        if sequences != sorted(sequences)
    ]


async def _await_published(hub: HubProcess) -> set[str]:
    """Wait until the outbox holds nothing unpublished; return the ids of all its rows that go to a province."""
    deadline = time.monotonic() + PUBLISH_SECONDS_MAX
    async with await psycopg.AsyncConnection.connect(hub.database_url, autocommit=True) as connection:
        while True:
            cursor = await connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            row = await cursor.fetchone()
            if row is None or row[0] == 0:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{row[0]} rows still unpublished after {PUBLISH_SECONDS_MAX:.0f} s")
            await asyncio.sleep(_POLL_SECONDS)
        cursor = await connection.execute("SELECT seq FROM outbox WHERE topic LIKE '%%.out'")
        return {str(seq) for (seq,) in await cursor.fetchall()}


async def _redemptions(stage: Stage) -> list[clearing_pb2.Redemption]:
    found: list[clearing_pb2.Redemption] = []
    token = ""
    while True:
        request = clearing_pb2.ListRedemptionsRequest(page_size=_PAGE, page_token=token)
        result = await stage.cast.send(COORDINATION, "yrd.clearing.v1.ClearingService.ListRedemptions", request)
        if result.refusal is not None:
            raise ScenarioError(f"after the last step: redemptions cannot be listed: {result.code}: {result.refusal.en}")
        page = result.unwrap()
        found += page.redemptions
        token = page.next_page_token
        if not token:
            return found
