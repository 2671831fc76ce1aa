"""Entries, imports and proposed merges: messages to domain and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from hub.codec import enums
from hub.codec.encode import timestamp
from hub.codec.fields import Fields
from hub.domain.policy import Category
from registry.catalogue.domain import CATEGORY_OF_KIND, Entry, EntryState, Kind, Price, PriceModel, etag_of, personal_data
from registry.catalogue.tables import EntryRow, VersionRow
from yrd.registry.v1 import catalogue_pb2 as pb

NAME_CHARS_MAX = 200
DESCRIPTION_CHARS_MAX = 4_000
KEYWORDS_MAX = 30
KEYWORD_CHARS_MAX = 50
UNIT_CHARS_MAX = 20
PLACE_CHARS_MAX = 300
LINK_CHARS_MAX = 500
DAYS_MAX = 3_650
HOURS_MAX = 8_784
"""Hours of a leap year."""

KIND_IN: dict[int, Kind] = {number: Kind(name.removeprefix("ENTRY_KIND_")) for name, number in pb.EntryKind.items() if number}
KIND_OUT: dict[Kind, Any] = {kind: number for number, kind in KIND_IN.items()}
MODEL_IN: dict[int, PriceModel] = {
    number: PriceModel(name.removeprefix("PRICE_MODEL_")) for name, number in pb.PriceModel.items() if number
}
MODEL_OUT: dict[PriceModel, Any] = {model: number for number, model in MODEL_IN.items()}
STATE_OUT: dict[EntryState, Any] = {
    EntryState(name.removeprefix("ENTRY_STATE_")): number for name, number in pb.EntryState.items() if number
}

_DETAILS = {Kind.SERVICE: "", Kind.INSTRUMENT: "instrument", Kind.EXPERT: "expert", Kind.LITERATURE: "resource", Kind.DATA: "resource"}


def read_entry(message: pb.CatalogueEntry, fields: Fields, at: str = "entry") -> Entry:
    """Read what a provider says of an entry; every wrong field is noted."""
    kind = fields.enum(f"{at}.kind", message.kind, KIND_IN)
    details = message.WhichOneof("details")
    if details is not None and details != _DETAILS[kind]:
        fields.wrong(f"{at}.{details}", f"does not belong to {kind}; leave it out")
    entry = Entry(
        provider=fields.uscc(f"{at}.provider", message.provider),
        kind=kind,
        code=fields.number(f"{at}.code", message.code),
        name=fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        category=_category(message, kind, fields, at),
        description=fields.text(f"{at}.description", message.description, DESCRIPTION_CHARS_MAX, required=False),
        keywords=_keywords(message.keywords, fields, at),
        price=_price(message.price, fields, f"{at}.price"),
        delivery_days=fields.between(f"{at}.delivery_days", message.delivery_days, 0, DAYS_MAX) or None,
        **_details(message, kind, fields, at),
    )
    for violation in personal_data(entry):
        fields.wrong(f"{at}.{'expert.title' if violation.field == 'title' else violation.field}", violation.description)
    return entry


def _category(message: pb.CatalogueEntry, kind: Kind, fields: Fields, at: str) -> Category:
    return fields.enum(f"{at}.category", message.category, enums.CATEGORY_IN, CATEGORY_OF_KIND.get(kind))


def _keywords(given: Sequence[str], fields: Fields, at: str) -> tuple[str, ...]:
    if len(given) > KEYWORDS_MAX:
        fields.wrong(f"{at}.keywords", f"must be at most {KEYWORDS_MAX}")
        return ()
    return tuple(fields.text(f"{at}.keywords[{i}]", word, KEYWORD_CHARS_MAX) for i, word in enumerate(given))


def _price(given: pb.EntryPrice, fields: Fields, at: str) -> Price:
    model = fields.enum(f"{at}.model", given.model, MODEL_IN, PriceModel.QUOTATION)
    unit = fields.text(f"{at}.unit", given.unit, UNIT_CHARS_MAX, required=model is PriceModel.PER_UNIT)
    if unit and model is not PriceModel.PER_UNIT:
        fields.wrong(f"{at}.unit", "belongs to PER_UNIT; leave it empty")
    if model is PriceModel.QUOTATION:
        for name, amount in (("from_fen", given.from_fen), ("to_fen", given.to_fen)):
            if amount:
                fields.wrong(f"{at}.{name}", "must be 0 on quotation; choose another price model to name an amount")
        return Price()
    least = fields.fen(f"{at}.from_fen", given.from_fen)
    if model is PriceModel.RANGE:
        most = fields.fen(f"{at}.to_fen", given.to_fen)
        if most < least:
            fields.wrong(f"{at}.to_fen", "must not be below from_fen")
        return Price(model, unit, least, most)
    if given.to_fen not in (0, given.from_fen):
        fields.wrong(f"{at}.to_fen", "must be 0 or equal from_fen; choose RANGE for two amounts")
    return Price(model, unit, least, least)


def _details(message: pb.CatalogueEntry, kind: Kind, fields: Fields, at: str) -> dict[str, Any]:
    if kind is Kind.INSTRUMENT:
        return _instrument(message.instrument, fields, f"{at}.instrument")
    if kind is Kind.EXPERT:
        return {
            "title": fields.text(f"{at}.expert.title", message.expert.title, NAME_CHARS_MAX, required=False),
            "institution": fields.text(f"{at}.expert.institution", message.expert.institution, NAME_CHARS_MAX, required=False),
        }
    if kind is Kind.SERVICE:
        return {}
    link = fields.text(f"{at}.resource.link", message.resource.link, LINK_CHARS_MAX, required=False)
    if link and not link.startswith(("https://", "http://")):
        # Anything else, such as javascript:, would run in the browser of whoever follows it.
        fields.wrong(f"{at}.resource.link", "must begin with https:// or http://")
    return {"source": fields.text(f"{at}.resource.source", message.resource.source, NAME_CHARS_MAX, required=False), "link": link}


def _instrument(given: pb.InstrumentDetails, fields: Fields, at: str) -> dict[str, Any]:
    def text(name: str, most: int, *, required: bool = False) -> str:
        return fields.text(f"{at}.{name}", getattr(given, name), most, required=required)

    return {
        "model": text("model", NAME_CHARS_MAX, required=True),
        "maker": text("maker", NAME_CHARS_MAX),
        "serial_no": text("serial_no", 64),
        "original_value": fields.fen(f"{at}.original_value_fen", given.original_value_fen) or None,
        "institution": text("institution", NAME_CHARS_MAX),
        "owner": fields.uscc(f"{at}.owner", given.owner) if given.owner else "",
        "place": text("place", PLACE_CHARS_MAX),
        "hours_per_year": fields.between(f"{at}.hours_per_year", given.hours_per_year, 0, HOURS_MAX) or None,
        "open_since": fields.optional_date(f"{at}.open_since", given.open_since),
    }


def content_message(content: Mapping[str, Any]) -> pb.CatalogueEntry:
    """Return what an entry says, from its columns, without what the hub adds."""
    kind = Kind(content["kind"])
    message = pb.CatalogueEntry(
        provider=content["provider"],
        kind=KIND_OUT[kind],
        code=content["code"],
        name=content["name"],
        description=content["description"],
        category=enums.CATEGORY_OUT[Category(content["category"])],
        keywords=content["keywords"],
        delivery_days=content["delivery_days"] or 0,
    )
    message.price.model = MODEL_OUT[PriceModel(content["price_model"])]
    message.price.unit = content["unit"]
    message.price.from_fen, message.price.to_fen = content["price_from"] or 0, content["price_to"] or 0
    if kind is Kind.INSTRUMENT:
        message.instrument.CopyFrom(_instrument_message(content))
    elif kind is Kind.EXPERT:
        message.expert.CopyFrom(pb.ExpertDetails(title=content["title"], institution=content["institution"]))
    elif kind is not Kind.SERVICE:
        message.resource.CopyFrom(pb.ResourceDetails(source=content["source"], link=content["link"]))
    return message


def _instrument_message(content: Mapping[str, Any]) -> pb.InstrumentDetails:
    since = content["open_since"]
    texts = {name: content[name] for name in ("model", "maker", "serial_no", "institution", "owner", "place")}
    return pb.InstrumentDetails(
        **texts,
        original_value_fen=content["original_value"] or 0,
        hours_per_year=content["hours_per_year"] or 0,
        open_since=since.isoformat() if isinstance(since, date) else since or "",
    )


def entry_message(row: EntryRow) -> pb.CatalogueEntry:
    """Return an entry as participants see it."""
    message = content_message(row.model_dump())
    assert row.entry_id is not None
    _add(message, row.entry_id, row.division, row.state, row.version, row.changed_at)
    message.merged_into = row.merged_into or 0
    message.etag = etag(row)
    return message


def etag(row: EntryRow) -> str:
    """Return the tag of an entry's present state."""
    return etag_of(row.version, EntryState(row.state), row.digest)


def version_message(row: VersionRow, division: str) -> pb.EntryVersion:
    """Return one state that an entry was in."""
    message = content_message(row.content)
    _add(message, row.entry_id, division, row.state, row.version, row.changed_at)
    return pb.EntryVersion(entry=message, cause=row.cause, changed_by=row.changed_by)


def _add(message: pb.CatalogueEntry, entry_id: int, division: str, state: str, version: int, changed_at: datetime) -> None:
    message.entry_id, message.division, message.version = entry_id, division, version
    message.state = STATE_OUT[EntryState(state)]
    message.changed_at.CopyFrom(timestamp(changed_at))
