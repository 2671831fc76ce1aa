"""CloudEvents 1.0 in Kafka's binary mode: attributes are `ce_*` headers, the value is one protobuf message, the key orders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/protobuf"
ATTRIBUTE_CHARS_MAX = 512
"""Longest attribute accepted, characters."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Headers = list[tuple[str, bytes]]

_REQUIRED = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type")
_KNOWN = frozenset((*_REQUIRED, "ce_subject"))


class Record(Protocol):
    """What this codec reads of a Kafka record."""

    @property
    def key(self) -> bytes | None:
        """Partition key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Message."""
        ...

    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]:
        """Headers in order."""
        ...


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event or command. `key` orders it among its like (the voucher's enterprise); `data` is a serialised protobuf message."""

    id: str
    source: str
    type: str
    time: datetime
    data: bytes
    key: str | None = None
    subject: str | None = None


class MalformedEvent(Exception):
    """A record that is no event of ours. `code` is stable, `detail` names the header and what is wrong with it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def encode(event: CloudEvent) -> tuple[bytes | None, bytes, Headers]:
    """Return key, value and headers of the record that carries `event`; `event.time` must know its zone, else ValueError."""
    if event.time.tzinfo is None:
        raise ValueError("the time of an event must know its zone")
    headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", event.id),
        ("ce_source", event.source),
        ("ce_type", event.type),
        ("ce_time", event.time.astimezone(UTC).isoformat().replace("+00:00", "Z")),
        ("content-type", CONTENT_TYPE),
    ]
    if event.subject is not None:
        headers.append(("ce_subject", event.subject))
    return (None if event.key is None else event.key.encode()), event.data, [(name, text.encode()) for name, text in headers]


def decode(record: Record) -> CloudEvent:
    """Return the event in `record`; raise MalformedEvent if it carries none. Headers that are not ours are passed over."""
    texts = _texts(record.headers)
    for name in _REQUIRED:
        if name not in texts:
            raise MalformedEvent("HEADER_MISSING", f"{name} is missing")
    if texts["ce_specversion"] != SPEC_VERSION:
        raise MalformedEvent("SPEC_VERSION_UNKNOWN", f"ce_specversion is {texts['ce_specversion']!r}, not {SPEC_VERSION!r}")
    # Parameters such as `; proto=…` are allowed after the media type.
    if texts["content-type"].partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise MalformedEvent("CONTENT_TYPE_UNKNOWN", f"content-type is {texts['content-type']!r}, not {CONTENT_TYPE!r}")
    if record.value is None:
        raise MalformedEvent("VALUE_MISSING", "the record has no value")
    return CloudEvent(
        id=texts["ce_id"],
        source=texts["ce_source"],
        type=texts["ce_type"],
        time=_instant(texts["ce_time"]),
        data=record.value,
        key=_text("key", record.key) if record.key else None,
        subject=texts.get("ce_subject"),
    )


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        if name not in _KNOWN:
            continue
        if name in texts:
            raise MalformedEvent("HEADER_REPEATED", f"{name} is given twice")
        texts[name] = _text(name, value or b"")
    return texts


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise MalformedEvent("HEADER_INVALID", f"{name} is not UTF-8") from None
    if not text or len(text) > ATTRIBUTE_CHARS_MAX:
        raise MalformedEvent("HEADER_INVALID", f"{name} has {len(text)} characters, not 1 to {ATTRIBUTE_CHARS_MAX}")
    # CloudEvents forbids control characters; PostgreSQL could not even store a zero.
    if _CONTROL.search(text):
        raise MalformedEvent("HEADER_INVALID", f"{name} has control characters")
    return text


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedEvent("HEADER_INVALID", f"ce_time {text!r} is no RFC 3339 instant") from None
    if instant.tzinfo is None:
        raise MalformedEvent("HEADER_INVALID", f"ce_time {text!r} has no zone")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise MalformedEvent("HEADER_INVALID", f"ce_time {text!r} is out of range") from None
