"""Over REST an entry is known by its number, to the use case by provider, kind and code, which never change."""

from __future__ import annotations

from typing import Any, Protocol

from hub.codec.fields import Fields
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode
from registry.web.answering import refusal_in
from yrd.registry.v1 import catalogue_pb2 as pb

_GET = "yrd.registry.v1.CatalogueService.GetEntry"


class _Calls(Protocol):
    async def call(self, name: str, payload: bytes, caller: Caller) -> Outcome: ...


async def with_key(calls: _Calls, caller: Caller, request: Any) -> Any:
    """Fill in the key of the entry that the path names; INVALID_ARGUMENT where the body names another, INVALID_STATE for a merged one."""
    entry = request.entry
    outcome = await calls.call(_GET, pb.GetEntryRequest(entry_id=entry.entry_id).SerializeToString(), caller)
    if not outcome.ok:
        return refusal_in(outcome)
    known = pb.GetEntryResponse.FromString(outcome.body).entry
    if known.entry_id != entry.entry_id:
        return Refusal(RefusalCode.INVALID_STATE, metadata=(("merged_into", str(known.entry_id)),))
    fields = Fields()
    for name in ("provider", "kind", "code"):
        if getattr(entry, name) not in (type(entry)().__getattribute__(name), getattr(known, name)):
            fields.wrong(f"entry.{name}", "must be that of the entry in the path, or be left out")
        setattr(entry, name, getattr(known, name))
    return fields.refusal or request
