"""Who takes part in a benchmark's ledger: provinces with a policy each, enterprises and providers. Fictitious, and the same every time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import psycopg
from stdnum.cn import uscc as uscc_check

from hub.codec.policies import encode_policy
from hub.domain.policy import Category, CategoryRule, EvidenceKind, Mode, Policy, RecognitionDefault, RecognitionRule, SettlementModel

VERSION = "bench"
"""Version of every policy made here; whatever else a database holds is somebody's own."""

NOTE_FEN = 100_000
NOTES = 10
"""A firm is issued ten notes of 1,000 yuan at a time."""

SME_NO = "2026310000A0000001"
_NAME = "bench"
_STAGED = "CREATE TEMP TABLE staged ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"


class Firm(NamedTuple):
    """An enterprise and its issuer, which is also the division it is registered in."""

    issuer: str
    uscc: str


class Lab(NamedTuple):
    """A provider and the province that admitted it."""

    home: str
    uscc: str


def credit_code(kind: str, division: str, number: int) -> str:
    """Return a valid fictitious unified social credit code (GB 32100-2015)."""
    body = f"{kind}{division}M{number:08d}"
    return body + str(uscc_check.calc_check_digit(body))


def firms(provinces: Sequence[str], count: int) -> list[Firm]:
    """Return `count` enterprises, spread evenly over the provinces."""
    owners = [provinces[number % len(provinces)] for number in range(count)]
    return [Firm(issuer, credit_code("91", issuer, number)) for number, issuer in enumerate(owners)]


def labs(homes: Sequence[str], count: int) -> list[Lab]:
    """Return `count` providers, spread evenly over their home provinces."""
    owners = [homes[number % len(homes)] for number in range(count)]
    return [Lab(home, credit_code("12", home, number)) for number, home in enumerate(owners)]


def policies(provinces: Sequence[str], since: date) -> list[Policy]:
    """Return one policy for each province: every other one 通用 (post-subsidy), the last 通兑 one settled net."""
    modes = [Mode.POST_SUBSIDY if place % 2 else Mode.PRE_SUBSIDY for place in range(len(provinces))]
    net = max(place for place, mode in enumerate(modes) if mode is Mode.PRE_SUBSIDY)
    return [
        Policy(
            issuer=issuer,
            version=VERSION,
            effective_from=since,
            mode=modes[place],
            annual_cap_fen=10_000_000,
            categories={Category.RESEARCH: CategoryRule(5_000, 5_000_000), Category.INSPECTION_TESTING: CategoryRule(6_000)},
            recognition=RecognitionRule(RecognitionDefault.POOL),
            evidence=(EvidenceKind.INVOICE,),
            settlement=SettlementModel.NET if place == net and len(provinces) > 1 else SettlementModel.DIRECT,
        )
        for place, issuer in enumerate(provinces)
    ]


def register(
    connection: psycopg.Connection[Any], rules: Iterable[Policy], holders: Iterable[Firm], pool: Iterable[Lab], now: datetime
) -> None:
    """Register whoever is not registered yet, in the transaction of `connection`."""
    for policy in rules:
        connection.execute(
            "INSERT INTO policy (issuer, version, effective_from, body, published_at, published_by) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (issuer, version) DO NOTHING",
            (policy.issuer, VERSION, policy.effective_from, encode_policy(policy).SerializeToString(), now, _NAME),
        )
    admitted_on = min(policy.effective_from for policy in rules)
    enterprises = ((firm.uscc, _NAME, firm.issuer, "TECH_SME", SME_NO, 10, now) for firm in holders)
    _add(connection, "enterprise", "uscc, name, division, kind, sme_no, staff, registered_at", enterprises)
    providers = ((lab.uscc, _NAME, lab.home, ["RESEARCH"], admitted_on, 0, now, _NAME) for lab in pool)
    _add(connection, "registry.provider", "uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by", providers)


def _add(connection: psycopg.Connection[Any], table: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_STAGED.format(columns=columns, table=table).encode())
        with cursor.copy(f"COPY staged ({columns}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM staged ORDER BY uscc ON CONFLICT (uscc) DO NOTHING".encode())
        cursor.execute("DROP TABLE staged")
