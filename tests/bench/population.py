"""The benchmark's population: 10,000 enterprises with ten 1,000-yuan notes each, 500 providers, four issuers of both modes."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg
from stdnum.cn import uscc as uscc_check

from hub.application.issuing import IssueCommand
from hub.codec.policies import encode_policy
from hub.domain.caller import Caller, Role
from hub.domain.clock import SystemClock
from hub.domain.issue import IssueItem
from hub.domain.policy import Category, CategoryRule, EvidenceKind, Mode, Policy, RecognitionDefault, RecognitionRule
from hub.ledger.committer import GroupCommitter

NOTE_FEN = 100_000
NOTES = 10
ACQUIRER = "310000"
ISSUERS = {"310000": Mode.PRE_SUBSIDY, "320000": Mode.POST_SUBSIDY, "330000": Mode.PRE_SUBSIDY, "340000": Mode.POST_SUBSIDY}


@dataclass(frozen=True, slots=True)
class Population:
    """Who takes part: (issuer, enterprise) pairs and providers."""

    firms: list[tuple[str, str]]
    providers: list[str]

    def pick(self, rng: random.Random, *, zipf: bool) -> tuple[str, str]:
        """Return an issuer and one of its enterprises, uniformly or with a few firms that do most."""
        if not zipf:
            return rng.choice(self.firms)
        # Zipf by inversion of 1/rank: the first of n firms has the share 1/ln(n).
        return self.firms[min(int(len(self.firms) ** rng.random()) - 1, len(self.firms) - 1)]


def credit_code(kind: str, division: str, number: int) -> str:
    """Return a valid fictitious unified social credit code."""
    body = f"{kind}{division}M{number:08d}"
    return body + str(uscc_check.calc_check_digit(body))


async def populate(url: str, enterprises: int, providers: int, tell: Callable[[str], None]) -> Population:
    """Register parties and policies by SQL, and issue every note through the committer, as a hub would."""
    issuers = list(ISSUERS)
    firms = [(issuers[n % 4], credit_code("91", issuers[n % 4], n)) for n in range(enterprises)]
    pool = [credit_code("12", ACQUIRER, n) for n in range(providers)]
    with psycopg.connect(url) as connection:
        _reference_data(connection, firms, pool)
    tell(f"registered {enterprises} enterprises and {providers} providers")
    committer = GroupCommitter(url, SystemClock(), queue_items_max=enterprises + 1)
    running = asyncio.create_task(committer.run())
    issues = [
        committer.submit(
            IssueCommand(issuer, (IssueItem(firm, NOTE_FEN, NOTES),), date(2026, 1, 5)),
            Caller("bench", issuer, Role.PLATFORM),
            request_id=str(uuid.uuid4()),
            digest=b"bench",
        )
        for issuer, firm in firms
    ]
    outcomes = await asyncio.gather(*issues)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert all(outcome.ok for outcome in outcomes)
    tell(f"issued {enterprises * NOTES} notes")
    return Population(firms, pool)


def _reference_data(connection: psycopg.Connection[tuple[object, ...]], firms: list[tuple[str, str]], pool: list[str]) -> None:
    now = datetime.now(UTC)
    cursor = connection.cursor()
    for issuer, mode in ISSUERS.items():
        policy = Policy(
            issuer=issuer,
            version="bench",
            effective_from=date(2026, 1, 1),
            mode=mode,
            annual_cap_fen=10_000_000,
            categories={Category.RESEARCH: CategoryRule(5_000, 5_000_000), Category.INSPECTION_TESTING: CategoryRule(6_000)},
            recognition=RecognitionRule(RecognitionDefault.POOL),
            evidence=(EvidenceKind.INVOICE,),
        )
        cursor.execute(
            "INSERT INTO policy (issuer, version, effective_from, body, published_at, published_by) VALUES (%s, 'bench', %s, %s, %s, '')",
            (issuer, policy.effective_from, encode_policy(policy).SerializeToString(), now),
        )
    with cursor.copy("COPY enterprise (uscc, name, division, kind, sme_no, staff, registered_at) FROM STDIN") as copy:
        for issuer, firm in firms:
            copy.write_row((firm, "firm", issuer, "TECH_SME", "2026310000A0000001", 10, now))
    with cursor.copy(
        "COPY registry.provider (uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by) FROM STDIN"
    ) as copy:
        for provider in pool:
            copy.write_row((provider, "provider", ACQUIRER, ["RESEARCH"], date(2026, 1, 1), 0, now, "bench"))
    cursor.execute("ANALYZE")
