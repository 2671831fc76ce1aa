"""The pool and the labelled queries of the relevance measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tests.support_usecases import START, credit_code

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Query:
    """A query and the grade (1 to 3) of each entry that serves it, by the entry's place in the corpus, such as `sem/2`."""

    text: str
    grades: Mapping[str, int]


def queries() -> list[Query]:
    """Return the labelled queries."""
    known = [place for place, _ in entries()]
    return [_query(item["q"], item["g"], known) for item in yaml.safe_load((_HERE / "queries.yaml").read_text(encoding="utf-8"))]


def _query(text: str, said: Mapping[str, int], known: Sequence[str]) -> Query:
    """Read the grades of topics and entries. Raises LookupError for what the corpus does not have."""
    grades: dict[str, int] = {}
    for label, grade in said.items():
        meant = [place for place in known if label in (place, place.partition("/")[0])]
        if not meant:
            raise LookupError(f"no {label} in the corpus")
        grades |= dict.fromkeys(meant, grade)
    return Query(text, grades)


def entries() -> list[tuple[str, dict[str, Any]]]:
    """Return the entries of the corpus, each with its place: topic and number within it."""
    found = []
    for topic, said in yaml.safe_load((_HERE / "corpus.yaml").read_text(encoding="utf-8"))["topics"].items():
        for number, line in enumerate(said["entries"], 1):
            name, keywords, model, maker, description = line.split("|")
            found.append(
                (
                    f"{topic}/{number}",
                    {
                        "kind": said["kind"],
                        "category": said["category"],
                        "name": name,
                        "keywords": keywords.split(),
                        "model": model,
                        "maker": maker,
                        "description": description.strip(),
                    },
                )
            )
    return found


def load(uri: str) -> dict[int, str]:
    """Fill a migrated, empty database with the corpus; return the place in the corpus of each entry by its number."""
    corpus = yaml.safe_load((_HERE / "corpus.yaml").read_text(encoding="utf-8"))
    providers = [(credit_code(i + 1), *line.split("|")) for i, line in enumerate(corpus["providers"])]
    places: dict[int, str] = {}
    with psycopg.connect(uri) as connection:
        for uscc, name, home, rating in providers:
            values = (uscc, name, home, ["INSPECTION_TESTING"], date(2026, 1, 1), int(rating), START, home)
            connection.execute("INSERT INTO registry.provider VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", values)
        for i, (place, entry) in enumerate(entries()):
            # Seven and the number of providers have no divisor in common: entries are spread over all of them.
            uscc, _, home, _ = providers[i * 7 % len(providers)]
            row = {**_EMPTY, **entry, "provider": uscc, "division": home, "code": f"R-{i}", "changed_at": START, "changed_by": home}
            marks = ", ".join(["%s"] * len(row))
            statement = f"INSERT INTO registry.catalogue_entry ({', '.join(row)}) VALUES ({marks}) RETURNING entry_id"
            found = connection.execute(statement.encode(), list(row.values())).fetchone()
            assert found is not None
            places[found[0]] = place
    return places


_EMPTY: dict[str, Any] = {
    "price_model": "QUOTATION", "unit": "", "serial_no": "", "institution": "", "owner": "", "place": "", "title": "", "source": "",
    "link": "", "state": "ACTIVE", "version": 1, "digest": b"",
}  # fmt: skip
