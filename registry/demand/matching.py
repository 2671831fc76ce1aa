"""Finds providers for a demand: the same search as everyone's, one hit for each provider."""

from __future__ import annotations

from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from hub.domain.divisions import contains, province_of
from registry.demand import domain
from registry.demand.domain import Candidate
from registry.demand.tables import DemandRow
from registry.recognition import pool
from registry.search import store as search_store
from registry.search.codec import hit_message
from registry.search.finding import Asked, Found, Hit, find
from registry.search.places import distance_km, prefecture_of
from yrd.registry.v1 import demand_pb2 as pb


async def match(session: AsyncSession, demand: DemandRow, invited: set[str], most: int, today: date) -> tuple[list[pb.DemandMatch], Found]:
    """Return the best matches, one for each provider, and how the demand was understood."""
    near = demand.division if distance_km(demand.division, demand.division) is not None else ""
    issuer = await _issuer(session, demand.division, today)
    asked = Asked(query=f"{demand.title} {demand.text}", category=demand.category, issuer=issuer, near=near)
    found = await find(session, asked, today)
    best: dict[str, Hit] = {}
    for hit in found.hits:
        best.setdefault(hit.found.provider, hit)
    shown = await search_store.shown(session, [hit.found.doc_id for hit in best.values()])
    candidates = []
    for provider, hit in best.items():
        price = shown[hit.found.doc_id][11]
        preferred = bool(demand.preferred_division) and contains(demand.preferred_division, hit.found.division)
        candidates.append(Candidate(provider, hit.found.doc_id, hit.points, preferred, domain.affordable(price, demand.budget)))
    ranked = domain.rank(candidates, most)
    return [
        pb.DemandMatch(
            hit=hit_message(best[item.provider], shown[item.doc_id]),
            preferred=item.preferred,
            within_budget=item.affordable,
            invited=item.provider in invited,
        )
        for item in ranked
    ], found


async def _issuer(session: AsyncSession, division: str, today: date) -> str:
    """Return the nearest issuer to the enterprise with a policy in force, empty where there is none."""
    among = list(dict.fromkeys((division, prefecture_of(division), province_of(division))))
    policies = await pool.policies_on(session, among, today)
    return next((code for code in among if code in policies), "")
