"""Reads the overview from the ledger: one pass per table, all on one snapshot of the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hub.domain.clock import Clock, local_date
from hub.domain.divisions import province_of
from hub.domain.model import State
from hub.web.divisions import DivisionNames
from hub.web.labels import division_label
from hub.web.overview import Flow, IssuerTotals, Matrix, Obligations, OpenWindow, Outbox, Overview
from hub.web.recent import recent_redemptions

STATEMENT_SECONDS_MAX = 20

_CLEARED = frozenset({State.CLEARED, State.SETTLED})
_PENDING = frozenset({State.AUTHORIZED, State.PENDING_REVIEW, State.HELD})

_REDEMPTIONS = text("SELECT issuer, acquirer, state, count(*), sum(subsidy) FROM redemption GROUP BY issuer, acquirer, state")
_VOUCHERS = text("SELECT issuer, sum(face), sum(available), sum(reserved), sum(returned) FROM voucher GROUP BY issuer")
# An issuer is in its first window until that is closed. Transfers of a window clear (they credit what is payable) or refund.
_WINDOWS = text("""
SELECT w.issuer, w.window_no, count(*) FILTER (WHERE j.credit = 'payable'),
       coalesce(sum(CASE WHEN j.credit = 'payable' THEN j.amount ELSE -j.amount END), 0)
FROM (SELECT p.issuer, coalesce(o.window_no, 1) AS window_no
      FROM (SELECT DISTINCT issuer FROM policy) AS p LEFT JOIN open_window AS o ON o.issuer = p.issuer) AS w
LEFT JOIN journal AS j ON j.issuer = w.issuer AND j.window_no = w.window_no AND j.window_no > 0
GROUP BY w.issuer, w.window_no ORDER BY w.issuer""")
_OBLIGATIONS = text("SELECT count(*), coalesce(sum(amount), 0) FROM obligation WHERE paid_at IS NULL")
_OUTBOX = text("SELECT count(*), min(occurred_at) FROM outbox WHERE published_at IS NULL")


class _Group(NamedTuple):
    issuer: str
    acquirer: str
    state: str
    number: int
    subsidy: int


async def read_overview(engine: AsyncEngine, clock: Clock, names: DivisionNames) -> Overview:
    """Read the overview. Raises SQLAlchemyError where the database does not answer."""
    now = clock.now()
    today = local_date(now)
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS_MAX}s'"))
        groups = [_Group(*row) for row in await _rows(connection, _REDEMPTIONS)]
        return Overview(
            as_of=now,
            matrix=_matrix(groups, names, today),
            issuers=_issuers(groups, await _rows(connection, _VOUCHERS), names, today),
            windows=_windows(await _rows(connection, _WINDOWS), names, today),
            obligations=_obligations(await _rows(connection, _OBLIGATIONS)),
            outbox=_outbox(await _rows(connection, _OUTBOX), now),
            redemptions=await recent_redemptions(connection, names, today),
        )


async def read_outbox(engine: AsyncEngine, clock: Clock) -> Outbox:
    """Read the outbox alone: cheap enough for every scrape. Raises SQLAlchemyError where the database does not answer."""
    async with engine.connect() as connection:
        return _outbox(await _rows(connection, _OUTBOX), clock.now())


async def _rows(connection: AsyncConnection, statement: Any) -> list[tuple[Any, ...]]:
    # Sums of PostgreSQL's over many rows are numeric: they may be more than a column holds.
    return [tuple(int(item) if isinstance(item, Decimal) else item for item in row) for row in await connection.execute(statement)]


def _matrix(groups: list[_Group], names: DivisionNames, today: date) -> Matrix:
    sums: dict[tuple[str, str], Flow] = {}
    for group in groups:
        pair = (province_of(group.issuer), province_of(group.acquirer))
        sums[pair] = _sum(*pair, [sums.get(pair, Flow(issuer=pair[0], acquirer=pair[1])), _flow(group, pair)])
    regions = sorted(names.regions(today) | {region for pair in sums for region in pair})
    cells = [sums.get((i, a), Flow(issuer=i, acquirer=a)) for i in regions for a in regions]
    totals = [_sum(i, "", [cell for cell in cells if cell.issuer == i]) for i in regions]
    totals += [_sum("", a, [cell for cell in cells if cell.acquirer == a]) for a in regions]
    totals.append(_sum("", "", cells))
    return Matrix(
        regions=tuple(division_label(names, code, today) for code in regions),
        cells=tuple(cells),
        totals=tuple(totals),
        cross_region=_sum("", "", [cell for cell in cells if cell.issuer != cell.acquirer]),
    )


def _flow(group: _Group, pair: tuple[str, str]) -> Flow:
    issuer, acquirer = pair
    if group.state in _CLEARED:
        return Flow(issuer=issuer, acquirer=acquirer, cleared_count=group.number, cleared_fen=group.subsidy)
    if group.state in _PENDING:
        return Flow(issuer=issuer, acquirer=acquirer, pending_count=group.number, pending_fen=group.subsidy)
    return Flow(issuer=issuer, acquirer=acquirer)


def _sum(issuer: str, acquirer: str, flows: Iterable[Flow]) -> Flow:
    parts = list(flows)
    return Flow(
        issuer=issuer,
        acquirer=acquirer,
        cleared_count=sum(flow.cleared_count for flow in parts),
        cleared_fen=sum(flow.cleared_fen for flow in parts),
        pending_count=sum(flow.pending_count for flow in parts),
        pending_fen=sum(flow.pending_fen for flow in parts),
    )


def _issuers(groups: list[_Group], vouchers: list[tuple[Any, ...]], names: DivisionNames, today: date) -> tuple[IssuerTotals, ...]:
    by_state: dict[tuple[str, str], int] = defaultdict(int)
    for group in groups:
        by_state[group.issuer, group.state] += group.subsidy
    return tuple(
        IssuerTotals(
            division=division_label(names, issuer, today),
            issued_fen=face,
            available_fen=available,
            reserved_fen=reserved,
            payable_fen=by_state[issuer, State.CLEARED],
            paid_fen=by_state[issuer, State.SETTLED],
            returned_fen=returned,
        )
        for issuer, face, available, reserved, returned in sorted(vouchers)
    )


def _windows(rows: list[tuple[Any, ...]], names: DivisionNames, today: date) -> tuple[OpenWindow, ...]:
    return tuple(
        OpenWindow(issuer=division_label(names, issuer, today), window_no=number, cleared_count=count, amount_fen=amount)
        for issuer, number, count, amount in rows
    )


def _obligations(rows: list[tuple[Any, ...]]) -> Obligations:
    count, amount = rows[0]
    return Obligations(unpaid_count=count, unpaid_fen=amount)


def _outbox(rows: list[tuple[Any, ...]], now: datetime) -> Outbox:
    count, oldest = rows[0]
    # A simulated clock may stand behind the one that stamped the event.
    return Outbox(unpublished=count, oldest_age_seconds=max(0, int((now - oldest).total_seconds())) if oldest else 0)
