"""Reading request fields: each wrong one is named, with what to send instead."""

from __future__ import annotations

from datetime import date

import pytest

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.money import MAX_FEN
from hub.domain.policy import ExpiryBasis, Mode
from tests.unit.builders import ENTERPRISE

UUID_TEXT = "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01"


def _wrong(fields: Fields) -> list[str]:
    return [item.field for item in fields.violations]


@pytest.mark.parametrize("value", [0, -1, MAX_FEN + 1, 2**63 - 1, -(2**63)])
def test_m1_amounts_above_zero(value: int) -> None:
    fields = Fields()
    fields.positive_fen("amount_fen", value)
    assert _wrong(fields) == ["amount_fen"]


@pytest.mark.parametrize("value", [1, MAX_FEN])
def test_m1_amounts_in_range(value: int) -> None:
    fields = Fields()
    assert fields.positive_fen("amount_fen", value) == value == fields.fen("amount_fen", value)
    assert fields.refusal is None


def test_m1_zero_where_it_is_allowed() -> None:
    fields = Fields()
    assert fields.fen("cap", 0) == 0
    fields.fen("cap", -1)
    assert _wrong(fields) == ["cap"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2026-3-1",
        "2026-02-30",
        "2026-13-01",
        "20260301",
        "2026-03-01T00:00:00",
        "01/03/2026",
        "2026-03-01\n",
        " 2026-03-01",
        "２026-03-01",
    ],
)
def test_m3_dates_of_another_form(value: str) -> None:
    fields = Fields()
    fields.date("delivered_on", value)
    assert _wrong(fields) == ["delivered_on"]


def test_m3_dates() -> None:
    fields = Fields()
    assert fields.date("day", "2024-02-29") == date(2024, 2, 29)
    assert fields.optional_date("day", "") is None
    assert fields.optional_date("day", "2026-03-01") == date(2026, 3, 1)
    assert fields.refusal is None
    fields.optional_date("until", "soon")
    assert _wrong(fields) == ["until"]


@pytest.mark.parametrize("value", [ENTERPRISE, "91330522MA2B12343A", "12310104425001236Q"])
def test_credit_codes(value: str) -> None:
    fields = Fields()
    assert fields.uscc("enterprise", value) == value
    assert fields.refusal is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        ENTERPRISE[:-1],
        ENTERPRISE[:-1] + "7",
        ENTERPRISE.lower(),
        ENTERPRISE + "\n",
        ENTERPRISE[:9] + " " + ENTERPRISE[10:],
        ENTERPRISE.replace("9", "９", 1),
        "91310118MA1JTERT1 6",
        "O" * 18,
    ],
)
def test_credit_codes_of_another_form_or_check_digit(value: str) -> None:
    """One code is one text: no lower case, no full-width digits, or two wallets would be one enterprise's."""
    fields = Fields()
    fields.uscc("enterprise", value)
    assert _wrong(fields) == ["enterprise"]


@pytest.mark.parametrize("value", ["O-1", "沪创券第0001号", "x" * 64, "a/b:c#d"])
def test_numbers(value: str) -> None:
    fields = Fields()
    assert fields.number("order_no", value) == value
    assert fields.refusal is None


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a\tb", "O-1\n", "\x00", "a\x7f", "a\x85b", "a\x9b", "a\u3000b"])
def test_numbers_of_another_form(value: str) -> None:
    fields = Fields()
    fields.number("order_no", value)
    assert _wrong(fields) == ["order_no"]


@pytest.mark.parametrize(
    ("value", "expected"), [(UUID_TEXT, UUID_TEXT), (UUID_TEXT.upper(), UUID_TEXT), (UUID_TEXT.replace("-", ""), UUID_TEXT)]
)
def test_uuids_in_canonical_form(value: str, expected: str) -> None:
    fields = Fields()
    assert fields.uuid("request_id", value) == expected
    assert fields.refusal is None


@pytest.mark.parametrize("value", ["", "1", UUID_TEXT[:-1], UUID_TEXT + "0", "g" * 32])
def test_uuids_of_another_form(value: str) -> None:
    fields = Fields()
    fields.uuid("request_id", value)
    assert _wrong(fields) == ["request_id"]


def test_text_and_ranges() -> None:
    fields = Fields()
    assert fields.text("name", "示例", 10) == "示例"
    assert fields.text("reason", "", 10, required=False) == ""
    assert fields.between("count", 5, 1, 5) == 5
    assert fields.refusal is None
    fields.text("name", "  ", 10)
    fields.text("long", "x" * 11, 10)
    fields.text("nul", "a\x00", 10)
    fields.between("count", 6, 1, 5)
    assert _wrong(fields) == ["name", "long", "nul", "count"]


def test_enums() -> None:
    fields = Fields()
    assert fields.enum("mode", 1, enums.MODE_IN) is Mode.PRE_SUBSIDY
    assert fields.enum("basis", 0, enums.EXPIRY_IN, ExpiryBasis.CLAIM) is ExpiryBasis.CLAIM
    assert fields.refusal is None
    fields.enum("mode", 0, enums.MODE_IN)
    fields.enum("basis", 99, enums.EXPIRY_IN, ExpiryBasis.CLAIM)
    assert _wrong(fields) == ["mode", "basis"]
    assert fields.violations[0].description == "must be one of PRE_SUBSIDY, POST_SUBSIDY"


def test_divisions() -> None:
    fields = Fields()
    assert fields.division("issuer", "330522") == "330522"
    fields.division("issuer", "33052")
    assert _wrong(fields) == ["issuer"]


def test_every_wrong_field_is_named_and_the_first_speaks() -> None:
    fields = Fields()
    fields.positive_fen("a", 0)
    fields.date("b", "x")
    refusal = fields.refusal
    assert refusal is not None
    assert refusal.code == "INVALID_ARGUMENT"
    assert [item.field for item in refusal.violations] == ["a", "b"]
    assert refusal.metadata == (("field", "a"),)
    assert "a" in refusal.en and "a" in refusal.zh
