"""Reads an issuer's past out of the outbox, which keeps every change as it was told, in the order of deciding. Read-only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from psycopg import AsyncConnection

from hub.application.history import Cancelled, Changed, Elsewhere, History, Issued, Past, PastNote
from hub.codec import enums
from hub.codec.events import out
from hub.domain.model import Agreement, Line, OrderKey, Recognition, WalletKey
from hub.ledger import rows
from hub.ledger.policies import decode_stored
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import events_pb2
from yrd.voucher.v1 import voucher_pb2

_CHANGED = events_pb2.RedemptionChanged.DESCRIPTOR.full_name
_ISSUED = events_pb2.VouchersIssued.DESCRIPTOR.full_name
_RETURNED = events_pb2.VoucherReturned.DESCRIPTOR.full_name
_PAGE = 2_000

# An order is one enterprise's, and an event's key is its enterprise: that finds what other issuers did on the orders of this one.
_SHARED = """
SELECT DISTINCT r.enterprise FROM redemption AS r
WHERE r.issuer <> %(issuer)s AND (r.provider, r.order_no) IN (SELECT provider, order_no FROM redemption WHERE issuer = %(issuer)s)"""

_EVENTS = """
SELECT topic, type, occurred_at, payload FROM outbox
WHERE (topic = %(own)s AND type = ANY(%(types)s)) OR (type = %(changed)s AND key = ANY(%(shared)s))
ORDER BY seq"""

_ENTERPRISES = """
SELECT uscc, name, division, kind, sme_no, sme_valid_from, sme_valid_until, staff, NULL::date FROM enterprise
WHERE uscc IN (SELECT enterprise FROM wallet WHERE issuer = %s)"""

# As registered today: only the ledger keeps its past.
_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.categories, p.admitted_on, p.rating, NULL::date,
  (SELECT min(q.listed_from) FROM registry.quality_listing AS q WHERE q.provider = p.uscc AND q.listed_until IS NULL)
FROM registry.provider AS p
WHERE p.uscc IN (SELECT provider FROM redemption WHERE issuer = %s)"""

_RECOGNITIONS = f"SELECT provider, {rows.RECOGNITION_COLUMNS} FROM registry.recognition WHERE issuer = %s"

_AGREEMENTS = f"SELECT provider, {rows.AGREEMENT_COLUMNS} FROM registry.agreement WHERE issuer = %s"

_CLASS_RULES = f"SELECT {rows.CLASS_RULE_COLUMNS} FROM registry.class_recognition WHERE issuer = %s ORDER BY class_id"

_REFUNDS = "SELECT redemption_id::text, line_refunds FROM redemption WHERE issuer = %s AND 0 < ANY(line_refunds)"


async def read_history(database_url: str, issuer: str) -> History:
    """Read one consistent snapshot of everything that happened to an issuer. Raises psycopg.OperationalError where the database is away."""
    history = History(issuer)
    async with await AsyncConnection.connect(database_url, application_name="deltahub simulate") as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for policy_id, body in await _all(connection, "SELECT policy_id, body FROM policy WHERE issuer = %s", issuer):
            policy = decode_stored(policy_id, body)
            history.policies[policy.version] = policy
        history.enterprises = {row[0]: rows.enterprise(row) for row in await _all(connection, _ENTERPRISES, issuer)}
        history.providers = {row[0]: rows.provider(row) for row in await _all(connection, _PROVIDERS, issuer)}
        for provider, *rest in await _all(connection, _RECOGNITIONS, issuer):
            history.recognitions[provider] = (*history.recognitions.get(provider, ()), Recognition(*rest))
        for provider, *rest in await _all(connection, _AGREEMENTS, issuer):
            history.agreements[provider] = (*history.agreements.get(provider, ()), Agreement(*rest))
        history.class_rules = tuple(rows.class_rule(row) for row in await _all(connection, _CLASS_RULES, issuer))
        history.line_refunds = {key: tuple(fees) for key, fees in await _all(connection, _REFUNDS, issuer)}
        history.redemptions = (await _all(connection, "SELECT count(*) FROM redemption WHERE issuer = %s", issuer))[0][0]
        await _events(connection, history)
    return history


async def _all(connection: AsyncConnection[Any], statement: str, issuer: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement.encode(), (issuer,))).fetchall()


