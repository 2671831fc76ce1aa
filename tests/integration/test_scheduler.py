"""The scheduler of a running hub sums the accounts and forgets old answers, while the hub goes on (role `scheduler`)."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.forked import DOORS, Ground
from tests.fixtures.messaging import until
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.settlement.v1 import settlement_pb2

AUTHORIZE = f"{delta.CLEARING}.Authorize"


def _one(uri: str, statement: str) -> Any:
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


async def test_the_scheduler_keeps_the_ledgers_house(ground: Ground) -> None:
    firm = ground.firms(delta.CHANGXING)[0]
    request = delta.authorize(delta.CHANGXING, firm, delta.SHANGHAI_LAB, "HT-1", 10_000)
    position = settlement_pb2.GetIssuerPositionRequest(issuer=delta.CHANGXING)
    with ground.database() as uri:
        async with ground.hub(uri) as hub:
            made: pb.AuthorizeResponse = await hub.call(delta.SHANGHAI, AUTHORIZE, request)
            before = await hub.call(delta.CHANGXING, f"{delta.SETTLEMENT}.GetIssuerPosition", position)
        assert _one(uri, "SELECT until_seq FROM account_sum_until") == 0
        await asyncio.to_thread(
            _one, uri, "WITH u AS (UPDATE idempotency SET at = at - interval '31 days' RETURNING 1) SELECT count(*) FROM u"
        )
        async with ground.hub(uri, *DOORS, "scheduler", SWEEP_SECONDS="0.2", IDEMPOTENCY_DAYS="30") as hub:
            await until(lambda: _one(uri, "SELECT count(*) FROM idempotency WHERE body IS NOT NULL") == 0, "old answers to be forgotten")
            await until(lambda: bool(_one(uri, "SELECT until_seq = (SELECT max(seq) FROM journal) FROM account_sum_until")), "the accounts")
            again = await (await hub.wire(delta.SHANGHAI)).ask(AUTHORIZE, request)
            assert again.code == "ANSWER_NOT_KEPT"
            listed = pb.ListRedemptionsRequest(provider=delta.SHANGHAI_LAB, order_no="HT-1")
            found = (await hub.call(delta.SHANGHAI, f"{delta.CLEARING}.ListRedemptions", listed)).redemptions
            assert [item.redemption_id for item in found] == [made.redemption.redemption_id]
            assert await hub.call(delta.CHANGXING, f"{delta.SETTLEMENT}.GetIssuerPosition", position) == before
        report = await audit(uri)
    assert report.clean, report.differences
