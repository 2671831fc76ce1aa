"""Where divisions are: one point for each prefecture, a province's own being its seat. Good for tens of kilometres, not for less."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from hub.domain.divisions import province_of
from registry.search.text import DATA

EARTH_RADIUS_KM = 6371.0088


class Point(NamedTuple):
    """Degrees north and east."""

    latitude: float
    longitude: float


@cache
def places() -> dict[str, Point]:
    """Return the points of the data file by division."""
    with (DATA / "places.csv").open(encoding="utf-8", newline="") as stream:
        return {row["division"]: Point(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(stream)}


def prefecture_of(division: str) -> str:
    """Return the prefecture that a division is or lies in; the province where that has no prefectures, or for a province itself."""
    prefecture = division[:4] + "00"
    return prefecture if prefecture in places() else province_of(division)


def distance_km(one: str, other: str) -> int | None:
    """Return the kilometres between the prefectures of two divisions, rounded; None where the file does not know one of them."""
    a, b = places().get(prefecture_of(one)), places().get(prefecture_of(other))
    return None if a is None or b is None else round(haversine_km(a, b))


def haversine_km(a: Point, b: Point) -> float:
    """Return the length of the great circle between two points."""
    north, east = radians(b.latitude - a.latitude), radians(b.longitude - a.longitude)
    chord = sin(north / 2) ** 2 + cos(radians(a.latitude)) * cos(radians(b.latitude)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))


def within(near: str, km: int) -> Iterator[str]:
    """Yield the divisions of the file whose prefecture is at most so far away."""
    for division in places():
        away = distance_km(near, division)
        if away is not None and away <= km:
            yield division
