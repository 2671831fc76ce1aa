"""The auditor finds whatever does not follow from the journal, says which check found it, and tells only the first of many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from hub.cli.filling import fill
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import CHECKS, SHOWN_MAX, audit
from hub.ledger.connection import sqlalchemy_url
from hub.ledger.summing import close_sums
from tests.fixtures.hub import migrated_template
from tests.fixtures.postgres import fresh_database
from tests.support_usecases import START

_DRAWN = "note_id = (SELECT min(note_id) FROM voucher WHERE redeemed > 1)"
_CLEARED = "redemption_id = (SELECT redemption_id FROM redemption WHERE state = 'CLEARED' ORDER BY 1 LIMIT 1)"

TAMPERED = {
    "accounts not negative": [
        "UPDATE journal SET debit = 'returned' WHERE seq = (SELECT max(seq) FROM journal WHERE cause = 'AUTHORIZE' AND issuer = "
        "(SELECT issuer FROM journal GROUP BY issuer ORDER BY issuer LIMIT 1))",
        "DELETE FROM journal WHERE cause = 'EXPIRE'",
    ],
    "closed sums": ["UPDATE account_sum SET amount = amount + 1 WHERE account = 'paid'"],
    "notes of a transfer add up": ["UPDATE journal SET note_amounts[1] = note_amounts[1] - 1 WHERE seq = (SELECT min(seq) FROM journal)"],
    "notes": [f"UPDATE voucher SET redeemed = redeemed - 1, returned = returned + 1 WHERE {_DRAWN}"],
    "trial balance": [f"UPDATE voucher SET redeemed = redeemed - 1, returned = returned + 1 WHERE {_DRAWN}"],
    "quotas": ["UPDATE quota SET used = used + 1 WHERE used = (SELECT max(used) FROM quota)"],
    "orders": [
        "UPDATE service_order SET committed_total = committed_total - 1 "
        "WHERE committed_total = (SELECT max(committed_total) FROM service_order)"
    ],
    "redemptions": [f"UPDATE redemption SET subsidy = subsidy - 1 WHERE {_CLEARED}"],
    "invoices": ["UPDATE invoice SET order_no = 'another' WHERE invoice_no = (SELECT min(invoice_no) FROM invoice)"],
    "settled windows": ["UPDATE obligation SET paid_at = now() WHERE paid_at IS NULL"],
    "net positions": [
        "UPDATE net_position SET amount = amount + 1 WHERE window_id = (SELECT min(window_id::text)::uuid FROM net_position)"
    ],
}


@pytest.fixture(scope="module")
def template(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    name = "audited"
    uri = postgres_server.create_database(name, migrated_template(postgres_server))
    fill(uri, 600, ("310000", "320000", "330000"), START, lambda _done, _total: None)
    asyncio.run(_close(uri))
    yield name
    postgres_server.drop_database(name)


async def _close(uri: str) -> None:
    engine = create_async_engine(sqlalchemy_url(uri))
    assert await close_sums(engine) > 0
    await engine.dispose()


@pytest.fixture
def ledger(postgres_server: EmbeddedPostgres, template: str) -> Iterator[str]:
    with fresh_database(postgres_server, template) as uri:
        yield uri


def test_every_check_is_tampered_with() -> None:
    assert set(TAMPERED) == {name for name, _ in CHECKS}


@pytest.mark.parametrize("check", TAMPERED)
async def test_what_does_not_follow_is_found(ledger: str, check: str) -> None:
    assert (await audit(ledger)).clean
    with psycopg.connect(ledger) as connection:
        changed = [connection.execute(statement.encode()).rowcount for statement in TAMPERED[check]]
    assert all(changed)
    report = await audit(ledger)
    assert not report.clean
    assert check in {difference.partition(":")[0] for difference in report.differences}


async def test_of_many_only_the_first_are_told_and_the_rest_counted(ledger: str) -> None:
    with psycopg.connect(ledger) as connection:
        changed = connection.execute("UPDATE quota SET used = used + 1").rowcount
    report = await audit(ledger)
    assert changed > SHOWN_MAX
    assert len(report.differences) == SHOWN_MAX + 1
    assert report.differences[-1] == f"quotas: and {changed - SHOWN_MAX} more"
