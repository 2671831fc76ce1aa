"""The search that everyone calls."""

from __future__ import annotations

from dataclasses import replace

from hub.application.keyset import word
from hub.application.paging import asked_by, asked_otherwise, page_size, read_token, write_token
from hub.application.transaction import Transaction, UseCase
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, invalid
from registry.search import store
from registry.search.codec import facet_messages, hit_message, read_search, reading_message
from registry.search.finding import Found, Hit, find
from yrd.registry.v1 import search_pb2 as pb

PAGE = 20
PAGE_MAX = 100

_MODES = ("ALL", "SOME")
_PERSONS = "EXPERT"


async def search(tx: Transaction, request: pb.SearchRequest) -> pb.SearchResponse | Refusal:
    """Find what the pool offers, best first. INVALID_ARGUMENT for wrong fields, and for a page token of another search.

    The public finds no experts, who are persons, and cannot count them either.
    """
    fields = Fields()
    asked = read_search(request, fields)
    if tx.caller.role is Role.PUBLIC:
        if asked.kind == _PERSONS:
            fields.wrong("filter.kind", "must not be EXPERT here: experts are found by participants only")
        asked = replace(asked, kind=asked.kind or f"!{_PERSONS}")
    size, whole = page_size(request.page_size, PAGE, PAGE_MAX), asked_by(tx.caller, request)
    if isinstance(size, Refusal):
        return size
    position = fields.refusal or _read_position(request, whole)
    if isinstance(position, Refusal):
        return position
    after, mode, corrected = position
    found = await find(tx.session, replace(asked, query=corrected or asked.query), tx.today, mode)
    found.corrected = corrected or found.corrected
    rest = [hit for hit in found.hits if after is None or (-hit.points, hit.found.doc_id) > after]
    hits = rest[:size]
    shown = await store.shown(tx.session, [hit.found.doc_id for hit in hits])
    return pb.SearchResponse(
        hits=[hit_message(hit, shown[hit.found.doc_id]) for hit in hits if hit.found.doc_id in shown],
        total=found.matches.total,
        total_is_least=found.matches.capped,
        facets=facet_messages(found.matches.facets) if asked.facets else [],
        reading=reading_message(found),
        next_page_token=_write_position(whole, found, hits[-1]) if len(rest) > size else "",
    )


def _read_position(request: pb.SearchRequest, whole: str) -> tuple[tuple[int, int] | None, str, str] | Refusal:
    """Return where the page before ended, how it took the words, and the corrected query."""
    parts = read_token(request.page_token, 5)
    if isinstance(parts, Refusal):
        return parts
    if parts is None:
        return None, "", ""
    asked, points, doc_id, mode, corrected = parts
    if asked != whole:
        return asked_otherwise()
    try:
        if mode not in _MODES:
            raise ValueError(mode)
        return (-int(points), int(doc_id)), mode, word(corrected)
    except ValueError:
        return invalid("page_token", "is not a token of this search; start again without one")


def _write_position(whole: str, found: Found, last: Hit) -> str:
    return write_token([whole, str(last.points), str(last.found.doc_id), found.mode, found.corrected])


METHODS: dict[str, UseCase] = {"yrd.registry.v1.SearchService.Search": search}
