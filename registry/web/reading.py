"""From an HTTP request to the message of its RPC; whatever is wrong with it is told by the names that the caller sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, Violation
from registry.web.operations import FORMS, Operation, Param, field_at, schema_of
from registry.web.shapes import load, read_parameter

KEY, MATCH = "Idempotency-Key", "If-Match"


async def read_request(operation: Operation, request: Request, body_max: int) -> Message | Refusal:
    """Return the message, or INVALID_ARGUMENT, UNKNOWN_FIELD, MESSAGE_TOO_LARGE."""
    message, fields = operation.request(), Fields()
    body = await _body(request, body_max)
    if isinstance(body, Refusal):
        return body
    unknown = _read_body(operation, request, body, message, fields)
    unknown = _read_parameters(operation, request, message, fields) or unknown
    if operation.mutation:
        key = request.headers.get(KEY, "")
        try:
            message.request_id = read_parameter(FORMS["uuid"], key)  # type: ignore[attr-defined]  # every mutation has one
        except ValueError:
            fields.wrong(KEY, "must be a UUID such as 7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01")
    if operation.mutation and operation.etag and operation.http != "POST":
        _read_match(operation, request, message, fields)
    return unknown or fields.refusal or message


async def _body(request: Request, bytes_max: int) -> bytes | Refusal:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            return Refusal(RefusalCode.MESSAGE_TOO_LARGE, metadata=(("bytes_max", str(bytes_max)),))
    return bytes(body)


def _read_body(operation: Operation, request: Request, sent: bytes, message: Message, fields: Fields) -> Refusal | None:
    body = operation.body
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body is None:
        if sent:
            fields.wrong("(body)", "must be empty")
        return None
    if body.media:
        form = dict(body.media).get(media)
        if form is None:
            fields.wrong("Content-Type", f"must be one of {', '.join(name for name, _ in body.media)}")
        else:
            put(message, "format", form)
            setattr(message, body.into, sent)
        return None
    if media != "application/json":
        fields.wrong("Content-Type", "must be application/json")
        return None
    target = getattr(message, body.into) if body.into else message
    if body.into:
        target.SetInParent()
    wrong = load(sent, target, body.only, body.required)
    fields.violations += wrong
    unknown = next((item for item in wrong if item.description == "is not a field of the contract"), None)
    return _unknown(unknown.field) if unknown else None


def _read_parameters(operation: Operation, request: Request, message: Message, fields: Fields) -> Refusal | None:
    given = request.query_params.multi_items()
    known = {param.name: param for param in operation.params if param.where == "query"}
    for name, count in Counter(name for name, _ in given).items():
        if name not in known:
            return _unknown(name)
        if count > 1:
            fields.wrong(name, "must be given once")
    for name, text in given:
        _read_parameter(operation, known[name], text, message, fields)
    for param in operation.params:
        if param.where == "path":
            _read_parameter(operation, param, str(request.path_params[param.name]), message, fields)
        elif param.required and not any(name == param.name for name, _ in given):
            fields.wrong(param.name, "is required")
    return None


def _read_parameter(operation: Operation, param: Param, text: str, message: Message, fields: Fields) -> None:
    try:
        text.encode()
        put(message, param.into, read_parameter(schema_of(operation, param), text))
    except ValueError as error:
        fields.wrong(param.name, "must be UTF-8" if isinstance(error, UnicodeError) else str(error))


def _read_match(operation: Operation, request: Request, message: Any, fields: Fields) -> None:
    """Put the tag of If-Match where the use case compares it. Without one the change is unconditional."""
    sent = request.headers.get(MATCH, "").strip()
    if not sent or sent == "*":
        return
    tag = unquoted(sent)
    if tag is None:
        fields.wrong(MATCH, 'must be * or one entity tag, such as "3f2a…"')
        return
    target = getattr(message, operation.body.into) if operation.body and operation.body.into else message
    target.etag = tag


def unquoted(sent: str) -> str | None:
    """Return what an entity tag holds, None where it is none or several. A weak one never matches (RFC 9110 13.1.1) and stays as it is."""
    if sent.startswith("W/"):
        return sent
    inner = sent[1:-1]
    return inner if len(sent) > 2 and sent[0] == sent[-1] == '"' and '"' not in inner else None


def put(message: Message, path: str, value: Any) -> None:
    """Set the field at a dotted path; of an enum by the value's name."""
    kind = field_at(type(message), path)
    *parents, name = path.split(".")
    target: Any = message
    for parent in parents:
        target = getattr(target, parent)
    if kind.type == FieldDescriptor.TYPE_ENUM:
        value = kind.enum_type.values_by_name[value].number
    setattr(target, name, value)


def outward(operation: Operation, refusal: Refusal) -> Refusal:
    """Return a refusal of the use case with the names of the REST request instead of those of the message."""
    names = {param.into: param.name for param in operation.params} | {"request_id": KEY}
    prefix = f"{operation.body.into}." if operation.body and operation.body.into else ""

    def renamed(place: str) -> str:
        return names.get(place) or (place.removeprefix(prefix) if prefix else place)

    violations = tuple(Violation(renamed(item.field), item.description) for item in refusal.violations)
    metadata = tuple((name, renamed(value) if name == "field" else value) for name, value in refusal.metadata)
    return replace(refusal, violations=violations, metadata=metadata)


def _unknown(name: str) -> Refusal:
    name = unquote(name)[:100].encode(errors="replace").decode()
    return Refusal(
        RefusalCode.UNKNOWN_FIELD,
        violations=(Violation(name, "is not a field of the contract"),),
        metadata=(("field", name),),
        detail_zh=f"字段 {name} 不在合约中",
        detail_en=f"field {name} is not in the contract",
    )
