"""Names of the topic pair of a division. The hub has its own copy: an adapter must run where no hub is installed."""

from __future__ import annotations

DEFAULT_PREFIX = "yrd"


def in_topic(prefix: str, division: str) -> str:
    """Return the topic on which a province speaks to the hub."""
    return f"{prefix}.{division}.in.v1"


def out_topic(prefix: str, division: str) -> str:
    """Return the topic on which the hub speaks to that province only."""
    return f"{prefix}.{division}.out.v1"
