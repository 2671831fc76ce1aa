"""A world without a hub: the right model in its place, so that many wrong ones can be tried in the time of one call to a hub."""

from __future__ import annotations

from datetime import date, timedelta

from tests.property.live_afterwards import House
from tests.property.live_books import balances, positions
from tests.property.live_model import Answer, Record


class TwinWorlds:
    """Makes twins; stands in for `live_hub.Worlds`."""

    async def world(self) -> TwinWorld:
        """A world in which nothing has happened yet."""
        return TwinWorld()


class TwinWorld:
    """Stands in for `live_hub.World`."""

    def __init__(self) -> None:
        self.today = date(2001, 10, 1)
        self._house = House(self.today)

    async def ask(self, kind: str, who: str, key: str, body: Record) -> tuple[Answer, bytes]:
        return self._house.ask(kind, who, key, body), b""

    async def batch(self, who: str, kind: str, key: str, items: list[tuple[str, Record]], *, atomic: bool) -> tuple[Answer, bytes]:
        if atomic:
            return self._house.ask("atomic", who, key, {"kind": kind, "items": items}), b""
        return ("ok", [self._house.ask(kind, who, item, body) for item, body in items]), b""

    async def stream(self, who: str, items: list[tuple[str, str, Record]]) -> list[Answer]:
        return [self._house.ask(kind, who, key, body) for kind, key, body in items]

    async def advance(self, day: date) -> tuple[int, int]:
        days = (day - self.today) // timedelta(days=1)
        self.today = day
        return self._house.advance(days)

    async def balances(self) -> Record:
        return balances(self._house)

    async def positions(self) -> Record:
        return positions(self._house)
