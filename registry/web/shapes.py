"""JSON to messages and back: protobuf's JSON mapping with the contract's own field names, and 64-bit integers as JSON integers.

protobuf would write them as strings. All of the contract's are amounts and numbers up to 2^53 - 1, which every JSON reader takes exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from hub.domain.money import MAX_FEN
from hub.domain.refusals import Violation

Wrong = Callable[[str, str], None]
"""Notes a wrong place: its path, and what to send instead."""

INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-MAX_FEN, MAX_FEN),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, MAX_FEN),
}
_LONG = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_NAME_CHARS_MAX = 100
TIMESTAMP = "google.protobuf.Timestamp"


def dump(message: Message) -> Any:
    """Return a message as what JSON is written from. Fields without presence are always there."""
    plain = json_format.MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _numbers(message.DESCRIPTOR, plain)


def _numbers(descriptor: Any, plain: dict[str, Any]) -> dict[str, Any]:
    for name, value in plain.items():
        field = descriptor.fields_by_name[name]
        if field.cpp_type in _LONG:
            plain[name] = [int(item) for item in value] if field.is_repeated else int(value)
        elif field.message_type is not None and field.message_type.full_name != TIMESTAMP:
            for item in value if field.is_repeated else [value]:
                _numbers(field.message_type, item)
    return plain


def load(body: bytes, message: Message, only: tuple[str, ...] = (), required: tuple[str, ...] = ()) -> list[Violation]:
    """Fill a message from JSON and return what is wrong with it, in full; the message is of no use then.

    `only` are the members allowed where not all are, `required` those that must be there.
    """
    wrong: list[Violation] = []
    try:
        plain = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return [Violation("(body)", f"is no JSON in UTF-8: {error}")]

    def note(place: str, description: str) -> None:
        wrong.append(Violation(place, description))

    _check_object(message.DESCRIPTOR, plain, "", note, only)
    if isinstance(plain, dict):
        wrong += [Violation(name, "is required") for name in required if name not in plain]
    if not wrong:
        try:
            json_format.ParseDict(plain, message)
        except json_format.ParseError as error:
            # What shape does not show: two members of a oneof, an instant out of range.
            note("(body)", str(error)[:200])
    return wrong


def _check_object(descriptor: Any, plain: Any, at: str, wrong: Wrong, only: tuple[str, ...] = ()) -> None:
    if not isinstance(plain, dict):
        wrong(at or "(body)", "must be an object")
        return
    for name, value in plain.items():
        shown = name[:_NAME_CHARS_MAX] or '""'
        place = f"{at}.{shown}" if at else shown
        field = descriptor.fields_by_name.get(name)
        if field is None or (only and name not in only):
            wrong(place, "is not a field of the contract")
        elif not field.is_repeated:
            _check_value(field, value, place, wrong)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                _check_value(field, item, f"{place}[{i}]", wrong)
        else:
            wrong(place, "must be an array")


def _check_value(field: Any, value: Any, at: str, wrong: Wrong) -> None:
    if field.message_type is not None and field.message_type.full_name != TIMESTAMP:
        _check_object(field.message_type, value, at, wrong)
    elif field.enum_type is not None:
        if not isinstance(value, str) or value not in field.enum_type.values_by_name:
            wrong(at, f"must be one of {', '.join(field.enum_type.values_by_name)}")
    elif field.cpp_type in INTEGERS:
        least, most = INTEGERS[field.cpp_type]
        if not _whole(value) or not least <= value <= most:
            wrong(at, f"must be a whole number from {least} to {most}")
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            wrong(at, "must be true or false")
    elif not isinstance(value, str):
        wrong(at, "must be a string")


def _whole(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def read_parameter(schema: dict[str, Any], text: str) -> Any:
    """Return the value of a parameter, or raise ValueError with what to send instead."""
    kind = schema["type"]
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if kind == "integer":
        least, most = schema["minimum"], schema["maximum"]
        if not re.fullmatch(r"-?[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)
    if "enum" in schema and text not in schema["enum"]:
        raise ValueError(f"must be one of {', '.join(schema['enum'])}")
    if "pattern" in schema and not re.fullmatch(schema["pattern"].removeprefix("^").removesuffix("$"), text):
        raise ValueError(f"must match {schema['pattern']}")
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        raise ValueError(f"must be {schema.get('minLength', 0)} to {schema['maxLength']} characters")
    return text
