"""Reads of the ledger outside batches: snapshots for quotes, wallets, redemptions, positions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.domain.model import Note, Redemption, WalletKey
from hub.domain.policy import Policy
from hub.ledger import rows
from hub.ledger.policies import decode_stored


async def policies(session: AsyncSession) -> dict[int, Policy]:
    """Return all published policies by id."""
    found = await session.execute(text("SELECT policy_id, body FROM policy"))
    return {policy_id: decode_stored(policy_id, body) for policy_id, body in found.all()}


async def redemption_by_id(session: AsyncSession, redemption_id: str) -> tuple[Redemption, str] | None:
    """Return a redemption and the id of its closed window ('' while open), or None."""
    found = await redemptions(session, "r.redemption_id = :id", {"id": redemption_id}, 1)
    return found[0] if found else None


async def redemptions(session: AsyncSession, condition: str, parameters: dict[str, object], limit: int) -> list[tuple[Redemption, str]]:
    """Return redemptions newest first with the ids of their closed windows. `condition` is SQL of ours, never of a caller."""
    columns = ", ".join(f"r.{name}" for name in rows.REDEMPTION_COLUMNS.split(", "))
    statement = text(
        f"SELECT {columns}, coalesce(w.window_id::text, '') FROM redemption AS r "
        f"LEFT JOIN window_issuer AS w ON w.issuer = r.issuer AND w.window_no = r.window_no "
        f"WHERE {condition} ORDER BY r.redemption_id DESC LIMIT :limit"
    )
    found = (await session.execute(statement, {**parameters, "limit": limit})).all()
    known = await policies(session)
    return [(rows.redemption(row[:-1], known), row[-1]) for row in found]


async def notes(session: AsyncSession, wallet: WalletKey) -> list[Note]:
    """Return all notes of a wallet, soonest expiry first."""
    statement = text(
        f"SELECT {rows.VOUCHER_COLUMNS} FROM voucher WHERE issuer = :issuer AND enterprise = :enterprise "
        'ORDER BY expires_on, voucher_no COLLATE "C"'
    )
    return [rows.note(row) for row in (await session.execute(statement, wallet._asdict())).all()]


async def quota(session: AsyncSession, wallet: WalletKey, year: int) -> tuple[int, int]:
    """Return (used, issued) of a quota year, fen."""
    statement = text("SELECT used, issued FROM quota WHERE issuer = :issuer AND enterprise = :enterprise AND year = :year")
    row = (await session.execute(statement, {**wallet._asdict(), "year": year})).first()
    return (row[0], row[1]) if row else (0, 0)


async def division_of(session: AsyncSession, enterprise: str) -> str | None:
    """Return the division of an enterprise, or None where the hub does not know it."""
    row = (await session.execute(text("SELECT division FROM enterprise WHERE uscc = :uscc"), {"uscc": enterprise})).first()
    return row[0] if row else None


async def provider_home(session: AsyncSession, provider: str) -> str | None:
    """Return the home division of a provider, or None where it is not in the pool."""
    row = (await session.execute(text("SELECT home FROM registry.provider WHERE uscc = :uscc"), {"uscc": provider})).first()
    return row[0] if row else None


async def account_sums(session: AsyncSession, issuer: str) -> dict[str, int]:
    """Return credits less debits of each account of an issuer, fen: the closed sums and the transfers since (`summing.py`)."""
    until = await one(session, "SELECT until_seq FROM account_sum_until", {})
    statement = text(
        "SELECT account, sum(amount) FROM ("
        "SELECT account, amount FROM account_sum WHERE issuer = :issuer "
        "UNION ALL SELECT credit, amount FROM journal WHERE seq > :until AND issuer = :issuer "
        "UNION ALL SELECT debit, -amount FROM journal WHERE seq > :until AND issuer = :issuer) AS sides GROUP BY account"
    )
    return {account: int(total) for account, total in (await session.execute(statement, {"issuer": issuer, "until": until})).all()}


async def one(session: AsyncSession, statement: str, parameters: dict[str, Any]) -> Any:
    """Return the first column of the first row, or None."""
    return (await session.execute(text(statement), parameters)).scalar()
