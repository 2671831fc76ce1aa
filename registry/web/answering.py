"""From an outcome to an HTTP answer: JSON or a file, its entity tag, the link to the next page, or a problem (RFC 9457)."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from starlette.responses import Response

from hub.codec.enums import REFUSAL_OUT
from hub.codec.outcome import Outcome, refusal_of
from hub.domain.refusals import Refusal, Violation
from registry.web.catalogue_operations import MEDIA
from registry.web.facts import SHAPES
from registry.web.operations import Operation
from registry.web.shapes import dump

JSON = "application/json"
_CODES = {number: code for code, number in REFUSAL_OUT.items()}


def refusal_in(outcome: Outcome) -> Refusal:
    """Return the refusal that an outcome holds, as the use case made it. LookupError for a fault."""
    message = refusal_of(outcome)
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(outcome.body).details:
        # Unpack says whether it was one.
        detail.Unpack(info)
    return Refusal(
        _CODES[message.code],
        violations=tuple(Violation(item.field, item.description) for item in message.violations),
        metadata=tuple(sorted(info.metadata.items())),
        detail_zh=message.zh,
        detail_en=message.en,
    )


def answer(operation: Operation, request: Request, outcome: Outcome) -> Response:
    """Return the answer of an approved outcome; 304 where the caller has it already."""
    message: Any = operation.response.FromString(outcome.body)
    body, media = _body(operation, message)
    shown = getattr(message, operation.answer) if operation.answer else message
    tag = f'"{getattr(shown, operation.etag) if operation.etag else hashlib.sha256(body).hexdigest()[:32]}"'
    headers = _headers(operation, request, message)
    if not operation.mutation or operation.etag:
        headers["ETag"] = tag
    if not operation.mutation and known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if operation.location:
        headers["Location"] = operation.location.format(**_named(shown))
    return Response(body, operation.status, headers, media_type=media)


def _body(operation: Operation, message: Any) -> tuple[bytes, str]:
    if operation.file:
        return bytes(getattr(message, operation.file)), ""
    plain = dump(getattr(message, operation.answer) if operation.answer else message)
    return orjson.dumps(SHAPES[operation.shape](plain) if operation.shape else plain), JSON


def _headers(operation: Operation, request: Request, message: Any) -> dict[str, str]:
    if operation.mutation:
        return {"Cache-Control": "no-store"}
    # Whoever has an answer asks whether it is still so, with its tag: standing and recognition count from their commit.
    headers = {"Cache-Control": "public, no-cache"} if operation.public else {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if operation.file:
        headers |= _file_headers(operation, request)
    if operation.paged and message.next_page_token:
        onward = request.url.include_query_params(page_token=message.next_page_token)
        headers["Link"] = f'<{onward.path}?{onward.query}>; rel="next"'
    return headers


def _file_headers(operation: Operation, request: Request) -> dict[str, str]:
    form = request.query_params["format"]
    media = {name: kind for kind, name in MEDIA}[form]
    name = f"entries.{form.rpartition('_')[2].lower()}"
    return {"Content-Type": media, "Content-Disposition": f'attachment; filename="{name}"'}


def _named(shown: Message) -> dict[str, Any]:
    """Return what a Location may name: the plain fields, of an import those of its result."""
    inner = getattr(shown, "result", shown)
    return {field.name: getattr(inner, field.name) for field in inner.DESCRIPTOR.fields if not field.is_repeated}


def told(request: Request, body: bytes, media: str) -> Response:
    """Answer with what anybody may have."""
    headers = {"Cache-Control": "public, no-cache", "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if known(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media)


def known(sent: str, tag: str) -> bool:
    """Compare weakly, as If-None-Match does (RFC 9110 13.1.2)."""
    return sent.strip() == "*" or tag in (item.strip().removeprefix("W/") for item in sent.split(","))
