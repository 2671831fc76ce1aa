"""What the public part tells beside the RPCs' answers: categories, regions, suggestions as one types, the OpenAPI document and its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from hub.web.divisions import DivisionNames
from registry.search.documents import CATEGORY_WORDS
from yrd.common.v1 import types_pb2

SUGGESTIONS_MAX = 10

_ENGLISH = {
    "REAGENT": "Reagents",
    "LAB_ANIMAL": "Laboratory animals",
    "DATA": "Scientific data",
    "LITERATURE": "Scientific literature",
    "ST_REPORT": "Science and technology reports",
    "GERMPLASM": "Germplasm resources",
    "RESEARCH": "Research and development",
    "TECH_TRANSFER": "Technology transfer",
    "INSPECTION_TESTING": "Inspection, testing and certification",
    "INCUBATION": "Incubation of start-ups",
    "IP": "Intellectual property",
    "CONSULTING": "Science and technology consulting",
    "ST_FINANCE": "Science and technology finance",
    "INSTRUMENT": "Use of large instruments",
}


def categories() -> dict[str, Any]:
    """Return the categories that vouchers may pay for (rules.md S1), with their names."""
    names = [name.removeprefix("CATEGORY_") for name, number in types_pb2.Category.items() if number]
    return {"categories": [{"category": f"CATEGORY_{name}", "zh": CATEGORY_WORDS[name], "en": _ENGLISH[name]} for name in names]}


def regions(names: DivisionNames, day: date) -> dict[str, Any]:
    """Return the province-level divisions known on a day, with their names."""
    known = [names.name(code, day) for code in sorted(names.regions(day))]
    return {"regions": [{"division": item.code, "zh": item.zh, "en": item.en} for item in known]}


def suggestions(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return names to choose from, of the best hits of a search, and the query as it was corrected."""
    texts = list(dict.fromkeys(hit["name"] for hit in answer["hits"]))[:SUGGESTIONS_MAX]
    return {"suggestions": texts, "corrected": answer["reading"]["corrected"]}


SHAPES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"Suggestions": suggestions}
"""What makes the bodies of operations that have a shape of their own."""
