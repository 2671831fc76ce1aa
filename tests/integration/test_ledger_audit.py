"""The auditor finds whatever does not follow from the journal, names it, and raises no alarm over what does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import CHECKS, SHOWN_MAX, audit
from hub.ledger.audit.report import look
from tests.fixtures.history import play
from tests.fixtures.ledger import Book
from tests.fixtures.tampered import CASES

_NAME = "audited"
_STATES = {"AUTHORIZED", "PENDING_REVIEW", "HELD", "CLEARED", "SETTLED", "VOIDED", "EXPIRED", "REJECTED", "REFUNDED"}
_CAUSES = {"ISSUE", "AUTHORIZE", "RELEASE", "CLEAR", "FORFEIT", "REFUND", "EXPIRE", "CANCEL", "PAY"}


@pytest.fixture(scope="module")
def ledger(postgres_server: EmbeddedPostgres, furnished: str) -> Iterator[Book]:
    uri = postgres_server.create_database(_NAME, furnished)
    asyncio.run(play(uri))
    yield Book(uri)
    postgres_server.drop_database(_NAME)


@pytest.fixture
async def connection(ledger: Book) -> AsyncIterator[AsyncConnection[Any]]:
    """A transaction that is undone."""
    async with await AsyncConnection.connect(ledger.uri) as made:
        yield made
        await made.rollback()


async def test_a_history_of_everything_is_clean(ledger: Book) -> None:
    assert {row[0] for row in ledger.rows("SELECT DISTINCT state FROM redemption")} == _STATES
    assert {row[0] for row in ledger.rows("SELECT DISTINCT cause FROM journal")} == _CAUSES
    assert ledger.one("SELECT count(*) FROM settlement_window") >= 3
    assert ledger.one("SELECT count(*) FROM carry") > 0
    assert ledger.one("SELECT count(*) FROM voucher WHERE counted_year > 0") > 0
    assert ledger.one("SELECT count(*) FROM idempotency WHERE body IS NULL") > 0
    assert 0 < ledger.one("SELECT until_seq FROM account_sum_until") < ledger.one("SELECT max(seq) FROM journal")
    assert ledger.one("SELECT count(*) FROM journal WHERE cause = 'REFUND' AND debit = 'paid'") > 0
    assert ledger.one("SELECT count(*) FROM journal WHERE amount = 0") > 0
    assert ledger.one("SELECT count(*) FROM service_order WHERE order_no = 'reserved'") == 1
    report = await audit(ledger.uri)
    assert report.clean, report.differences


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_what_does_not_follow_is_found_and_named(connection: AsyncConnection[Any], case: Any) -> None:
    changed = await (await connection.execute(case.statement.encode())).fetchall()
    assert changed
    report = await look(connection)
    told = [difference for difference in report.differences if difference.startswith(f"{case.check}: ") and case.says in difference]
    assert any(str(changed[0][0]) in difference for difference in told), report.differences
    assert not [difference for difference in report.differences if "None" in difference]


def test_every_check_is_tampered_with() -> None:
    assert {case.check for case in CASES.values()} == set(CHECKS)


async def test_of_many_only_the_first_are_told_and_the_rest_counted(connection: AsyncConnection[Any]) -> None:
    changed = (await connection.execute("UPDATE journal SET committed = 1 WHERE cause IN ('EXPIRE', 'PAY')")).rowcount
    report = await look(connection)
    told = [difference for difference in report.differences if difference.startswith("transfers: ")]
    assert changed > SHOWN_MAX
    assert len(told) == SHOWN_MAX + 1
    assert told[-1] == f"transfers: and {changed - SHOWN_MAX} more"
