"""Published policies, decoded once. They are never edited, so a count tells whether any is missing here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection

from hub.codec.fields import Fields
from hub.codec.policies import decode_policy
from hub.domain.policy import Policy
from yrd.policy.v1 import policy_pb2


class PolicyCache:
    """Policies by id. Each batch asks how many there are and reads all anew when the number differs."""

    def __init__(self) -> None:
        self._policies: dict[int, Policy] = {}

    async def probe(self, connection: AsyncConnection[Any]) -> Callable[[], Awaitable[int]]:
        """Queue the question how many policies are published."""
        cursor = await connection.execute("SELECT count(*) FROM policy")

        async def count() -> int:
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

        return count

    async def current(self, connection: AsyncConnection[Any], count: int) -> dict[int, Policy]:
        """Return all policies, reading them if `count` says that some are unknown here."""
        if count != len(self._policies):
            cursor = await connection.execute("SELECT policy_id, body FROM policy")
            self._policies = {policy_id: decode_stored(policy_id, body) for policy_id, body in await cursor.fetchall()}
        return self._policies


def decode_stored(policy_id: int, body: bytes) -> Policy:
    """Decode a stored policy; it was checked when it was published."""
    return replace(decode_policy(policy_pb2.Policy.FromString(body), Fields()), policy_id=policy_id)
