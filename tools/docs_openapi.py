"""docs/openapi.json: the REST part as OpenAPI 3.1, from its table of operations, the contract and its comments, in two languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs_api import _comments, _parse
from docs_openapi_parts import FACTS, HEADERS, INFO, PROBLEM, REQUEST_HEADERS, SHAPES, TAGS, problem_responses
from google.protobuf.descriptor import FieldDescriptor

from hub.domain.money import MAX_FEN
from registry.web.operations import Operation, Param, field_at, schema_of
from registry.web.router import OPERATIONS
from registry.web.shapes import INTEGERS, TIMESTAMP

_WORDS = dict(line.split(" ", 1) for line in Path(__file__).with_name("openapi_words.txt").read_text().splitlines())


def _all_comments() -> dict[str, str]:
    """Comments by full name of message, field, enum and value."""
    found: dict[str, str] = {}
    for file in _parse():
        comments = _comments(file)
        for i, message in enumerate(file.message_type):
            full = f"{file.package}.{message.name}"
            found[full] = comments.get((4, i), "")
            found |= {f"{full}.{field.name}": comments.get((4, i, 2, j), "") for j, field in enumerate(message.field)}
        for i, enum in enumerate(file.enum_type):
            full = f"{file.package}.{enum.name}"
            found[full] = comments.get((5, i), "")
            found |= {f"{full}.{value.name}": comments.get((5, i, 2, j), "") for j, value in enumerate(enum.value)}
    return found


class Document:
    """Collects the schemas that its operations need."""

    def __init__(self) -> None:
        self._comments = _all_comments()
        self.schemas: dict[str, Any] = {**SHAPES, "Problem": PROBLEM}

    def make(self) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for operation in OPERATIONS:
            paths.setdefault(operation.path, {})[operation.http.lower()] = self._operation(operation)
        return {
            "openapi": "3.1.0",
            "info": INFO,
            "servers": [{"url": "/"}],
            "tags": TAGS,
            "paths": dict(sorted((paths | FACTS).items())),
            "components": {
                "schemas": dict(sorted(self.schemas.items())),
                "responses": problem_responses(),
                "headers": HEADERS,
                "parameters": REQUEST_HEADERS,
                "securitySchemes": {
                    "token": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "与客户端证书绑定的访问令牌(RFC 8705)。 Access token bound to the client certificate (RFC 8705).",
                    },
                    "certificate": {
                        "type": "mutualTLS",
                        "description": "本省 CA 签发的客户端证书。 Client certificate of the province's CA.",
                    },
                },
            },
        }

    def _operation(self, operation: Operation) -> dict[str, Any]:
        made: dict[str, Any] = {
            "operationId": operation.name,
            "tags": [operation.tag],
            "summary": f"{operation.zh} · {operation.en}",
            "description": self._about(operation),
            "security": [] if operation.public else [{"token": [], "certificate": []}],
            "parameters": [self._parameter(operation, param) for param in operation.params] + self._headers(operation),
            "responses": self._responses(operation),
        }
        if operation.body is not None:
            made["requestBody"] = self._body(operation)
        return made

    def _about(self, operation: Operation) -> str:
        scope = "" if operation.public else f"\n\n权限范围 Scope: `{_scope(operation)}`."
        codes = ", ".join(f"`{code}`" for code in operation.codes)
        refusals = f"\n\n可能的拒绝 Refusals: {codes}." if codes else ""
        return f"同 gRPC 方法 Same as the RPC `{operation.rpc}`.{scope}{refusals}"

    def _parameter(self, operation: Operation, param: Param) -> dict[str, Any]:
        schema = {name: value for name, value in schema_of(operation, param).items() if name != "example"}
        example = schema_of(operation, param).get("example", schema.get("enum", [None])[0])
        about = self._field(field_at(operation.request, param.into))
        made = {"name": param.name, "in": param.where, "required": param.required, "description": about, "schema": schema}
        return made | ({"example": example} if example is not None else {})

    def _headers(self, operation: Operation) -> list[dict[str, str]]:
        if not operation.mutation:
            return [{"$ref": "#/components/parameters/IfNoneMatch"}]
        names = ["IdempotencyKey", *(["IfMatch"] if operation.etag and operation.http != "POST" else [])]
        return [{"$ref": f"#/components/parameters/{name}"} for name in names]

    def _body(self, operation: Operation) -> dict[str, Any]:
        body = operation.body
        assert body is not None
        if body.media:
            file = {"type": "string", "format": "binary", "description": "文件 The file"}
            content = {media: {"schema": file} for media, _ in body.media}
            content["text/csv"]["example"] = body.example
            return {"required": True, "content": content}
        kind = field_at(operation.request, body.into).message_type if body.into else operation.request.DESCRIPTOR
        name = self._message(kind, answer=False, only=body.only, required=body.required, name=f"{kind.name}Body")
        return {"required": True, "content": {"application/json": {"schema": name, "example": body.example}}}

    def _responses(self, operation: Operation) -> dict[str, Any]:
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _answer_headers(operation)}
        good = {"description": "成功 Success", "headers": headers, "content": self._content(operation)}
        statuses = [400, 404, 429, 500, 503]
        statuses += [] if operation.public else [401, 403]
        statuses += [409, 413] if operation.mutation else []
        statuses += [412] if operation.mutation and operation.etag and operation.http != "POST" else []
        made: dict[str, Any] = {str(operation.status): good}
        if not operation.mutation:
            made["304"] = {"description": "自该 ETag 以来未变 Not changed since that ETag", "headers": {"ETag": headers["ETag"]}}
        return made | {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}

    def _content(self, operation: Operation) -> dict[str, Any]:
        if operation.file:
            from registry.web.catalogue_operations import MEDIA

            return {media: {"schema": {"type": "string", "format": "binary"}} for media, _ in MEDIA}
        if operation.shape:
            return {"application/json": {"schema": {"$ref": f"#/components/schemas/{operation.shape}"}}}
        kind = field_at(operation.response, operation.answer).message_type if operation.answer else operation.response.DESCRIPTOR
        return {"application/json": {"schema": self._message(kind, answer=True)}}

    def _message(
        self, kind: Any, *, answer: bool, only: tuple[str, ...] = (), required: tuple[str, ...] = (), name: str = ""
    ) -> dict[str, str]:
        """Return a reference to a message's schema: of an answer every plain field is there, of a body what `required` names."""
        name = name or (kind.name if answer else f"{kind.name}Input")
        if name not in self.schemas:
            self.schemas[name] = made = {"type": "object", "description": self._comments[kind.full_name], "additionalProperties": False}
            made["properties"] = {field.name: self._value(field, answer) for field in kind.fields if not only or field.name in only}
            always = [field.name for field in kind.fields if answer and not field.has_presence]
            if always or required:
                made["required"] = [*always, *required]
        return {"$ref": f"#/components/schemas/{name}"}

    def _value(self, field: Any, answer: bool) -> dict[str, Any]:
        one = self._single(field, answer)
        about = {"description": self._field(field)}
        if field.is_repeated:
            return {"type": "array", "items": one, **about}
        return {"allOf": [one], **about} if "$ref" in one else {**one, **about}

    def _single(self, field: Any, answer: bool) -> dict[str, Any]:
        if field.message_type is not None:
            if field.message_type.full_name == TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            return self._message(field.message_type, answer=answer)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.cpp_type in INTEGERS:
            least, most = INTEGERS[field.cpp_type]
            return {"type": "integer", "format": "int64" if most == MAX_FEN else "int32", "minimum": least, "maximum": most}
        return {"type": "boolean"} if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else {"type": "string"}

    def _enum(self, kind: Any) -> dict[str, str]:
        meanings = "\n".join(f"- `{value.name}`: {self._comments[f'{kind.full_name}.{value.name}']}" for value in kind.values)
        about = f"{self._comments[kind.full_name]}\n\n{meanings}"
        self.schemas.setdefault(kind.name, {"type": "string", "enum": [value.name for value in kind.values], "description": about})
        return {"$ref": f"#/components/schemas/{kind.name}"}

    def _field(self, field: Any) -> str:
        return f"{_WORDS[field.name]}。 {self._comments[field.full_name]}"


def _answer_headers(operation: Operation) -> Iterator[str]:
    if not operation.mutation or operation.etag:
        yield "ETag"
    if operation.paged:
        yield "Link"
    if operation.location:
        yield "Location"


def _scope(operation: Operation) -> str:
    from yrd.common.v1 import access_pb2

    return str(operation.method.GetOptions().Extensions[access_pb2.access].scope)


def render() -> str:
    return json.dumps(Document().make(), ensure_ascii=False, indent=1) + "\n"
