"""`deltahub pool dedupe`: the job that proposes merges, and how good it is where the truth is known."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.bootstrap import clock_of
from hub.cli.pool_words import read_places
from hub.cli.pool_work import working
from hub.settings import Settings
from registry.catalogue.deduping import propose_merges

# A generated pool names entries by provider, kind and code; proposals name them by number.
_PROPOSED = """
SELECT m.subject, coalesce(l.provider || '/' || l.kind || '/' || l.code, m.left_key),
  coalesce(r.provider || '/' || r.kind || '/' || r.code, m.right_key)
FROM registry.merge_proposal AS m
LEFT JOIN registry.catalogue_entry AS l ON m.subject = 'ENTRY' AND l.entry_id::text = m.left_key
LEFT JOIN registry.catalogue_entry AS r ON m.subject = 'ENTRY' AND r.entry_id::text = m.right_key"""

Known = tuple[str, str, str]


async def run_dedupe(settings: Settings, truth: list[Known] | None) -> dict[str, Any]:
    """Run the job once and return what it found; with the truth, precision and recall for each subject."""
    words = [place.word for place in read_places(settings.divisions_file)]
    async with working(settings) as work, AsyncSession(work.engine) as session, session.begin():
        started = perf_counter()
        proposed = await propose_merges(session, words, clock_of(settings).now())
        result: dict[str, Any] = {**proposed._asdict(), "seconds": round(perf_counter() - started, 1)}
        if truth is not None:
            found = [(row[0], row[1], row[2]) for row in (await session.execute(text(_PROPOSED))).all()]
            for subject in ("PROVIDER", "ENTRY"):
                result |= {f"{subject.lower()}_{name}": value for name, value in _measured(subject, found, truth).items()}
    return result


def _measured(subject: str, found: Iterable[Known], truth: Iterable[Known]) -> dict[str, str]:
    proposed = {frozenset(pair[1:]) for pair in found if pair[0] == subject}
    real = {frozenset(pair[1:]) for pair in truth if pair[0] == subject}
    right = len(proposed & real)
    return {
        "proposed": str(len(proposed)),
        "precision": f"{right / len(proposed):.3f}" if proposed else "-",
        "recall": f"{right / len(real):.3f}" if real else "-",
    }
