"""How many examples the contract draws: as many as Hypothesis's profile says, each property its share of them."""

from __future__ import annotations

from hypothesis import settings


def examples(share: int) -> int:
    """Return how many examples a property draws that draws `share` where the profile says 100, as it does unless told."""
    return max(1, settings().max_examples * share // 100)
