"""Topic names: one pair per province, one topic for its dead letters, and one for the resource pool that everyone reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.domain.divisions import is_division, province_of

POOL = "pool"
"""Logical topic of an outbox row that goes to everyone."""

DEAD_SUFFIX = ".dlt"
"""End of the logical topic of an outbox row that is a dead letter."""

_OUT_SUFFIX = ".out"


def in_topic(prefix: str, division: str) -> str:
    """Return the topic on which `division` (province level) sends commands to the hub, such as `yrd.310000.in.v1`."""
    return f"{prefix}.{_province(division)}.in.v1"


def out_topic(prefix: str, division: str) -> str:
    """Return the topic on which the hub tells `division` (province level), and it alone, such as `yrd.310000.out.v1`."""
    return f"{prefix}.{_province(division)}.out.v1"


def dead_topic(prefix: str, division: str) -> str:
    """Return the topic on which the hub tells `division` (province level) of its records that cannot be handled, `yrd.310000.dlt.v1`."""
    return f"{prefix}.{_province(division)}.dlt.v1"


def pool_topic(prefix: str) -> str:
    """Return the topic of the resource pool, such as `yrd.pool.v1`."""
    return f"{prefix}.pool.v1"


def physical(prefix: str, logical: str) -> str:
    """Return the topic an outbox row goes to: `<division>.out`, `<division>.dlt` or `pool`; raise ValueError for any other."""
    if logical == POOL:
        return pool_topic(prefix)
    if logical.endswith(_OUT_SUFFIX):
        return out_topic(prefix, logical.removesuffix(_OUT_SUFFIX))
    if logical.endswith(DEAD_SUFFIX):
        return dead_topic(prefix, logical.removesuffix(DEAD_SUFFIX))
    raise ValueError(f"{logical!r} is no logical topic: expected `<division>.out`, `<division>.dlt` or `{POOL}`")


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The topics a hub needs. `replication_factor` -1 means the broker's default.

    Kafka keeps records a week unless told otherwise: whoever is away for that long would come back to commands and events lost.
    """

    prefix: str
    divisions: Sequence[str]
    partitions: int = 6
    replication_factor: int = -1
    retention_days: int = 30

    def inbound(self) -> dict[str, str]:
        """Return the division of each inbound topic."""
        return {in_topic(self.prefix, division): division for division in self.divisions}

    def names(self) -> list[str]:
        """Return all topics, sorted."""
        own = [make(self.prefix, division) for division in self.divisions for make in (in_topic, out_topic, dead_topic)]
        return sorted([*own, pool_topic(self.prefix)])


def _province(division: str) -> str:
    if not is_division(division) or province_of(division) != division:
        raise ValueError(f"{division!r} is no province-level division code")
    return division
