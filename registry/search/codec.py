"""Searches: messages to what is asked, hits to messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.policy import Category
from registry.catalogue.codec import MODEL_OUT
from registry.catalogue.domain import PriceModel
from registry.search.domain import Field, Part, PartKind
from registry.search.finding import Asked, Found, Hit
from registry.search.places import distance_km, prefecture_of
from registry.search.wording import in_words
from yrd.registry.v1 import catalogue_pb2
from yrd.registry.v1 import search_pb2 as pb

QUERY_CHARS_MAX = 2_000
RATING_MAX = 500
KM_MAX = 2_000

_KIND_IN: dict[int, str] = {number: name.removeprefix("HIT_KIND_") for name, number in pb.HitKind.items() if number}
_KIND_OUT: dict[str, Any] = {name: number for number, name in _KIND_IN.items()}
_PART_OUT = {kind: pb.ScorePartKind.Value(f"SCORE_PART_KIND_{kind.value}") for kind in PartKind}
_FIELD_OUT = {field: pb.HitField.Value(f"HIT_FIELD_{field.value}") for field in Field}


def read_search(request: pb.SearchRequest, fields: Fields) -> Asked:
    """Read a search; every wrong field is noted."""
    wanted = request.filter
    if wanted.recognized and not request.issuer:
        fields.wrong("issuer", "must be named with filter.recognized: whose recognition?")
    if wanted.within_km and not request.near:
        fields.wrong("near", "must be named with filter.within_km: from where?")
    near = fields.division("near", request.near) if request.near else ""
    if near and not fields.violations and distance_km(near, near) is None:
        fields.wrong("near", "must be a division of a province that takes part")
    asked = Asked(
        query=fields.text("query", request.query, QUERY_CHARS_MAX, required=False),
        division=fields.division("filter.division", wanted.division) if wanted.division else "",
        category=fields.enum("filter.category", wanted.category, enums.CATEGORY_IN).value if wanted.category else "",
        kind=fields.enum("filter.kind", wanted.kind, _KIND_IN) if wanted.kind else "",
        price_from=fields.fen("filter.price_from_fen", wanted.price_from_fen),
        price_to=fields.fen("filter.price_to_fen", wanted.price_to_fen),
        min_rating=fields.between("filter.min_rating", wanted.min_rating, 0, RATING_MAX),
        recognized=wanted.recognized,
        km=fields.between("filter.within_km", wanted.within_km, 0, KM_MAX),
        issuer=fields.division("issuer", request.issuer) if request.issuer else "",
        near=near,
        facets=request.facets and not request.page_token,
    )
    if asked.price_to and asked.price_to < asked.price_from:
        fields.wrong("filter.price_to_fen", "must not be below price_from_fen")
    return asked


def hit_message(hit: Hit, shown: Sequence[Any]) -> pb.SearchHit:
    """A hit with what is shown of it and the parts of its score."""
    doc_id, provider, provider_name, division, kind, categories, rating, name, model, price_model, unit, price_from, price_to = shown
    message = pb.SearchHit(
        kind=_KIND_OUT[kind],
        entry_id=max(doc_id, 0),
        provider=provider,
        provider_name=provider_name,
        division=division,
        name=name,
        model=model,
        rating=rating,
        recognized=bool(hit.around.recognized),
        distance_km=hit.around.km or 0,
        score=hit.points,
        parts=[_part_message(part) for part in hit.parts],
    )
    if doc_id > 0:
        message.category = enums.CATEGORY_OUT[Category(categories[0])]
        message.price.CopyFrom(
            catalogue_pb2.EntryPrice(model=MODEL_OUT[PriceModel(price_model)], unit=unit, from_fen=price_from or 0, to_fen=price_to or 0)
        )
    return message


def _part_message(part: Part) -> pb.ScorePart:
    zh, en = in_words(part)
    field = _FIELD_OUT[part.field] if part.field else pb.HIT_FIELD_UNSPECIFIED
    return pb.ScorePart(kind=_PART_OUT[part.kind], points=part.points, word=part.word, found=part.found, field=field, zh=zh, en=en)


def facet_messages(counts: Iterable[tuple[str, str, tuple[str, ...], int, int]]) -> list[pb.Facet]:
    """The facets of counts by (division, kind, categories, band)."""
    by: dict[str, Counter[str]] = {name: Counter() for name in ("division", "category", "kind", "price")}
    for division, kind, categories, band, count in counts:
        by["division"][prefecture_of(division)] += count
        by["kind"][kind] += count
        if kind != "PROVIDER":
            by["price"][pb.PriceBand.Name(pb.PriceBand.ValueType(band)).removeprefix("PRICE_BAND_")] += count
        for category in categories:
            by["category"][category] += count
    return [
        pb.Facet(
            name=name,
            values=[pb.FacetValue(value=v, count=n) for v, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))],
        )
        for name, found in by.items()
    ]


def reading_message(found: Found) -> pb.QueryReading:
    """How the query was understood."""
    return pb.QueryReading(words=[word.text for word in found.words], corrected=found.corrected, relaxed=found.mode == "SOME")
