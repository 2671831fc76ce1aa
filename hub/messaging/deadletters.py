"""A record that can never be handled: what is kept of it, and what its province is told on its dead-letter topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.messaging.cloudevents import Headers
from yrd.events.v1 import events_pb2

REASON_CHARS_MAX = 2_000
"""Longest reason kept with a dead letter, characters."""

TOLD_BYTES_MAX = 700 * 1024
"""Largest dead letter told whole. Kafka takes a megabyte by default, and a row that it does not take would hold up the whole outbox."""

TYPE = events_pb2.DeadLettered.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be handled, whole, with the reason. `division` is the province whose topic it came from."""

    division: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None
    code: str
    reason: str

    @property
    def source_id(self) -> str:
        """The id that its sender gave it; empty where there is none that can be read."""
        return next((_text(value) for name, value in self.headers if name == "ce_id" and value), "")


def of_record(record: Any, division: str, reason: str) -> DeadLetter:
    """Return the dead letter of a Kafka record. `reason` is a stable code, a colon, and a sentence."""
    code = reason.partition(":")[0]
    kept = _clean(reason)[:REASON_CHARS_MAX]
    return DeadLetter(division, record.topic, record.partition, record.offset, record.key, list(record.headers), record.value, code, kept)


def told(letter: DeadLetter, number: int, at: datetime) -> bytes:
    """Return the serialised `DeadLettered` for the letter kept as `number`."""
    message = events_pb2.DeadLettered(
        dead_letter_id=number,
        reason=letter.code,
        detail=letter.reason.partition(":")[2].strip(),
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        source_id=letter.source_id,
        key=letter.key or b"",
        headers=[events_pb2.DeadLettered.Header(name=_clean(name), value=value or b"") for name, value in letter.headers],
        value=letter.value or b"",
    )
    message.failed_at.FromDatetime(at)
    if message.ByteSize() > TOLD_BYTES_MAX:
        for field in ("key", "headers", "value"):
            message.ClearField(field)
        message.truncated = True
    return message.SerializeToString(deterministic=True)


def headers_of(payload: bytes) -> Headers:
    """Return the headers by which tools tell dead letters apart without reading their value."""
    message = events_pb2.DeadLettered.FromString(payload)
    texts = {
        "dlt_reason": message.reason,
        "dlt_topic": message.topic,
        "dlt_partition": str(message.partition),
        "dlt_offset": str(message.offset),
        "dlt_source_id": message.source_id,
    }
    return [(name, text.encode()) for name, text in texts.items()]


def _text(value: bytes) -> str:
    return _clean(value.decode(errors="replace"))


def _clean(text: str) -> str:
    # Neither PostgreSQL's text nor a log can hold a zero; lone surrogates cannot be encoded.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
