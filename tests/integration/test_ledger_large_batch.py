"""Batches larger than what a socket takes at once: they went round in a circle of two waits before `flush` was written."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, date, datetime

import psycopg
import pytest

from hub.application.commands import LedgerCommand
from hub.application.ids import time_ordered_uuid
from hub.application.issuing import IssueCommand
from hub.application.redeeming import AuthorizeCommand, capture_command
from hub.codec.outcome import Outcome
from hub.codec.policies import encode_policy
from hub.domain.authorize import Authorize
from hub.domain.caller import Caller, Role
from hub.domain.capture import Capture
from hub.domain.clock import SimulatedClock
from hub.domain.issue import IssueItem
from hub.domain.model import Line, OrderKey, WalletKey
from hub.domain.policy import Category, CategoryRule, EvidenceKind, Mode, Policy, RecognitionDefault, RecognitionRule
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.committer import BATCH_ITEMS_MAX, GroupCommitter
from tests.fixtures.hub import migrated_database

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ISSUER = Caller("issuer", "310000", Role.PLATFORM)
ACQUIRER = Caller("acquirer", "320000", Role.PLATFORM)


def _reference_data(url: str, firms: list[str]) -> None:
    policy = Policy(
        issuer="310000",
        version="v",
        effective_from=date(2026, 1, 1),
        mode=Mode.PRE_SUBSIDY,
        annual_cap_fen=10**9,
        categories={Category.RESEARCH: CategoryRule(5_000)},
        recognition=RecognitionRule(RecognitionDefault.POOL),
    )
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO policy (issuer, version, effective_from, body, published_at, published_by) "
            "VALUES ('310000', 'v', '2026-01-01', %s, now(), 'x')",
            (encode_policy(policy).SerializeToString(),),
        )
        connection.cursor().executemany(
            "INSERT INTO enterprise (uscc, name, division, kind, sme_no, staff, registered_at) "
            "VALUES (%s, 'n', '310000', 'TECH_SME', 'x', 1, now())",
            [(firm,) for firm in firms],
        )
        connection.execute(
            "INSERT INTO registry.provider (uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by) "
            "VALUES ('P', 'n', '320000', '{RESEARCH}', '2026-01-01', 0, now(), 'x')"
        )


@pytest.mark.parametrize("items", [BATCH_ITEMS_MAX * 3])
async def test_a_full_batch_commits(postgres_server: EmbeddedPostgres, items: int) -> None:
    with migrated_database(postgres_server) as url:
        await _commit_full_batches(url, items)


async def _commit_full_batches(url: str, items: int) -> None:
    firms = [f"E{number:017d}" for number in range(items)]
    _reference_data(url, firms)
    committer = GroupCommitter(url, SimulatedClock(NOW))
    running = asyncio.create_task(committer.run())
    try:
        async with asyncio.timeout(60):
            issues = [IssueCommand("310000", (IssueItem(firm, 100_000, 10),)) for firm in firms]
            assert all(o.ok for o in await asyncio.gather(*(_submit(committer, item, ISSUER) for item in issues)))
            ids = [time_ordered_uuid(NOW) for _ in firms]
            orders = [
                AuthorizeCommand(
                    Authorize(WalletKey("310000", firm), OrderKey("P", f"o{firm}"), (Line(Category.RESEARCH, 900_000),), redemption)
                )
                for firm, redemption in zip(firms, ids, strict=True)
            ]
            assert all(o.ok for o in await asyncio.gather(*(_submit(committer, item, ACQUIRER) for item in orders)))
            captures = [
                capture_command(Capture(redemption, f"i{redemption}", date(2026, 3, 1), (EvidenceKind.INVOICE,))) for redemption in ids
            ]
            assert all(o.ok for o in await asyncio.gather(*(_submit(committer, item, ACQUIRER) for item in captures)))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    report = await audit(url)
    assert report.clean, report.differences
    assert report.counts["redemption"] == items


async def _submit(committer: GroupCommitter, command: LedgerCommand, caller: Caller) -> Outcome:
    return await committer.submit(command, caller, request_id=str(uuid.uuid4()), digest=b"digest")
