"""Rating the pool: all providers at once, from what the ledger says, and the list of quality providers that follows."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

from hub.application.transaction import Transaction
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, not_permitted
from registry import store as pool
from registry.admission.changing import change
from registry.admission.domain import Cause
from registry.quality import formula as formulas
from registry.quality import store
from registry.quality.codec import listing_changed
from registry.quality.domain import Formula, Score, listed_now, pool_means, score
from registry.quality.tables import RunRow
from yrd.registry.v1 import quality_pb2 as pb

_ONE_AT_A_TIME = 7_320
"""Key of the advisory lock: a second run waits for the first and then finds nothing changed."""


async def rate_pool(tx: Transaction, request: pb.RatePoolRequest) -> pb.RatePoolResponse | Refusal:
    """Compute all ratings anew; write those that changed, where clearing reads them with this commit, and the list of quality providers.

    NOT_PERMITTED for anyone but the coordination group.
    """
    del request
    if tx.caller.role is not Role.COORDINATOR:
        return not_permitted("仅协调组可以重新评分", "only the coordination group has the pool rated")
    await tx.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    formula = formulas.current()
    facts = await store.facts(tx.session, formula, tx.today)
    means = pool_means(facts, formula, tx.today)
    known = await store.latest_scores(tx.session)
    scores: dict[str, Score] = {}
    rows = []
    # Who was rated once and has no order left that counts is rated again: as unknown.
    for provider in sorted(facts.keys() | known.keys()):
        own = facts.get(provider, [])
        scores[provider] = score(own, means, formula, tx.today)
        if known.get(provider) != (formula.version, scores[provider]):
            digest = store.inputs_digest(own, means, formula, tx.today)
            rows.append(store.score_row(provider, scores[provider], formula, digest, tx.today))
    await store.keep_scores(tx.session, rows)
    changed = await _write_ratings(tx, scores)
    listed, delisted = await _write_list(tx, scores, formula)
    counts = {"providers": len(facts), "changed": changed, "listed": listed, "delisted": delisted}
    tx.session.add(RunRow(ran_on=tx.today, ran_at=tx.now, formula_version=formula.version, **counts))
    return pb.RatePoolResponse(formula_version=formula.version, **counts)


_DIFFERING = """
SELECT p.uscc FROM registry.provider AS p
JOIN unnest(CAST(:providers AS text[]), CAST(:ratings AS int[])) AS s(uscc, rating) ON s.uscc = p.uscc
WHERE p.rating <> s.rating ORDER BY p.uscc COLLATE "C" """


async def _write_ratings(tx: Transaction, scores: dict[str, Score]) -> int:
    """Give each rated provider its rating. One with too little to judge by keeps what it has."""
    rated = {provider: item.rating for provider, item in scores.items() if item.rating}
    parameters = {"providers": list(rated), "ratings": list(rated.values())}
    differing = (await tx.session.execute(text(_DIFFERING), parameters)).scalars().all()
    for provider in differing:
        known = await pool.locked_provider(tx.session, provider, tx.today)
        assert known is not None, "providers are never deleted"
        await change(tx, known, replace(known, rating=rated[provider]), Cause.RATE)
    return len(differing)


async def _write_list(tx: Transaction, scores: dict[str, Score], formula: Formula) -> tuple[int, int]:
    """Bring the list in line; return how many came onto it and how many left it."""
    latest = await store.listings(tx.session)
    barred = await store.barred(tx.session, tx.today)
    moved = [0, 0]
    for provider, item in scores.items():
        period = latest.get(provider)
        was = period is not None and period.until is None
        now = listed_now(item, period, formula, tx.today, allowed=provider not in barred)
        if now != was:
            await (store.begin_listing if now else store.end_listing)(tx.session, provider, tx.today)
            tx.emit(listing_changed(provider, now, tx.today))
            moved[0 if now else 1] += 1
    return moved[0], moved[1]
