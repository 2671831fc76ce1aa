"""The parts of the REST door that need no server: JSON and messages, forms of parameters, entity tags, rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import SimulatedClock
from hub.domain.money import MAX_FEN
from hub.domain.refusals import Refusal
from registry.credit.bucket import Limits
from registry.web import doors
from registry.web.answering import known
from registry.web.doors import AddressRate
from registry.web.operations import FORMS
from registry.web.reading import unquoted
from registry.web.shapes import dump, load, read_parameter
from yrd.registry.v1 import catalogue_pb2, recognition_pb2

_WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(_WORDS, st.integers(-MAX_FEN, MAX_FEN), st.lists(_WORDS, max_size=3), st.sampled_from(catalogue_pb2.EntryKind.values()))
def test_what_is_written_reads_back_the_same(name: str, fen: int, keywords: list[str], kind: Any) -> None:
    price = catalogue_pb2.EntryPrice(from_fen=fen)
    entry = catalogue_pb2.CatalogueEntry(name=name, price=price, keywords=keywords, kind=kind, entry_id=abs(fen))
    plain = dump(entry)
    assert plain["price"]["from_fen"] == fen and isinstance(plain["entry_id"], int)
    back = catalogue_pb2.CatalogueEntry()
    assert load(orjson.dumps(plain), back) == []
    assert back == entry


_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _WORDS


@given(st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3)))
def test_no_json_whatever_breaks_the_reading(plain: Any) -> None:
    for body in (plain, {"price": plain}, {"keywords": plain}, {"instrument": plain, "expert": plain}, {"changed_at": plain}):
        assert all(item.field and item.description for item in load(orjson.dumps(body), catalogue_pb2.CatalogueEntry()))


def test_wrong_members_are_told_by_their_path() -> None:
    body = b'{"grounds": [{"holds": true}, {"holds": "yes", "colour": 1}], "issuer": null}'
    wrong = load(body, recognition_pb2.RecognitionVerdict(), required=("day",))
    assert [item.field for item in wrong] == ["grounds[1].holds", "grounds[1].colour", "issuer", "day"]


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [("page_size", "5", 5), ("flag", "true", True), ("date", "2026-03-01", "2026-03-01"), ("division", "330522", "330522")],
)
def test_parameters_are_read(form: str, text: str, value: Any) -> None:
    assert read_parameter(FORMS[form], text) == value


@pytest.mark.parametrize(
    ("form", "text"),
    [("page_size", "0"), ("page_size", "5.0"), ("page_size", "٥"), ("flag", "True"), ("date", "2026-3-1"), ("division", "330522\n"),
     ("uscc", ""), ("page_token", "a b"), ("query", ""), ("entry_id", "9" * 400)],
)  # fmt: skip
def test_parameters_out_of_form_are_not(form: str, text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_parameter(FORMS[form], text)


def test_entity_tags() -> None:
    assert unquoted('"3f"') == "3f"
    assert unquoted('W/"3f"') == 'W/"3f"', "a weak tag is no entry's"
    assert [unquoted(sent) for sent in ("3f", '"a", "b"', '"', '""')] == [None] * 4
    assert known('"a", W/"b"', '"b"') and known("*", '"b"') and not known('"a"', '"b"') and not known("", '"b"')


def test_each_address_has_a_rate_of_its_own_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "ADDRESSES_MAX", 2)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    clock = SimulatedClock(start)
    rate = AddressRate(Limits(1, 3600), clock)
    assert rate.refusal("2001:db8::1") is None
    refused = rate.refusal("2001:db8::ffff")
    assert isinstance(refused, Refusal) and dict(refused.metadata) == {"retry_after_seconds": "1"}
    assert rate.refusal("2001:db8:0:1::1") is None and rate.refusal("192.0.2.1") is None
    assert rate.refusal("2001:db8::1") is None, "the oldest of three is forgotten"
    clock.advance_to(start + timedelta(seconds=1))
    assert rate.refusal("192.0.2.1") is None
