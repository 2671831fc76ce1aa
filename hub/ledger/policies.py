"""Stored policies, decoded."""

from __future__ import annotations

from dataclasses import replace

from hub.codec.fields import Fields
from hub.codec.policies import decode_policy
from hub.domain.policy import Policy
from yrd.policy.v1 import policy_pb2


def decode_stored(policy_id: int, body: bytes) -> Policy:
    """Decode a stored policy; it was checked when it was published."""
    return replace(decode_policy(policy_pb2.Policy.FromString(body), Fields()), policy_id=policy_id)
