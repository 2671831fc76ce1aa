"""The job that proposes merges: reads what is in force, compares, and writes proposals. It decides nothing."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from registry.catalogue.candidates import Pair, same_institutions, same_instruments
from registry.catalogue.similarity import Institution, Instrument

# A provider's address is where most of its instruments stand.
_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.admitted_on,
  coalesce((SELECT mode() WITHIN GROUP (ORDER BY e.place) FROM registry.catalogue_entry AS e
            WHERE e.provider = p.uscc AND e.kind = 'INSTRUMENT' AND e.state = 'ACTIVE'
              AND e.place <> '' AND e.institution IN ('', p.name)), '')
FROM registry.provider AS p
WHERE NOT EXISTS (SELECT FROM registry.provider_merge AS m WHERE m.provider = p.uscc)
ORDER BY p.uscc"""

_INSTRUMENTS = """
SELECT e.entry_id, e.provider, e.name, e.model, e.maker, e.serial_no, coalesce(nullif(e.institution, ''), p.name),
  CASE WHEN e.institution IN ('', p.name) THEN coalesce(nullif(e.owner, ''), e.provider) ELSE e.owner END,
  e.place, coalesce(e.original_value, 0), e.division
FROM registry.catalogue_entry AS e JOIN registry.provider AS p ON p.uscc = e.provider
WHERE e.kind = 'INSTRUMENT' AND e.state = 'ACTIVE'
ORDER BY e.entry_id"""

# A pair is proposed once: what was decided stays decided.
_PROPOSE = """
INSERT INTO registry.merge_proposal
  (subject, left_key, right_key, left_division, right_division, kept, score, reasons, state, left_confirmed_by, right_confirmed_by,
   proposed_at, decided_by, decision_reason)
SELECT r.subject, r.left_key, r.right_key, r.left_division, r.right_division, r.kept, r.score, r.reasons, 'PROPOSED', '', '', :now, '', ''
FROM json_to_recordset(CAST(:rows AS json)) AS r(subject text, left_key text, right_key text, left_division text, right_division text,
  kept text, score integer, reasons jsonb)
ON CONFLICT (subject, left_key, right_key) DO NOTHING RETURNING 1"""


class Proposed(NamedTuple):
    """What a run found: what it looked at, what is alike enough, and how many of these pairs are proposed now for the first time."""

    providers: int
    instruments: int
    pairs: int
    new: int


async def propose_merges(session: AsyncSession, places: Iterable[str], now: datetime) -> Proposed:
    """Propose what is alike as one. `places` are the words for divisions that tell two names apart."""
    words = tuple(sorted(places, key=len, reverse=True))
    providers = (await session.execute(text(_PROVIDERS))).all()
    instruments = (await session.execute(text(_INSTRUMENTS))).all()
    rows = await asyncio.to_thread(_compare, providers, instruments, words)
    new = 0
    if rows:
        found = await session.execute(text(_PROPOSE), {"rows": json.dumps(rows, ensure_ascii=False), "now": now})
        new = len(found.all())
    return Proposed(len(providers), len(instruments), len(rows), new)


def _compare(providers: Sequence[Any], instruments: Sequence[Any], words: tuple[str, ...]) -> list[dict[str, Any]]:
    institutions = [Institution(row[0], row[1], row[4], _place(row[1], words)) for row in providers]
    things = [Instrument(*row[:10]) for row in instruments]
    rows = [
        _row("PROVIDER", pair, (providers[pair.left], providers[pair.right]), (0, 2), _older) for pair in same_institutions(institutions)
    ]
    rows += [_row("ENTRY", pair, (instruments[pair.left], instruments[pair.right]), (0, 10), _own) for pair in same_instruments(things)]
    return rows


def _row(subject: str, pair: Pair, rows: tuple[Any, Any], at: tuple[int, int], keep: Any) -> dict[str, Any]:
    key, division = at
    left, right = sorted(rows, key=lambda row: str(row[key]))
    return {
        "subject": subject,
        "left_key": str(left[key]),
        "right_key": str(right[key]),
        "left_division": left[division],
        "right_division": right[division],
        "kept": str(min(rows, key=keep)[key]),
        "score": pair.alike.score,
        "reasons": [reason._asdict() for reason in pair.alike.reasons],
    }


def _older(provider: Any) -> Any:
    """Of two providers the one admitted first is kept."""
    return provider[3], provider[0]


def _own(entry: Any) -> Any:
    """Of two entries the one is kept whose provider has the instrument itself, else the older one."""
    return entry[7] != entry[1], entry[0]


def _place(name: str, words: tuple[str, ...]) -> str:
    """Return the word for a division in a name: the longest that it begins with or holds in brackets."""
    return next((word for word in words if name.startswith(word) or f"({word})" in unicodedata.normalize("NFKC", name)), "")
