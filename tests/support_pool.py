"""A small pool with a search index, for tests: providers and entries made through the use cases that make them anywhere."""

from __future__ import annotations

from typing import Any

import psycopg

from registry.admission.direct import admit_provider
from registry.catalogue.entries import create_entry
from registry.search.indexing import catch_up
from registry.search.searching import search
from tests.support_usecases import Desk, platform
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import catalogue_pb2, registry_pb2
from yrd.registry.v1 import search_pb2 as pb

TESTING = types_pb2.CATEGORY_INSPECTION_TESTING


async def admit(desk: Desk, uscc: str, home: str, name: str, rating: int = 400) -> None:
    """Admit a provider."""
    made = registry_pb2.Provider(uscc=uscc, home=home, name=name, categories=[TESTING], admitted_on="2026-01-01", rating=rating)
    await desk.do(admit_provider, platform(home), registry_pb2.AdmitProviderRequest(provider=made))


async def offer(desk: Desk, uscc: str, home: str, code: str, name: str, **more: Any) -> int:
    """Add an entry to the catalogue and return its number."""
    instrument = more.pop("instrument", None)
    price = more.pop("price", 0)
    said: dict[str, Any] = {"category": TESTING, **more}
    if instrument is not None:
        said |= {"kind": catalogue_pb2.ENTRY_KIND_INSTRUMENT, "category": types_pb2.CATEGORY_INSTRUMENT}
        said["instrument"] = catalogue_pb2.InstrumentDetails(model=instrument, maker="日本电子")
    if price:
        said["price"] = catalogue_pb2.EntryPrice(model=catalogue_pb2.PRICE_MODEL_FIXED, from_fen=price)
    said.setdefault("kind", catalogue_pb2.ENTRY_KIND_SERVICE)
    entry = catalogue_pb2.CatalogueEntry(provider=uscc, code=code, name=name, **said)
    answer = await desk.do(create_entry, platform(home), catalogue_pb2.CreateEntryRequest(entry=entry))
    return int(answer.entry.entry_id)


async def index(uri: str) -> int:
    """Catch up with the queue and return how many of its lines were done."""
    done = 0
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as connection:
        while more := await catch_up(connection):
            done += more
    return done


async def look(desk: Desk, query: str, *, division: str = "330000", **more: Any) -> pb.SearchResponse:
    """Search as a platform."""
    answer: pb.SearchResponse = await desk.ask(search, platform(division), pb.SearchRequest(query=query, **more))
    return answer


def names(answer: pb.SearchResponse) -> list[str]:
    """Return the names of hits in order."""
    return [hit.name for hit in answer.hits]
