"""Reference data in a committer's memory is never older than what is stored, whichever table changed, by hand or by another process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import psycopg
import pytest

from hub.application.enterprises import register_enterprise
from hub.application.policies import publish_policy
from hub.application.transaction import Transaction
from hub.domain.clock import local_date
from hub.ledger.committer import GroupCommitter
from registry.admission.direct import admit_provider
from registry.admission.standing import suspend_provider
from registry.credit.negative_list import sanction_enterprise
from registry.quality.store import begin_listing
from tests.fixtures import delta, recognition
from tests.fixtures.ledger import ANNUAL_CAP_FEN, FIRMS, Book, authorizing, code, submit
from tests.support_usecases import COORDINATOR, START, Desk, platform
from yrd.common.v1 import types_pb2
from yrd.credit.v1 import credit_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import quality_pb2, registry_pb2

ISSUER, LAB, FIRM = delta.CHANGXING, delta.SHANGHAI_LAB, FIRMS[0]
TODAY = local_date(START)
RATING = 400

Act = Callable[[Desk], Awaitable[None]]


def _policy(version: str) -> policy_pb2.Policy:
    made = delta.policy(ISSUER, ANNUAL_CAP_FEN)
    made.version, made.effective_from = version, "2026-01-01"
    return made


def _covering_nothing_tested() -> policy_pb2.Policy:
    made = _policy("2026-B")
    made.categories[0].category = types_pb2.CATEGORY_DATA
    return made


async def _publish(desk: Desk, policy: policy_pb2.Policy) -> None:
    await desk.do(publish_policy, platform(ISSUER), policy_pb2.PublishPolicyRequest(policy=policy))


async def _nothing(desk: Desk) -> None:
    """Leave the world as it is furnished: the issuer pays the whole pool."""


async def _listed(desk: Desk) -> None:
    made = _policy("2026-A")
    made.recognition.default = policy_pb2.RECOGNITION_DEFAULT_LISTED
    await _publish(desk, made)


async def _of_class(desk: Desk, **conditions: Any) -> None:
    await _listed(desk)
    await recognition.set_class(desk, recognition.klass(ISSUER, **conditions))


async def _suspend(desk: Desk) -> None:
    request = registry_pb2.SuspendProviderRequest(provider=LAB, reason="x")
    await desk.do(suspend_provider, platform(delta.LABS[LAB]), request)


async def _rate(desk: Desk) -> None:
    lab = delta.provider(LAB, delta.LABS[LAB])
    lab.rating = RATING
    await desk.do(admit_provider, platform(lab.home), registry_pb2.AdmitProviderRequest(provider=lab))


async def _sanction(desk: Desk) -> None:
    request = credit_pb2.SanctionEnterpriseRequest(enterprise=FIRM, reason="x")
    await desk.do(sanction_enterprise, platform(delta.ZHEJIANG), request)


async def _register(desk: Desk) -> None:
    firm = delta.firm(FIRM, ISSUER)
    firm.kind = types_pb2.ENTERPRISE_KIND_TEAM
    await desk.do(register_enterprise, platform(ISSUER), participant_pb2.RegisterEnterpriseRequest(enterprise=firm))


async def _list_quality(desk: Desk) -> None:
    async def as_rated(tx: Transaction, request: quality_pb2.RatePoolRequest) -> quality_pb2.RatePoolResponse:
        await begin_listing(tx.session, LAB, tx.today)
        return quality_pb2.RatePoolResponse()

    await desk.do(as_rated, COORDINATOR, quality_pb2.RatePoolRequest())


class Change(NamedTuple):
    """What changes: the table, the statement, the same as a use case, the world it is in, and what an authorization is told."""

    table: str
    statement: str
    by_use_case: Act
    before: str
    after: str
    world: Act = _nothing


_NEW_CLASS = (
    "INSERT INTO registry.class_recognition (class_id, issuer, home, category, min_rating, quality_listed, require_agreement, valid_from,"
    " entered_by, entered_at, ended_by, ended_reason)"
    " VALUES (gen_random_uuid(), %(issuer)s, '', '', 0, false, false, %(today)s, %(issuer)s, now(), '', '')"
)
_NEW_AGREEMENT = (
    "INSERT INTO registry.agreement (issuer, number, provider, platform_division, platform_name, document_sha256, signed_on, entered_by,"
    " entered_at, ended_by, ended_reason) VALUES (%(issuer)s, 'XY-1', %(lab)s, %(issuer)s, 'x', 'x', %(today)s, %(issuer)s, now(), '', '')"
)
_NEW_SUSPENSION = (
    "INSERT INTO registry.suspension (provider, since, reason, entered_by, ended_by, ended_reason)"
    " VALUES (%(lab)s, %(today)s, 'x', '310000', '', '')"
)
_NEW_SANCTION = (
    "INSERT INTO registry.negative_list (enterprise, since, reason, entered_by, ended_by, ended_reason)"
    " VALUES (%(firm)s, %(today)s, 'x', '330000', '', '')"
)
_NEW_RECOGNITION = (
    "INSERT INTO registry.recognition (issuer, provider, valid_from, agreement, entered_by)"
    " VALUES (%(issuer)s, %(lab)s, %(today)s, false, %(issuer)s)"
)
_NEW_POLICY = (
    "INSERT INTO policy (issuer, version, effective_from, body, published_at, published_by)"
    " VALUES (%(issuer)s, 'by hand', '2026-01-01', %(policy)s, now(), %(issuer)s)"
)
_UNLISTED = "PROVIDER_NOT_RECOGNIZED"

CHANGES = (
    Change("policy", _NEW_POLICY, lambda desk: _publish(desk, _covering_nothing_tested()), "OK", "CATEGORY_NOT_COVERED"),
    Change("enterprise", "UPDATE enterprise SET kind = 'TEAM' WHERE uscc = %(firm)s", _register, "OK", "ENTERPRISE_NOT_ELIGIBLE"),
    Change("registry.negative_list", _NEW_SANCTION, _sanction, "OK", "ENTERPRISE_SANCTIONED"),
    Change("registry.suspension", _NEW_SUSPENSION, _suspend, "OK", "PROVIDER_SUSPENDED"),
    Change(
        "registry.provider",
        "UPDATE registry.provider SET rating = %(rating)s WHERE uscc = %(lab)s",
        _rate,
        _UNLISTED,
        "OK",
        lambda desk: _of_class(desk, min_rating=RATING),
    ),
    Change("registry.recognition", _NEW_RECOGNITION, lambda desk: recognition.name(desk, ISSUER, LAB), _UNLISTED, "OK", _listed),
    Change("registry.class_recognition", _NEW_CLASS, lambda desk: _of_no_condition(desk), _UNLISTED, "OK", _listed),
    Change(
        "registry.agreement",
        _NEW_AGREEMENT,
        lambda desk: _sign(desk),
        _UNLISTED,
        "OK",
        lambda desk: _of_class(desk, require_agreement=True),
    ),
    Change(
        "registry.quality_listing",
        "INSERT INTO registry.quality_listing VALUES (%(lab)s, %(today)s)",
        _list_quality,
        _UNLISTED,
        "OK",
        lambda desk: _of_class(desk, quality_listed=True),
    ),
)
_each = pytest.mark.parametrize("change", CHANGES, ids=[change.table for change in CHANGES])


async def _of_no_condition(desk: Desk) -> None:
    await recognition.set_class(desk, recognition.klass(ISSUER, home=delta.LABS[LAB]))


async def _sign(desk: Desk) -> None:
    await recognition.sign(desk, recognition.agreement(ISSUER, LAB))


class Clearing:
    """A committer that has cleared for the firm at the laboratory before, and a desk that is another process."""

    def __init__(self, book: Book, committer: GroupCommitter, desk: Desk) -> None:
        self.book, self.desk = book, desk
        self._committer = committer
        self._orders = 0

    async def authorize(self) -> str:
        """Authorize on the next order; return OK or the code."""
        self._orders += 1
        return code(await submit(self._committer, authorizing(ISSUER, FIRM, LAB, f"HT-{self._orders}", 1_000)))

    def by_hand(self, connection: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
        values = {"issuer": ISSUER, "lab": LAB, "firm": FIRM, "today": TODAY, "rating": RATING}
        connection.execute(statement.encode(), {**values, "policy": _covering_nothing_tested().SerializeToString()})


@pytest.fixture
async def clearing(book: Book) -> AsyncIterator[Clearing]:
    desk = Desk(book.uri)
    async with book.committer() as committer:
        made = Clearing(book, committer, desk)
        assert await made.authorize() == "OK"
        yield made
    await desk.work.close()


@_each
async def test_a_change_by_hand_counts_from_its_commit(clearing: Clearing, change: Change) -> None:
    await change.world(clearing.desk)
    with psycopg.connect(clearing.book.uri) as other:
        clearing.by_hand(other, change.statement)
        assert await clearing.authorize() == change.before
        other.rollback()
        assert await clearing.authorize() == change.before
        clearing.by_hand(other, change.statement)
        assert await clearing.authorize() == change.before
        other.commit()
    assert await clearing.authorize() == change.after


@_each
async def test_a_change_by_another_process_counts_from_its_answer(clearing: Clearing, change: Change) -> None:
    await change.world(clearing.desk)
    assert await clearing.authorize() == change.before
    await change.by_use_case(clearing.desk)
    assert await clearing.authorize() == change.after


# Providers cannot be emptied: their history refuses to be emptied with them.
_EMPTIED = [change for change in CHANGES if change.table != "registry.provider"]


@pytest.mark.parametrize("change", _EMPTIED, ids=[change.table for change in _EMPTIED])
async def test_a_table_emptied_at_once_is_empty_in_memory_too(clearing: Clearing, change: Change) -> None:
    """TRUNCATE fires no trigger of rows."""
    await change.world(clearing.desk)
    with psycopg.connect(clearing.book.uri, autocommit=True) as other:
        clearing.by_hand(other, change.statement)
        assert await clearing.authorize() == change.after
        other.execute(f"TRUNCATE {change.table}".encode())
    gone = {"policy": "POLICY_NOT_IN_FORCE", "enterprise": "ENTERPRISE_NOT_FOUND"}
    assert await clearing.authorize() == gone.get(change.table, change.before)


async def test_every_table_in_memory_tells_of_its_rows_and_of_being_emptied(book: Book) -> None:
    tell = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = %s"
    tables = {(change.table,) for change in CHANGES}
    assert set(book.rows(tell, "bump_reference")) == set(book.rows(tell, "bump_reference_emptied")) == tables


async def test_one_version_for_one_transaction_however_many_rows_and_emptied_tables(book: Book) -> None:
    before = book.rows("SELECT kind, version FROM reference_version ORDER BY kind")
    with psycopg.connect(book.uri) as other:
        other.execute("TRUNCATE registry.recognition, registry.agreement")
        other.execute("UPDATE registry.provider SET rating = 1")
    after = [(kind, version + (kind == "pool")) for kind, version in before]
    assert book.rows("SELECT kind, version FROM reference_version ORDER BY kind") == after
