"""The tables of the exchange, as the migrations create them. Kept here as text so that tests of the exchange need no other table."""

from __future__ import annotations

OUTBOX_CHANNEL = "outbox"
"""NOTIFY on this channel after adding outbox rows, to wake the relay before its next poll."""

OUTBOX_DDL = """
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    payload bytea NOT NULL,
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
"""

INBOX_DDL = """
CREATE TABLE inbox (
    consumer text,
    topic text,
    source_id text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, source_id)
);
"""

DEAD_LETTER_DDL = """
CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    key bytea,
    headers jsonb NOT NULL,
    value bytea,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL,
    division text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    source_id text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'OPEN'
);
CREATE INDEX dead_letter_record ON dead_letter (topic, partition, record_offset);
CREATE TABLE dead_letter_action (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id bigint NOT NULL REFERENCES dead_letter,
    action text NOT NULL,
    outcome text NOT NULL,
    note text NOT NULL,
    acted_by text NOT NULL,
    acted_at timestamptz NOT NULL
);
"""

SCHEMA_DDL = """
CREATE TABLE exchange_schema (
    topic text,
    type text,
    sha256 text,
    descriptors bytea NOT NULL,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (topic, type, sha256)
);
"""

MESSAGING_DDL = OUTBOX_DDL + INBOX_DDL + DEAD_LETTER_DDL + SCHEMA_DDL
"""All of them."""
