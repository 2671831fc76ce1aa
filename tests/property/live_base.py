"""A hub and a model side by side: everything is asked of both, and afterwards both must hold the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from tests.property import live_commands as given
from tests.property.live_afterwards import House
from tests.property.live_books import balances, positions
from tests.property.live_hub import World, Worlds
from tests.property.live_model import HOLDERS, HOMES, Answer, Record

T = TypeVar("T")

_CALL_SECONDS = 120.0


class SideBySide(RuleBasedStateMachine):
    """Subclasses say which model; `worlds` and `loop` are set before it runs. It is driven from another thread than the loop's."""

    worlds: ClassVar[Worlds]
    loop: ClassVar[asyncio.AbstractEventLoop]
    model_of: ClassVar[type[House]] = House
    steps: ClassVar[list[str]] = []
    """What the run asked that was made last; after a failure that is the smallest failing one."""
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world: World = self._wait(self.worlds.world())
        self.model = self.model_of(self.world.today)
        self.first_day = self.world.today
        self.asked: list[tuple[str, str, str, Record, bytes]] = []
        self.count = 0
        self.sound = False
        """Whether all was alike when last looked at."""
        type(self).steps = []

    @classmethod
    def _wait(cls, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, cls.loop).result(_CALL_SECONDS)

    # -- asking both ----------------------------------------------------------------------------------------------------------------

    def _key(self) -> str:
        self.count += 1
        return f"k{self.count}"

    def _ask(self, kind: str, who: str, body: Record) -> None:
        self.sound = False
        self.steps.append(kind)
        self._alike(kind, *self._both(kind, who, body))
        self._same_balances()

    def _both(self, kind: str, who: str, body: Record) -> tuple[Answer, Answer]:
        """Ask the model and the hub."""
        key = self._key()
        answer, raw = self._wait(self.world.ask(kind, who, key, body))
        self.asked.append((kind, who, key, body, raw))
        return self.model.ask(kind, who, key, body), answer

    def _alike(self, what: str, expected: Answer, answer: Answer) -> None:
        self.sound = False
        outcome = expected[1] if expected[0] == "no" else (expected[1]["state"] if "state" in (expected[1] or ()) else "ok")
        self._note(f"{what} {outcome}")
        assert answer == expected, f"{what}: the hub answers {answer}, the model {expected}"

    def _note(self, outcome: str) -> None:
        event(outcome)
        self.seen[outcome] += 1

    def _same_balances(self) -> None:
        self.sound = False
        self._compare(self._wait(self.world.balances()), balances(self.model))
        self.sound = True

    @staticmethod
    def _compare(found: Record, expected: Record) -> None:
        differences = {name: (found.get(name), value) for name, value in expected.items() if found.get(name) != value}
        assert not differences, f"balances, of the hub and of the model: {differences}"

    def teardown(self) -> None:
        if self.sound:
            found, expected = self._wait(self.world.positions()), positions(self.model)
            self._compare(found, {name: expected[name] for name in found})

    @initialize(
        city=given.POLICIES,
        county=given.POLICIES,
        face=st.sampled_from([20_000, 10_000, 50_000]),
        count=st.integers(1, 4),
        first=st.lists(given.AUTHORIZATIONS, max_size=3),
    )
    def found(self, city: given.Special, county: given.Special, face: int, count: int, first: list[Record]) -> None:
        """Two issuers with a policy each, notes in every wallet unless the policy forbids it, and some first orders."""
        for issuer, special in (("city", city), ("county", county)):
            self._alike("publish", *self._both("publish", "province", self._policy(issuer, special, 0, None)))
        for issuer, firms in HOLDERS.items():
            items = [(firm, face, count) for firm in firms]
            self._alike("issue", *self._both("issue", "province", {"issuer": issuer, "items": items}))
        for body in first:
            self._alike("authorize", *self._both("authorize", HOMES[body["lab"]], body))
        self._same_balances()

    def _policy(self, issuer: str, special: given.Special, ahead: int, until: int | None) -> Record:
        policy, start = given.policy(special), self.world.today + timedelta(days=ahead)
        funding = tuple((issuer if division == "itself" else division, bp) for division, bp in policy["funding"])
        dates = {"from": start, "until": start + timedelta(days=until) if until else None}
        return {"issuer": issuer, "policy": {**policy, **dates, "funding": funding, "version": f"v{self.count}"}}
