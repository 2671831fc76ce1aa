"""What a REST operation is: a method and a path, the RPC behind it, and which part of the request fills which field of its message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from hub.domain.money import MAX_FEN
from registry.methods import SERVICES

PUBLIC, PROVIDER = "/api/pool/v1", "/api/provider/v1"
INT32_MAX = 2**31 - 1

_METHODS = {method.full_name: method for service in SERVICES for method in service.methods}

FORMS: dict[str, dict[str, Any]] = {
    "uscc": {"type": "string", "pattern": "^[0-9A-HJ-NPQRTUWXY]{18}$", "format": "uscc", "example": "12310104425001236Q"},
    "division": {"type": "string", "pattern": "^[1-9][0-9]{5}$", "format": "division", "example": "330522"},
    "date": {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "example": "2026-03-02"},
    "uuid": {
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
        "example": "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01",
    },
    "version": {"type": "string", "pattern": "^[!-~]{1,64}$", "example": "2026"},
    "query": {"type": "string", "minLength": 1, "maxLength": 2000, "example": "塑料薄膜成分分析"},
    "file_name": {"type": "string", "minLength": 1, "maxLength": 200, "example": "catalogue.csv"},
    "page_token": {"type": "string", "pattern": "^[A-Za-z0-9_=-]{1,4000}$", "format": "page-token"},
    "page_size": {"type": "integer", "minimum": 1, "maximum": INT32_MAX, "example": 20},
    "entry_id": {"type": "integer", "minimum": 1, "maximum": MAX_FEN, "format": "entry-id", "example": 1},
    "fen": {"type": "integer", "minimum": 0, "maximum": MAX_FEN, "example": 100000},
    "rating": {"type": "integer", "minimum": 0, "maximum": 500, "example": 400},
    "km": {"type": "integer", "minimum": 0, "maximum": 2000, "example": 100},
    "flag": {"type": "boolean", "example": True},
}
"""Shapes of parameters: what the OpenAPI document says and what is checked before the use case is asked, from one definition."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. `into` is the path of the field it fills; `form` a name in FORMS, or `enum` with the names in `only` (all, if none)."""

    name: str
    into: str
    form: str
    where: str = "query"
    only: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A request body. `into` is the field that it is, empty where its members are the request's own fields, `only` those of them.

    `media` empty means JSON; else the body is a file, and `media` says which value of `format` stands for which media type.
    """

    into: str = ""
    only: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    media: tuple[tuple[str, str], ...] = ()
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. `answer` is the field of the response that is the body, empty where it is the whole response."""

    name: str
    http: str
    path: str
    rpc: str
    tag: str
    zh: str
    en: str
    params: tuple[Param, ...] = ()
    body: Body | None = None
    answer: str = ""
    status: int = 200
    location: str = ""
    etag: str = ""
    """Where the tag is the resource's own: the field that holds it. Else it is the hash of the body."""
    file: str = ""
    """Where the answer is a file: the field of the response that holds its bytes."""
    shape: str = ""
    """Where the body is made from the response: the name of its schema, and of what makes it in `facts`."""
    codes: tuple[str, ...] = field(default=())
    """Codes of refusals beside those that every operation may give."""

    @property
    def public(self) -> bool:
        """True for what needs no identity."""
        return self.path.startswith(PUBLIC)

    @property
    def paged(self) -> bool:
        """True where the answer comes in pages."""
        return any(param.name == "page_token" for param in self.params)

    @property
    def mutation(self) -> bool:
        """True for what changes something."""
        return self.http != "GET"

    @property
    def method(self) -> MethodDescriptor:
        """The RPC behind it."""
        return _METHODS[self.rpc]

    @property
    def request(self) -> type[Message]:
        """Class of the request."""
        return GetMessageClass(self.method.input_type)

    @property
    def response(self) -> type[Message]:
        """Class of the response."""
        return GetMessageClass(self.method.output_type)


def field_at(kind: type[Message], path: str) -> Any:
    """Return the descriptor of the field at a dotted path. Raises KeyError for one that is none."""
    # Any: the types of descriptors are those of two implementations, which do not mix.
    found: Any = None
    descriptor: Any = kind.DESCRIPTOR
    for name in path.split("."):
        found = descriptor.fields_by_name[name]
        descriptor = found.message_type
    return found


def schema_of(operation: Operation, param: Param) -> dict[str, Any]:
    """Return the JSON Schema of a parameter."""
    if param.form != "enum":
        return FORMS[param.form]
    known = field_at(operation.request, param.into).enum_type
    names = param.only or tuple(value.name for value in known.values if value.number)
    return {"type": "string", "enum": list(names)}


def paging() -> tuple[Param, ...]:
    """Return the parameters of a list."""
    return Param("page_size", "page_size", "page_size"), Param("page_token", "page_token", "page_token")
