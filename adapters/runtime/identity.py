"""Stable identities of commands: a native record sent again, in whatever file, has one effect (rules.md I1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from uuid import UUID, uuid5

from adapters.runtime.model import FieldTable, Kind, NativeRecord
from adapters.runtime.row import generic

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_NAMESPACE = UUID("8d5f3a52-6c1e-5b0a-9a3b-4f7f0e1d2c60")

REPLACEABLE = frozenset({Kind.ENTERPRISE, Kind.PROVIDER, Kind.RECOGNITION})
"""Kinds of which the latest content counts. The others move money or rules: a change of one is a correction, one step at a time."""


def digest_of(record: NativeRecord, dropped: FieldTable) -> str:
    """Return the digest of what a record says to the hub; a change in a dropped field is no change, a withdrawal is one."""
    unsaid = dropped.get(record.kind, {})
    said = sorted((name, value) for name, value in record.fields.items() if generic(name) not in unsaid)
    if record.deleted:
        said.append(("", "withdrawn"))
    return hashlib.sha256(_ENCODER.encode(said).encode()).hexdigest()


def source_id(province: str, record: NativeRecord, digest: str, attempt: int, step: str = "") -> str:
    """Return the CloudEvents id of a record's command: the same for the same record, revision, attempt and step of a correction.

    What moves money has one revision: with the memory lost, another content under an id that was used is refused and not paid twice.
    """
    return source_of(province, record.kind, record.native_id, digest, attempt, step)


def source_of(province: str, kind: Kind, native_id: str, digest: str, attempt: int, step: str = "") -> str:
    """Return the same for a record known by kind and native id."""
    revision = digest[:16] if kind in REPLACEABLE else "1"
    return f"{province}/{kind}/{native_id}/{revision}/{attempt}" + (f"/{step}" if step else "")


def source_again(source: str, time: int) -> str:
    """Return the CloudEvents id under which a command is sent again, the `time`-th time.

    The hub drops an id that it has read before without a word; the request id inside stays, so there is one effect and one more answer.
    """
    return f"{source}~{time}"


def request_id(source: str) -> str:
    """Return the request id that belongs to a CloudEvents id."""
    return str(uuid5(_NAMESPACE, source))


def headers(source: str, province: str, method: str, time: str) -> Mapping[str, str]:
    """Return the CloudEvents headers of a command (binary mode)."""
    return {
        "ce_specversion": "1.0",
        "ce_id": source,
        "ce_source": f"/adapters/{province}",
        "ce_type": method,
        "ce_time": time,
        "content-type": "application/protobuf",
    }
