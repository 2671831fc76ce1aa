"""Worlds on a running hub: the commands of `live_model` as calls of real platforms, the answers and balances as the model has them.

A world is cheap: a city, its county, their firms and two laboratories under codes of their own, on a hub that many worlds share one after
the other. Two things are not a world's own. The clock: each world begins four years after the last, so that whatever the last one left
has run out before the next begins, and the days are the same ones, no leap day among them. The database: a hub is thrown away with it
when the calendar of its contract (years up to 2199) is used up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import psycopg
from google.protobuf.message import Message

from hub.domain.divisions import COORDINATION
from hub.ledger.audit import audit
from tests.fixtures.forked import DOORS, Ground
from tests.fixtures.hub import RunningHub, migrated_template
from tests.fixtures.postgres import fresh_database
from tests.fixtures.wire import Answer as Reply
from tests.property import live_requests
from tests.property.live_model import HOMES, ISSUERS, LABS, WALLETS, Answer, Record
from tests.property.live_names import Names
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.simulation.v1 import simulation_pb2
from yrd.voucher.v1 import voucher_pb2

# Of three years that begin in October of one of these, none has a 29th of February; 2100 would change the length of a February after them.
_YEARS = [year for year in range(2001, 2194, 4) if year != 2097]
_DIVISIONS = {"province": "330000", "abroad": "310000", "stranger": "340000", "group": COORDINATION}
_NOON = time(4, tzinfo=UTC)
_SUMS = """
SELECT account, sum(fen)::bigint FROM (SELECT credit AS account, amount AS fen FROM journal WHERE issuer = %s
UNION ALL SELECT debit, -amount FROM journal WHERE issuer = %s) AS sides GROUP BY account"""
_SETUP = "yrd.simulation.v1.SimulationService.AdvanceClock"


class Worlds:
    """Makes worlds, and hubs where they run out."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._stack = AsyncExitStack()
        self._years: Iterator[int] = iter(())
        self._hub: RunningHub | None = None

    async def world(self) -> World:
        """A world in which nothing has happened yet."""
        year = next(self._years, None)
        if year is None or self._hub is None:
            await self.close()
            self._years = iter(_YEARS)
            year = next(self._years)
            uri = self._stack.enter_context(fresh_database(self._ground.server, migrated_template(self._ground.server)))
            start = datetime(2001, 1, 1, tzinfo=UTC).isoformat()
            self._tables = self._stack.enter_context(psycopg.connect(uri, autocommit=True))
            self._hub = await self._stack.enter_async_context(self._ground.hub(uri, *DOORS, SIMULATED_CLOCK=start))
        made = World(self._hub, self._tables, (year - _YEARS[0]) // 4 + 1, date(year, 10, 1))
        await made.found()
        return made

    async def close(self) -> None:
        """Let the auditor look at what all worlds of a hub left, and end it."""
        hub, self._hub = self._hub, None
        if hub is not None:
            report = await audit(hub.process.database_url)
            await self._stack.aclose()
            assert report.clean, report.differences


class World:
    """One world. `today` is its date; redemptions, notes and windows are named as the model names them."""

    def __init__(self, hub: RunningHub, tables: psycopg.Connection[Any], number: int, today: date) -> None:
        self.today = today
        self.names = Names(number)
        self._hub = hub
        self._began = datetime.combine(today, _NOON)
        self._database = tables
        self._number = number

    async def found(self) -> None:
        """Bring the clock here; register firms and laboratories."""
        await self.advance(self.today)
        for who, method, request in live_requests.parties(self.names):
            await self._hub.call(_DIVISIONS[who], method, request)

    async def advance(self, day: date) -> tuple[int, int]:
        """Set the clock to noon of a day; return how many authorizations and notes ran out."""
        request = simulation_pb2.AdvanceClockRequest()
        request.now.FromDatetime(datetime.combine(day, _NOON))
        done: simulation_pb2.AdvanceClockResponse = await self._hub.call(COORDINATION, _SETUP, request)
        self.today = day
        return done.authorizations_expired, done.vouchers_expired

    def _request_id(self, key: str) -> str:
        return str(uuid5(NAMESPACE_OID, f"{self._number}/{key}"))

    # -- commands -------------------------------------------------------------------------------------------------------------------

    async def ask(self, kind: str, who: str, key: str, body: Record) -> tuple[Answer, bytes]:
        """Send a command by itself; return its answer, and the bytes of it."""
        method, request = live_requests.write(self.names, kind, self._request_id(key), body, who)
        reply = await (await self._hub.wire(_DIVISIONS[who])).ask(method, request)
        return self._answer(kind, key, reply), reply.body

    def _answer(self, kind: str, key: str, reply: Reply) -> Answer:
        if not reply.ok:
            return ("no", reply.code or f"{reply.status.name} {reply.text}")
        return ("ok", live_requests.read(self.names, kind, key, reply.body))

    async def batch(self, who: str, kind: str, key: str, items: list[tuple[str, Record]], *, atomic: bool) -> tuple[Answer, bytes]:
        """Send commands of a kind in one call."""
        method, request = self._batch(kind, key, items, who, atomic=atomic)
        reply = await (await self._hub.wire(_DIVISIONS[who])).ask(method, request)
        if not reply.ok:
            place = reply.metadata.get("item", "")
            return ("no", reply.code or reply.text, *([int(place)] if place else [])), reply.body
        outcomes = live_requests.batch_response(kind).FromString(reply.body).outcomes
        return ("ok", [self._outcome(kind, item, outcome) for (item, _), outcome in zip(items, outcomes, strict=True)]), reply.body

    def _batch(self, kind: str, key: str, items: list[tuple[str, Record]], who: str, *, atomic: bool) -> tuple[str, Message]:
        written = [live_requests.write(self.names, kind, self._request_id(item), body, who)[1] for item, body in items]
        return live_requests.batch(kind, self._request_id(key), written, atomic=atomic)

    def _outcome(self, kind: str, key: str, outcome: Any) -> Answer:
        chosen = outcome.WhichOneof("outcome")
        if chosen == "refusal":
            return ("no", refusal_pb2.RefusalCode.Name(outcome.refusal.code).removeprefix("REFUSAL_CODE_"))
        return ("ok", live_requests.read(self.names, kind, key, getattr(outcome, chosen).SerializeToString()))

    async def stream(self, who: str, items: list[tuple[str, str, Record]]) -> list[Answer]:
        """Send commands over a Clear stream, without waiting for each."""
        written = [live_requests.write(self.names, kind, self._request_id(key), body, who)[1] for kind, key, body in items]

        async def each() -> Any:
            for request in written:
                yield request

        client = (await self._hub.wire(_DIVISIONS[who])).client
        answers: list[Answer] = []
        async with asyncio.timeout(60):
            async for result in client.clear(each()):
                kind, key, _ = items[len(answers)]
                body = b"" if result.response is None else result.response.SerializeToString()
                answers.append(("ok", live_requests.read(self.names, kind, key, body)) if result.ok else ("no", result.code))
        return answers

    # -- balances -------------------------------------------------------------------------------------------------------------------

    async def balances(self) -> Record:
        """Read what the model knows, in its words: redemptions as they are listed, the rest from the tables."""
        read: Record = {}
        await asyncio.gather(self._redemptions(read), asyncio.to_thread(self._tables, read))
        return read

    async def positions(self) -> Record:
        """Read what calls show of the same: wallets, issuers' and laboratories' positions. Slower, and not after every step."""
        read: Record = {}
        await asyncio.gather(
            *(self._wallet(issuer, firm, read) for issuer, firm in WALLETS),
            *(self._issuer(issuer, read) for issuer in ISSUERS),
            *(self._lab(lab, read) for lab in LABS),
        )
        return read

    async def _read(self, who: str, method: str, request: Message) -> Any:
        return await self._hub.call(_DIVISIONS[who], method, request)

    async def _wallet(self, issuer: str, firm: str, read: Record) -> None:
        request = voucher_pb2.GetWalletRequest(issuer=self.names.code(issuer), enterprise=self.names.code(firm))
        wallet: voucher_pb2.GetWalletResponse = await self._read("province", "yrd.voucher.v1.VoucherService.GetWallet", request)
        notes = [
            (self.names.note(n.voucher_no), n.face_fen, n.available_fen, n.reserved_fen, n.redeemed_fen, n.returned_fen, n.expires_on)
            for n in wallet.vouchers
        ]
        assert (wallet.available_fen, wallet.reserved_fen) == (sum(n[2] for n in notes), sum(n[3] for n in notes))
        read[f"notes of {firm} from {issuer}"] = [(*note[:-1], date.fromisoformat(note[-1])) for note in notes]

    async def _issuer(self, issuer: str, read: Record) -> None:
        request = settlement_pb2.GetIssuerPositionRequest(issuer=self.names.code(issuer))
        p: settlement_pb2.GetIssuerPositionResponse = await self._read(
            "province", "yrd.settlement.v1.SettlementService.GetIssuerPosition", request
        )
        sums = (p.appropriation_used_fen, p.outstanding_fen, p.reserved_fen, p.payable_fen, p.paid_fen, p.returned_fen)
        read[f"sums of {issuer}"] = sums

    async def _lab(self, lab: str, read: Record) -> None:
        request = settlement_pb2.GetProviderPositionRequest(provider=self.names.code(lab))
        found = await self._read(HOMES[lab], "yrd.settlement.v1.SettlementService.GetProviderPosition", request)
        read[f"sums of {lab}"] = (found.receivable_fen, found.received_fen)

    async def _redemptions(self, read: Record) -> None:
        request = clearing_pb2.ListRedemptionsRequest(page_size=1_000)
        request.authorized_from.FromDatetime(self._began)
        found = await self._read("group", "yrd.clearing.v1.ClearingService.ListRedemptions", request)
        read["redemptions"] = {self.names.key(item.redemption_id): live_requests.shown(self.names, item) for item in found.redemptions}

    def _tables(self, read: Record) -> None:
        name, firms = self.names.name, [self.names.code("firm"), self.names.code("other")]
        parts = "voucher_no, face, available, reserved, redeemed, returned, expires_on"
        order = 'ORDER BY expires_on, voucher_no COLLATE "C"'
        for issuer, firm in WALLETS:
            statement = f"SELECT {parts} FROM voucher WHERE issuer = %s AND enterprise = %s {order}"
            rows = self._rows(statement, self.names.code(issuer), self.names.code(firm))
            read[f"notes of {firm} from {issuer}"] = [(self.names.note(row[0]), *row[1:]) for row in rows]
        quota = self._rows("SELECT issuer, enterprise, year, used, issued FROM quota WHERE enterprise = ANY(%s)", firms)
        read["used"] = {(name(issuer), name(firm), year): used for issuer, firm, year, used, _ in quota if used}
        read["issued"] = {(name(issuer), name(firm), year): issued for issuer, firm, year, _, issued in quota if issued}
        orders = self._rows("SELECT provider, order_no, committed FROM service_order WHERE enterprise = ANY(%s)", firms)
        read["orders"] = {(name(lab), no): {name(issuer): fen for issuer, fen in by.items()} for lab, no, by in orders if by}
        for issuer in ISSUERS:
            sums = dict(self._rows(_SUMS, self.names.code(issuer), self.names.code(issuer)))
            accounts = ("outstanding", "reserved", "payable", "paid", "returned")
            read[f"sums of {issuer}"] = (-sums.get("appropriation", 0), *(sums.get(account, 0) for account in accounts))

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        return self._database.execute(statement.encode(), parameters).fetchall()
