"""`deltahub bench fill`: whatever it leaves is a ledger as clearing would have left it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from hub.application.redeeming import AuthorizeCommand, refund_command
from hub.application.settlement import close_window
from hub.cli.filling import Fill, fill, objection
from hub.cli.filling_parties import firms, labs
from hub.cli.main import app
from hub.domain.authorize import Authorize
from hub.domain.clock import local_date
from hub.domain.model import Line, OrderKey, WalletKey
from hub.domain.policy import Category
from hub.domain.review import Refund
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import audit
from tests.fixtures.hub import migrated_database
from tests.fixtures.ledger import Book, code, sent, submit
from tests.support_usecases import COORDINATOR, START, Desk, platform
from yrd.settlement.v1 import settlement_pb2

PROVINCES = ("310000", "320000", "330000", "340000")
REDEMPTIONS = 2_470


class Interrupted(Exception):
    """Stands for Ctrl-C."""


@pytest.fixture
def empty(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    with migrated_database(postgres_server) as uri:
        yield uri


@pytest.fixture(scope="module")
def filled(postgres_server: EmbeddedPostgres) -> Iterator[Book]:
    with migrated_database(postgres_server) as uri:
        _fill(uri)
        yield Book(uri)


def _fill(uri: str, redemptions: int = REDEMPTIONS) -> Fill:
    return fill(uri, redemptions, PROVINCES, START, lambda _done, _total: None)


async def test_it_is_clean_and_has_every_state_of_five_years(filled: Book) -> None:
    report = await audit(filled.uri)
    assert report.clean, report.differences
    assert report.counts["redemption"] == REDEMPTIONS
    states: dict[str, int] = dict(filled.rows("SELECT state, count(*) FROM redemption GROUP BY state"))
    assert set(states) == {"AUTHORIZED", "CLEARED", "SETTLED", "VOIDED", "EXPIRED"}
    assert states["SETTLED"] > REDEMPTIONS * 0.8
    first, last = filled.rows("SELECT min(authorized_at), max(authorized_at) FROM redemption")[0]
    assert last <= START
    assert last - first > timedelta(days=1_700)


def test_nothing_in_it_is_due(filled: Book) -> None:
    today = local_date(START)
    assert filled.one("SELECT count(*) FROM redemption WHERE state = 'AUTHORIZED' AND expires_on <= %s", today) == 0
    assert filled.one("SELECT count(*) FROM voucher WHERE available > 0 AND expires_on <= %s", today) == 0
    assert filled.one("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
    assert filled.one("SELECT count(*) FROM outbox") > 0


_OWED = """
SELECT w.window_id, r.payee, sum(j.amount) FROM journal AS j JOIN redemption AS r USING (redemption_id)
JOIN window_issuer AS w ON w.issuer = j.issuer AND w.window_no = j.window_no WHERE j.cause = 'CLEAR' GROUP BY 1, 2"""


def test_windows_owe_what_was_cleared_in_them(filled: Book) -> None:
    owed = {(window, payee): amount for window, payee, amount in filled.rows(_OWED)}
    kept = {(w, c): amount for w, c, amount in filled.rows("SELECT window_id, creditor, sum(amount) FROM obligation GROUP BY 1, 2")}
    assert owed == kept
    assert filled.one("SELECT count(*) FROM net_position") > 0
    assert filled.one("SELECT count(*) FROM redemption WHERE window_no > 0") == filled.one("SELECT count(*) FROM invoice_use")


def test_every_command_has_its_record(filled: Book) -> None:
    commands = filled.one("SELECT count(*) FROM journal WHERE cause IN ('AUTHORIZE', 'CLEAR')")
    voids = filled.one("SELECT count(*) FROM redemption WHERE state = 'VOIDED'")
    assert filled.one("SELECT count(*) FROM idempotency") == commands + voids
    assert filled.one("SELECT count(DISTINCT get_byte(uuid_send(request_id), 0) / 16) FROM idempotency") == 16


async def test_clearing_and_closing_go_on_in_it(filled: Book) -> None:
    firm, lab = firms(PROVINCES, 1)[0], labs(PROVINCES, 1)[0]
    held = filled.one("SELECT enterprise FROM voucher WHERE issuer = %s AND available >= 1000 LIMIT 1", firm.issuer)
    order = Authorize(WalletKey(firm.issuer, held), OrderKey(lab.uscc, "AFTER"), (Line(Category.RESEARCH, 2_000, ()),), str(uuid.uuid4()))
    async with filled.committer() as committer:
        assert code(await submit(committer, sent(AuthorizeCommand(order), platform(lab.home)))) == "OK"
    desk = Desk(filled.uri)
    try:
        closed = await desk.do(close_window, COORDINATOR, settlement_pb2.CloseWindowRequest())
    finally:
        await desk.work.close()
    assert not closed.window.obligations
    assert (await audit(filled.uri)).clean


async def test_refunds_of_what_was_filled_are_carried(filled: Book) -> None:
    """Its windows have higher numbers than those that are closed after it: the auditor takes no order from them."""
    key, acquirer, payee = filled.rows("SELECT redemption_id::text, acquirer, payee FROM redemption WHERE state = 'SETTLED' LIMIT 1")[0]
    async with filled.committer() as committer:
        assert code(await submit(committer, sent(refund_command(Refund(key, 1_000)), platform(acquirer)))) == "OK"
    desk = Desk(filled.uri)
    try:
        await desk.do(close_window, COORDINATOR, settlement_pb2.CloseWindowRequest())
    finally:
        await desk.work.close()
    assert filled.one("SELECT amount FROM carry WHERE creditor = %s", payee) < 0
    report = await audit(filled.uri)
    assert report.clean, report.differences


async def test_the_smallest_fill_is_clean(empty: str) -> None:
    """Its few chunks are years apart; still no authorization outlives its days, and no note its year."""
    _fill(empty, 50)
    report = await audit(empty)
    assert report.clean, report.differences
    assert report.counts["redemption"] == 50


def _versions(uri: str) -> dict[str, int]:
    return dict(Book(uri).rows("SELECT issuer || enterprise, version FROM wallet"))


async def test_a_second_fill_adds_to_the_first(empty: str) -> None:
    _fill(empty, 333)
    before = _versions(empty)
    _fill(empty, 333)
    report = await audit(empty)
    after = _versions(empty)
    assert all(after[wallet] > version for wallet, version in before.items()), "a hub that knows these wallets must read them again"
    assert report.clean, report.differences
    assert report.counts["redemption"] == 666


async def test_interrupted_it_leaves_a_clean_part(empty: str) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done > REDEMPTIONS // 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        fill(empty, REDEMPTIONS, PROVINCES, START, interrupt)
    report = await audit(empty)
    assert report.clean, report.differences
    assert REDEMPTIONS // 3 < report.counts["redemption"] < REDEMPTIONS


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, empty: str) -> Any:
    monkeypatch.setenv("DELTAHUB_DATABASE_URL", empty)
    monkeypatch.setenv("DELTAHUB_PROVINCES", json.dumps(PROVINCES))
    return lambda *arguments: CliRunner().invoke(app, ["bench", "fill", *arguments])


def _redemptions(uri: str) -> int:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT count(*) FROM redemption").fetchone()
    assert row is not None
    return int(row[0])


def test_the_command_says_how_far_it_is_and_what_it_did(command: Any, empty: str) -> None:
    done = command("240", "--json")
    assert done.exit_code == 0, done.output
    assert "240 of 240 redemptions" in done.stderr
    assert json.loads(done.stdout)["redemptions"] == _redemptions(empty) == 240
    assert command("60").exit_code == 0, "what a benchmark made before is no reason to refuse"


def test_the_command_refuses_what_is_somebodys_own(command: Any, empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute(
            "INSERT INTO enterprise (uscc, name, division, kind, sme_no, staff, registered_at) "
            "VALUES ('91310118MA1JTERT16', '某某公司', '310118', 'TECH_SME', '', 3, now())"
        )
        connection.commit()
        assert objection(connection) is not None
    refused = command("60")
    assert refused.exit_code == 2
    assert "1 enterprises that no benchmark made; with --yes" in refused.stderr
    assert _redemptions(empty) == 0
    assert command("60", "--yes").exit_code == 0
    assert _redemptions(empty) == 60


def test_the_command_refuses_beside_a_production_identity(command: Any, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELTAHUB_IDENTITY_DIR", "/etc/deltahub")
    refused = command("60")
    assert refused.exit_code == 2
    assert "production identity" in refused.stderr
    assert _redemptions(empty) == 0
