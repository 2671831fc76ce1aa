"""CloudEvents in Kafka's binary mode, and the names of topics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaProducer

from hub.codec.events import out
from hub.messaging.client import settings_for
from hub.messaging.cloudevents import ATTRIBUTE_CHARS_MAX, CloudEvent, MalformedEvent, decode, encode
from hub.messaging.topics import TopicPlan, in_topic, out_topic, physical, pool_topic


@dataclass
class FakeRecord:
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


def _record(event: CloudEvent) -> FakeRecord:
    key, value, headers = encode(event)
    return FakeRecord(key, value, list(headers))


def _changed(**changes: bytes | None) -> FakeRecord:
    """Return a good record with headers replaced (or, by None, left out)."""
    record = _record(CloudEvent("1", "//a", "t.T", datetime(2026, 1, 1, tzinfo=UTC), b"v", "k"))
    headers = dict(record.headers)
    for name, value in changes.items():
        headers["content-type" if name == "content_type" else name] = value
    record.headers = [(name, value) for name, value in headers.items() if value is not None]
    return record


_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=ATTRIBUTE_CHARS_MAX)


@given(
    st.builds(
        CloudEvent,
        id=_text,
        source=_text,
        type=_text,
        time=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]), min_value=datetime(1, 1, 2)),  # noqa: DTZ001
        data=st.binary(),
        key=st.none() | _text,
        subject=st.none() | _text,
    )
)
def test_what_is_encoded_decodes_to_the_same(event: CloudEvent) -> None:
    assert decode(_record(event)) == event


def test_times_are_written_in_utc() -> None:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))
    headers = dict(_record(CloudEvent("1", "//a", "t.T", at, b"")).headers)
    assert headers["ce_time"] == b"2026-03-02T01:00:00Z"
    with pytest.raises(ValueError, match="zone"):
        encode(CloudEvent("1", "//a", "t.T", datetime(2026, 3, 2), b""))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("record", "code", "detail"),
    [
        (FakeRecord(), "HEADER_MISSING", "ce_specversion is missing"),
        (_changed(ce_id=None), "HEADER_MISSING", "ce_id is missing"),
        (_changed(ce_time=None), "HEADER_MISSING", "ce_time is missing"),
        (_changed(content_type=None), "HEADER_MISSING", "content-type is missing"),
        (_changed(ce_specversion=b"0.3"), "SPEC_VERSION_UNKNOWN", "ce_specversion is '0.3'"),
        (_changed(content_type=b"application/json"), "CONTENT_TYPE_UNKNOWN", "application/json"),
        (_changed(ce_id=b""), "HEADER_INVALID", "ce_id has 0 characters"),
        (_changed(ce_id=b"x" * (ATTRIBUTE_CHARS_MAX + 1)), "HEADER_INVALID", "ce_id has 513 characters"),
        (_changed(ce_id=b"\xff"), "HEADER_INVALID", "ce_id is not UTF-8"),
        (_changed(ce_type=b"a\x00b"), "HEADER_INVALID", "ce_type has control characters"),
        (_changed(ce_time=b"yesterday"), "HEADER_INVALID", "no RFC 3339 instant"),
        (_changed(ce_time=b"2026-01-01T00:00:00"), "HEADER_INVALID", "has no zone"),
        (_changed(ce_time=b"0001-01-01T00:00:00+14:00"), "HEADER_INVALID", "out of range"),
    ],
)
def test_what_is_no_event_is_refused_with_the_header_named(record: FakeRecord, code: str, detail: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        decode(record)
    assert refused.value.code == code
    assert detail in refused.value.detail


def test_keys_values_and_repeated_headers_are_checked_too() -> None:
    record = _changed()
    record.value = None
    with pytest.raises(MalformedEvent, match="VALUE_MISSING"):
        decode(record)
    record = _changed()
    record.key = b"\xff"
    with pytest.raises(MalformedEvent, match="key is not UTF-8"):
        decode(record)
    record = _changed()
    record.headers.append(("ce_id", b"2"))
    with pytest.raises(MalformedEvent, match="HEADER_REPEATED"):
        decode(record)


def test_foreign_headers_parameters_and_missing_keys_are_no_fault() -> None:
    record = _changed(content_type=b"application/protobuf; proto=x", traceparent=b"\xff")
    record.key = None
    assert decode(record).key is None


def test_topics_are_named_after_the_province() -> None:
    assert in_topic("yrd", "310000") == "yrd.310000.in.v1"
    assert out_topic("yrd", "310000") == "yrd.310000.out.v1"
    assert pool_topic("yrd") == "yrd.pool.v1"
    assert physical("yrd", out("330000")) == "yrd.330000.out.v1"
    assert physical("yrd", "330000.dlt") == "yrd.330000.dlt.v1"
    assert physical("yrd", "pool") == "yrd.pool.v1"
    plan = TopicPlan("yrd", ["310000", "340000"])
    assert plan.inbound() == {"yrd.310000.in.v1": "310000", "yrd.340000.in.v1": "340000"}
    assert len(plan.names()) == 7


@pytest.mark.parametrize("division", ["330522", "330500", "3300000", "", "pool", "000000"])
def test_only_provinces_have_topics(division: str) -> None:
    with pytest.raises(ValueError, match="province-level"):
        in_topic("yrd", division)


@pytest.mark.parametrize("logical", ["310000", "310000.in", "out", ""])
def test_an_unknown_logical_topic_is_refused(logical: str) -> None:
    with pytest.raises(ValueError, match="logical topic"):
        physical("yrd", logical)


def test_each_client_gets_the_settings_it_knows_and_a_misspelt_one_is_refused() -> None:
    given = {"security_protocol": "SSL", "linger_ms": 5}
    assert settings_for(KafkaProducer, "h:1", {"acks": "all", "linger_ms": 2}, given) == {
        "bootstrap_servers": "h:1",
        "acks": "all",
        "linger_ms": 5,
        "security_protocol": "SSL",
    }
    assert settings_for(KafkaAdminClient, "h:1", {}, given) == {"bootstrap_servers": "h:1", "security_protocol": "SSL"}
    with pytest.raises(ValueError, match="ssl_cafil"):
        settings_for(KafkaProducer, "h:1", {}, {"ssl_cafil": "ca.pem"})
