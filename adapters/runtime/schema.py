"""The tables of an adapter's memory, and how an older file is brought up to them."""

from __future__ import annotations

import sqlite3

VERSION = 2
"""Of the schema, kept as `PRAGMA user_version`. 1 had neither deliveries nor a queue, and kept events instead of what they say."""

_TABLES = """
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, landed_at TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'LANDED' CHECK (state IN ('LANDED', 'TAKEN')),
    next_row INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0, quarantined INTEGER NOT NULL DEFAULT 0,
    taken_at TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0,
    historic INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_name ON delivery (name, number);
CREATE INDEX IF NOT EXISTS delivery_landed ON delivery (number) WHERE state = 'LANDED';
CREATE INDEX IF NOT EXISTS delivery_untold ON delivery (number) WHERE state = 'TAKEN' AND told = 0;
CREATE INDEX IF NOT EXISTS delivery_kept ON delivery (taken_at) WHERE told = 1 AND removed = 0;
CREATE TABLE IF NOT EXISTS cursor (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sent (
    kind TEXT NOT NULL, native_id TEXT NOT NULL, phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, digest TEXT NOT NULL,
    attempt INTEGER NOT NULL, request_id TEXT NOT NULL UNIQUE, method TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '',
    message_zh TEXT NOT NULL DEFAULT '', message_en TEXT NOT NULL DEFAULT '', redemption_id TEXT NOT NULL DEFAULT '',
    delivery INTEGER NOT NULL DEFAULT 0, row INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    request BLOB NOT NULL DEFAULT x'', key TEXT NOT NULL DEFAULT '', source TEXT NOT NULL DEFAULT '',
    retries INTEGER NOT NULL DEFAULT 0, due_at TEXT NOT NULL DEFAULT '',
    sent_at TEXT NOT NULL DEFAULT '', last_answered_at TEXT NOT NULL DEFAULT '', sends INTEGER NOT NULL DEFAULT 0,
    id_field TEXT NOT NULL DEFAULT '', refers_to TEXT NOT NULL DEFAULT '',
    holds INTEGER NOT NULL DEFAULT 0, held BLOB NOT NULL DEFAULT x'', ever INTEGER NOT NULL DEFAULT 0,
    spent INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT '', historic INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, native_id)
) STRICT;
CREATE INDEX IF NOT EXISTS sent_unanswered ON sent (phase) WHERE outcome = '';
CREATE INDEX IF NOT EXISTS sent_refers ON sent (refers_to) WHERE refers_to != '';
CREATE INDEX IF NOT EXISTS sent_firm ON sent (key, kind) WHERE kind IN ('provider', 'recognition');
CREATE INDEX IF NOT EXISTS sent_due ON sent (due_at) WHERE due_at != '';
CREATE TABLE IF NOT EXISTS queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, phase INTEGER NOT NULL, key TEXT NOT NULL, headers TEXT NOT NULL, value BLOB NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS queue_phase ON queue (phase, seq);
CREATE TABLE IF NOT EXISTS parked (
    kind TEXT NOT NULL, native_id TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, delivery INTEGER NOT NULL, row INTEGER NOT NULL,
    digest TEXT NOT NULL, deleted INTEGER NOT NULL, id_field TEXT NOT NULL, method TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL,
    refers_to TEXT NOT NULL, refers_field TEXT NOT NULL, historic INTEGER NOT NULL, parked_at TEXT NOT NULL,
    PRIMARY KEY (kind, native_id)
) STRICT;
CREATE INDEX IF NOT EXISTS parked_refers ON parked (refers_to) WHERE refers_to != '';
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, field TEXT NOT NULL,
    value TEXT NOT NULL,
    native_id TEXT NOT NULL, reason TEXT NOT NULL, zh TEXT NOT NULL, en TEXT NOT NULL, seen_at TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT '', delivery INTEGER NOT NULL DEFAULT 0, row INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS quarantine_record ON quarantine (native_id, kind);
CREATE INDEX IF NOT EXISTS quarantine_file ON quarantine (file);
CREATE TABLE IF NOT EXISTS discarded (
    file TEXT NOT NULL, line TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, native_id TEXT NOT NULL, reason TEXT NOT NULL,
    kind TEXT NOT NULL, delivery INTEGER NOT NULL, row INTEGER NOT NULL, seen_at TEXT NOT NULL,
    discarded_at TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS position (topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (topic, part)) STRICT;
CREATE TABLE IF NOT EXISTS told (
    what TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, changed_at TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (what, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pushed (name TEXT PRIMARY KEY, digest TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS contact (loop TEXT PRIMARY KEY, up INTEGER NOT NULL, last_success_at TEXT NOT NULL, error TEXT NOT NULL,
    since TEXT NOT NULL) STRICT;
"""

_SENT_SINCE_1 = (
    *("delivery INTEGER NOT NULL DEFAULT 0", "row INTEGER NOT NULL DEFAULT 0", "deleted INTEGER NOT NULL DEFAULT 0"),
    *("request BLOB NOT NULL DEFAULT x''", "key TEXT NOT NULL DEFAULT ''", "source TEXT NOT NULL DEFAULT ''"),
    *("retries INTEGER NOT NULL DEFAULT 0", "due_at TEXT NOT NULL DEFAULT ''"),
    *("sent_at TEXT NOT NULL DEFAULT ''", "last_answered_at TEXT NOT NULL DEFAULT ''", "sends INTEGER NOT NULL DEFAULT 0"),
    *("id_field TEXT NOT NULL DEFAULT ''", "refers_to TEXT NOT NULL DEFAULT ''", "holds INTEGER NOT NULL DEFAULT 0"),
    *("held BLOB NOT NULL DEFAULT x''", "ever INTEGER NOT NULL DEFAULT 0", "spent INTEGER NOT NULL DEFAULT 0"),
    *("state TEXT NOT NULL DEFAULT ''", "historic INTEGER NOT NULL DEFAULT 0"),
)


class WrongSchema(RuntimeError):
    """The file was written by another release: this one would misread it."""


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of the file's schema; 0 for an empty file."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found == 0 and db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sent'").fetchone():
        return 1  # the first release did not number its schema
    return found


def check_version(db: sqlite3.Connection, path: str) -> None:
    """Raise WrongSchema unless the file is of this release's schema: a look from outside changes nothing, so it cannot migrate either.

    Raises FileNotFoundError for a file that another process has just begun.
    """
    found = version_of(db)
    if found == 0:
        raise FileNotFoundError(f"{path}: the adapter is just making its memory; ask again in a moment")
    if found != VERSION:
        raise WrongSchema(f"{path}: written by another release (schema {found}, this one reads {VERSION}); start the adapter with this one")


def migrate(db: sqlite3.Connection, path: str) -> None:
    """Bring a file up to this release, in one transaction. Raises WrongSchema.

    Quarantine of version 1 is left behind: every file is landed and read anew, which fills it again. Its table `event` stays until what
    the events say was taken out of it.
    """
    before = version_of(db)
    if before > VERSION:
        raise WrongSchema(f"{path}: written by a newer release (schema {before}, this one knows {VERSION}); run that release")
    if before == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if before == 1:
            _from_1(db)
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _from_1(db: sqlite3.Connection) -> None:
    """Make room for what version 2 knows."""
    for column in _SENT_SINCE_1:
        db.execute(f"ALTER TABLE sent ADD COLUMN {column}")
    db.execute("DROP TABLE quarantine")
