"""Models that are wrong in one place each. The live machine must find each of them out, and show it in few steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tests.property.live_afterwards import House
from tests.property.live_model import Answer, Line, No, Record


class KeepsQuota(House):
    """Forgets that the quota used falls by what is given back (C7)."""

    def give_back(self, item: Record, amount: int, source: str, *, to_notes: bool = True) -> None:
        before = dict(self.used)
        super().give_back(item, amount, source, to_notes=to_notes)
        self.used.update(before)


class FirstDrawnFirst(House):
    """Gives back to the note that was drawn first (C8)."""

    def give_back(self, item: Record, amount: int, source: str, *, to_notes: bool = True) -> None:
        item["draws"].reverse()
        super().give_back(item, amount, source, to_notes=to_notes)
        item["draws"].reverse()


class CapForEachRequest(House):
    """Takes the cap per order for a cap per request (A1)."""

    def entitled(self, policy: Record, lines: Sequence[Line], own: int) -> tuple[int, int, int]:
        del own
        return super().entitled(policy, lines, 0)


class NeverLapses(House):
    """Forgets the days after which an authorization ends (C6)."""

    def advance(self, days: int) -> tuple[int, int]:
        for item in self.redemptions.values():
            item["ends"] = item["ends"].replace(year=2999)
        return super().advance(days)


class AnyInvoice(House):
    """Lets an invoice serve again (C3)."""

    def capture(self, who: str, key: str, target: str, **given: object) -> Record:  # type: ignore[override]  # all it adds is a lapse of memory
        self.invoices = defaultdict(list)
        return super().capture(who, key, target, **given)  # type: ignore[arg-type]  # passed on as they came


class NoMemory(House):
    """Does a command again that it did before (I1)."""

    def ask(self, kind: str, who: str, key: str, body: Record) -> Answer:
        self.answers.pop((who, key), None)
        return super().ask(kind, who, key, body)


class HalfABatch(House):
    """Leaves done what came before the item that was refused (BatchAuthorize, `atomic`)."""

    def atomic(self, who: str, key: str, kind: str, items: list[tuple[str, Record]]) -> list[Answer]:
        answers = [self.ask(kind, who, item, given) for item, given in items]
        for place, answer in enumerate(answers):
            if answer[0] == "no":
                raise No(answer[1], place)
        return answers


class AlwaysDirect(House):
    """Lets the funders pay the payee, whatever the policy says (T2)."""

    def close(self, who: str, key: str, issuers: tuple[str, ...]) -> Record:
        for item in self.redemptions.values():
            item["policy"] = {**item["policy"], "settlement": "DIRECT"}
        return super().close(who, key, issuers)


class Mutant(NamedTuple):
    """A wrong model, and in how many steps it can be shown to be wrong."""

    model: type[House]
    steps_max: int


MUTANTS = (
    Mutant(NeverLapses, 3),
    Mutant(KeepsQuota, 3),
    Mutant(NoMemory, 3),
    Mutant(HalfABatch, 4),
    Mutant(FirstDrawnFirst, 5),
    Mutant(CapForEachRequest, 5),
    Mutant(AnyInvoice, 5),
    Mutant(AlwaysDirect, 6),
)
"""Those found soonest come first."""
