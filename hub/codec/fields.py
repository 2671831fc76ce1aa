"""Reading request fields: every wrong one is collected, with its path and what to send instead (rules.md M1, M3)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from hub.codec.creditcode import is_credit_code
from hub.domain.divisions import is_division
from hub.domain.money import MAX_FEN
from hub.domain.refusals import Refusal, RefusalCode, Violation

T = TypeVar("T")

_NUMBER = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,64}")
_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NIL_DATE = datetime.date(1, 1, 1)
_NIL_INSTANT = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)


class Fields:
    """Collects what is wrong with a request. Values read from wrong fields are placeholders: look at `refusal` before using any."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def wrong(self, field: str, description: str) -> None:
        """Note a wrong field."""
        self.violations.append(Violation(field, description))

    @property
    def refusal(self) -> Refusal | None:
        """INVALID_ARGUMENT with all wrong fields, or None."""
        if not self.violations:
            return None
        first = self.violations[0]
        return Refusal(
            RefusalCode.INVALID_ARGUMENT,
            violations=tuple(self.violations),
            metadata=(("field", first.field),),
            detail_zh=f"字段 {first.field} 有误:{first.description}",
            detail_en=f"field {first.field}: {first.description}",
        )

    def uuid(self, field: str, value: str) -> str:
        """A UUID, in canonical form."""
        if _CANONICAL_UUID.fullmatch(value):
            return value
        try:
            return str(UUID(value))
        except ValueError:
            self.wrong(field, "must be a UUID such as 7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01")
            return value

    def division(self, field: str, value: str) -> str:
        """A six-digit division code (GB/T 2260)."""
        if not is_division(value):
            self.wrong(field, "must be a six-digit division code (GB/T 2260)")
        return value

    def uscc(self, field: str, value: str) -> str:
        """A unified social credit code (GB 32100-2015), as the standard writes it."""
        if not is_credit_code(value):
            self.wrong(field, "must be a valid unified social credit code of 18 capitals and digits (GB 32100-2015)")
        return value

    def positive_fen(self, field: str, value: int) -> int:
        """An amount in fen above zero."""
        if not 0 < value <= MAX_FEN:
            self.wrong(field, f"must be a whole number of fen between 1 and {MAX_FEN}")
        return value

    def fen(self, field: str, value: int) -> int:
        """An amount in fen, zero included."""
        if not 0 <= value <= MAX_FEN:
            self.wrong(field, f"must be a whole number of fen between 0 and {MAX_FEN}")
        return value

    def between(self, field: str, value: int, least: int, most: int) -> int:
        """A whole number in a range."""
        if not least <= value <= most:
            self.wrong(field, f"must be between {least} and {most}")
        return value

    def number(self, field: str, value: str) -> str:
        """An order, invoice, voucher or version number: 1 to 64 characters without spaces or control characters."""
        if not _NUMBER.fullmatch(value):
            self.wrong(field, "must be 1 to 64 characters without spaces or control characters")
        return value

    def text(self, field: str, value: str, most: int, *, required: bool = True) -> str:
        """Free text."""
        if (required and not value.strip()) or len(value) > most or "\x00" in value:
            self.wrong(field, f"must be {'1' if required else '0'} to {most} characters")
        return value

    def date(self, field: str, value: str) -> datetime.date:
        """A calendar date `YYYY-MM-DD`."""
        try:
            if not _DATE.fullmatch(value):
                raise ValueError(value)
            return datetime.date.fromisoformat(value)
        except ValueError:
            self.wrong(field, "must be a date such as 2026-03-01")
            return _NIL_DATE

    def optional_date(self, field: str, value: str) -> datetime.date | None:
        """A calendar date, or empty."""
        return self.date(field, value) if value else None

    def instant(self, field: str, value: Timestamp) -> datetime.datetime:
        """An instant of the years 1 to 9999."""
        try:
            return value.ToDatetime(tzinfo=datetime.UTC)
        except (ValueError, OverflowError):
            self.wrong(field, "must be an instant of the years 1 to 9999")
            return _NIL_INSTANT

    def enum(self, field: str, value: int, members: Mapping[int, T], default: T | None = None) -> T:
        """An enum value; an unspecified one means `default` where there is one."""
        if value == 0 and default is not None:
            return default
        member = members.get(value)
        if member is None:
            self.wrong(field, f"must be one of {', '.join(str(item) for item in members.values())}")
            return next(iter(members.values()))
        return member
