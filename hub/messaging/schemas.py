"""What was published on each topic in which form, and the check before anything is published in another."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import psycopg
from google.protobuf import descriptor_pool

from hub.messaging.compatibility import describe, problems

_KNOWN = "SELECT sha256, descriptors FROM exchange_schema WHERE topic = %s AND type = %s ORDER BY registered_at, sha256"
_KEEP = """
INSERT INTO exchange_schema (topic, type, sha256, descriptors, registered_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""


class IncompatibleSchema(Exception):
    """A message must not be published: consumers of the topic know its type in a form in which they could not read it."""

    def __init__(self, topic: str, type_: str, found: list[str]) -> None:
        super().__init__(f"{type_} must not be published on {topic}: {'; '.join(found)}")
        self.found = found


class SchemaRegistry:
    """Asks once for each topic and type; afterwards the answer is known. `topic` is logical, as in the outbox."""

    def __init__(self, pool: Any = None) -> None:
        """`pool` is where descriptors of types come from; the contract's own if None."""
        self._pool = pool or descriptor_pool.Default()
        self._passed: set[tuple[str, str]] = set()

    def check(self, connection: psycopg.Connection[Any], topic: str, type_: str, at: datetime) -> None:
        """Return if messages of the type may go to the topic, and remember their form. Raises IncompatibleSchema, psycopg.Error.

        A form that was published before may be published again: while replicas are replaced, older ones still run.
        """
        if (topic, type_) in self._passed:
            return
        try:
            descriptor = self._pool.FindMessageTypeByName(type_)
        except KeyError:
            raise IncompatibleSchema(topic, type_, ["it is no message of the contract"]) from None
        form = describe(descriptor)
        digest = hashlib.sha256(form).hexdigest()
        known = dict(connection.execute(_KNOWN, (topic, type_)).fetchall())
        if digest not in known:
            found = sorted({problem for each in known.values() for problem in problems(type_, each, form)})
            if found:
                raise IncompatibleSchema(topic, type_, found)
            connection.execute(_KEEP, (topic, type_, digest, form, at))
        self._passed.add((topic, type_))
