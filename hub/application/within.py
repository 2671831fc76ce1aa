"""Divisions in SQL: the codes below one begin alike."""

from __future__ import annotations


def stem(division: str) -> str:
    """Return the digits that every division at or below `division` begins with; the same answer as `hub.domain.divisions.contains`."""
    if division.endswith("0000"):
        return division[:2]
    return division[:4] if division.endswith("00") else division
