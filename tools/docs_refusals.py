"""docs/refusals.md: every refusal code with its statuses, texts and remedy, from the catalogue."""

from __future__ import annotations

from hub.domain.refusals import CATALOGUE
from yrd.common.v1 import refusal_pb2

HEAD = """# Refusals

Every way the hub says no. The code is stable: it is the `reason` of the `google.rpc.ErrorInfo` (domain `yrd`) in the status details, the
`code` of the `yrd.common.v1.Refusal` beside it, and the `code` of an `application/problem+json` answer over HTTP. The sentences are for
people and may become better; programs read the code. `INVALID_ARGUMENT` and `UNKNOWN_FIELD` name the field.

A command that was decided and refused is remembered like one that was accepted: the same `request_id` gets the same refusal again (I1),
so whoever has removed the cause sends a new one. What never reached a decision is not remembered and may be sent again as it is:
`UNAUTHENTICATED`, `TOKEN_EXPIRED`, `CERTIFICATE_REJECTED`, `SCOPE_MISSING`, `MESSAGE_TOO_LARGE`, `UNKNOWN_FIELD`, `OVERLOADED`,
`UNAVAILABLE`, `DEADLINE_EXCEEDED`.

| code | number | gRPC | HTTP | 中文 | English | remedy 怎么办 |
|---|---:|---|---:|---|---|---|
"""


def render() -> str:
    rows = []
    for code, entry in CATALOGUE.items():
        number = refusal_pb2.RefusalCode.Value(f"REFUSAL_CODE_{code.value}")
        rows.append(
            f"| `{code.value}` | {number} | `{entry.grpc_status}` | {entry.http_status} | {entry.zh} | {entry.en} | "
            f"{entry.remedy_zh}<br>{entry.remedy_en} |"
        )
    return HEAD + "\n".join(rows) + "\n"
