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
    failed_at timestamptz NOT NULL
);
CREATE INDEX dead_letter_record ON dead_letter (topic, partition, record_offset);
"""

MESSAGING_DDL = OUTBOX_DDL + INBOX_DDL + DEAD_LETTER_DDL
"""All three."""