async def _events(connection: AsyncConnection[Any], history: History) -> None:
    shared = [row[0] for row in await (await connection.execute(_SHARED, {"issuer": history.issuer})).fetchall()]
    wanted = {"own": out(history.issuer), "types": [_CHANGED, _ISSUED, _RETURNED], "changed": _CHANGED, "shared": shared}
    reader = HistoryReader(history)
    # A cursor of the server's: the past of a large issuer is read in pages and kept in the compact form only.
    async with connection.cursor(name="history") as cursor:
        cursor.itersize = _PAGE
        await cursor.execute(_EVENTS, wanted)
        async for topic, kind, at, payload in cursor:
            reader.take(topic, kind, at, payload)
    ours = {event.order for event in history.events if isinstance(event, Changed)}
    history.events = [event for event in history.events if not isinstance(event, Elsewhere) or event.order in ours]


class HistoryReader:
    """Turns rows of the outbox into events. Texts and lines that come again and again are kept once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._own = out(history.issuer)
        self._lines: dict[tuple[tuple[int, int, tuple[int, ...]], ...], tuple[Line, ...]] = {}
        self._orders: dict[OrderKey, OrderKey] = {}
        self._wallets: dict[WalletKey, WalletKey] = {}

    def take(self, topic: str, kind: str, at: datetime, payload: bytes) -> None:
        """Add what a row tells of the issuer, once: the same change is told to two provinces."""
        found: Past | None
        if kind == _CHANGED:
            found = self._changed(topic, at, events_pb2.RedemptionChanged.FromString(payload))
        elif kind == _ISSUED:
            found = self._issued(at, events_pb2.VouchersIssued.FromString(payload).vouchers)
        else:
            found = self._returned(at, events_pb2.VoucherReturned.FromString(payload))
        if found is not None:
            self._history.events.append(found)

    def _changed(self, topic: str, at: datetime, message: events_pb2.RedemptionChanged) -> Past | None:
        item = message.redemption
        topics = {out(item.issuer), out(item.acquirer)}
        if topic != (self._own if self._own in topics else min(topics)):
            return None
        wallet, order = WalletKey(item.issuer, item.enterprise), OrderKey(item.provider, item.order.order_no)
        wallet, order = self._wallets.setdefault(wallet, wallet), self._orders.setdefault(order, order)
        lines = self._lines_of(item.order.lines)
        if item.issuer != self._history.issuer:
            return Elsewhere(at, item.redemption_id, item.issuer, wallet, order, lines, item.subsidy_fen)
        return Changed(
            at=at,
            cause=message.cause,
            redemption_id=item.redemption_id,
            wallet=wallet,
            acquirer=item.acquirer,
            order=order,
            policy_version=item.policy_version,
            state=enums.STATE_IN[item.state],
            lines=lines,
            authorized=item.authorized_fen,
            subsidy=item.subsidy_fen,
            draws=tuple((draw.voucher_no, draw.amount_fen) for draw in item.draws),
            invoice_no=item.invoice_no,
            delivered_on=date.fromisoformat(item.delivered_on) if item.delivered_on else None,
            quota_year=item.quota_year,
            authorized_at=_instant(item),
            expires_on=date.fromisoformat(item.authorization_expires_on),
            codes=tuple(step.code for step in message.reasons if step.code),
            fee=_fee(message),
        )

    def _lines_of(self, lines: Iterable[clearing_pb2.OrderLine]) -> tuple[Line, ...]:
        key = tuple((line.category, line.amount_fen, tuple(line.flags)) for line in lines)
        known = self._lines.get(key)
        if known is None:
            known = tuple(_line(category, amount, flags) for category, amount, flags in key)
            self._lines[key] = known
        return known

    def _issued(self, at: datetime, vouchers: Iterable[voucher_pb2.Voucher]) -> Issued | None:
        notes = [item for item in vouchers if item.issuer == self._history.issuer]
        if not notes:
            return None
        day = date.fromisoformat
        made = tuple(PastNote(item.voucher_no, item.face_fen, day(item.issued_on), day(item.expires_on)) for item in notes)
        return Issued(at, WalletKey(notes[0].issuer, notes[0].enterprise), made)

    def _returned(self, at: datetime, message: events_pb2.VoucherReturned) -> Cancelled | None:
        note = message.voucher
        # What expires decides nothing: an expired note is not drawn, whether its rest was sent back yet or not.
        if message.cause != "Cancel" or note.issuer != self._history.issuer:
            return None
        return Cancelled(at, WalletKey(note.issuer, note.enterprise), note.voucher_no)


def _line(category: int, amount: int, flags: tuple[int, ...]) -> Line:
    return Line(enums.CATEGORY_IN[category], amount, tuple(enums.FLAG_IN[flag] for flag in flags))


def _instant(item: clearing_pb2.Redemption) -> datetime:
    return item.authorized_at.ToDatetime(tzinfo=UTC)


def _fee(message: events_pb2.RedemptionChanged) -> int:
    if message.cause != "Refund":
        return 0
    return next((fact.value for step in message.reasons for fact in step.facts if fact.name == "fee_fen"), 0)
