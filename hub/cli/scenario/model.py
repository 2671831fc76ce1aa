"""What a scenario is once it has been read, and what playing it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.voucher.v1 import voucher_pb2

Value: TypeAlias = "str | list[Value] | Node | None"


class Node(dict[str, Value]):
    """A mapping of a scenario file that knows the line it begins on. All scalars are texts, as written."""

    line: int = 0


class UnusableInput(Exception):
    """A file that cannot be read at all: it is not there, is no YAML, or is no mapping. The message names file, line and fault."""


class ScenarioError(Exception):
    """A scenario that cannot be played as it is written: an unknown verb, a missing field. A failure of that scenario alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is done, and what is expected of it. `number` counts from 1, `line` is that of the file."""

    number: int
    verb: str
    args: Node
    expect: Node
    line: int = 0
    inner: tuple[Step, ...] = ()
    """The steps of `concurrently` and `repeat`."""


@dataclass(frozen=True, slots=True)
class VoucherIssue:
    """Notes issued before the first step. `enterprise` is the local name."""

    issuer: str
    enterprise: str
    item: voucher_pb2.IssueItem
    issued_on: str


@dataclass(slots=True)
class Scenario:
    """A file's parties, policies and steps, those of its base first. Parties are keyed by local name."""

    path: Path
    title: str
    start: datetime
    policies: list[policy_pb2.Policy] = field(default_factory=list)
    providers: dict[str, registry_pb2.Provider] = field(default_factory=dict)
    recognitions: list[registry_pb2.Recognition] = field(default_factory=list)
    enterprises: dict[str, participant_pb2.Enterprise] = field(default_factory=dict)
    vouchers: list[VoucherIssue] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    provinces: frozenset[str] = frozenset()
    """Province-level divisions of all that the file names."""

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Difference:
    """An expectation that was not met. Step 0 stands for what is checked besides the steps."""

    step: int
    verb: str
    field: str
    expected: str
    got: str


@dataclass(slots=True)
class Result:
    """What playing one scenario came to. `notes` are refusals that no expectation names; they explain what follows from them."""

    path: Path
    title: str
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.differences and not self.error


@dataclass(frozen=True, slots=True)
class Fen:
    """An amount among the values of an outcome; expectations give it in yuan."""

    fen: int


@dataclass(frozen=True, slots=True)
class Obligations:
    """The obligations of a window: (debtor, creditor's credit code, fen), in no order."""

    entries: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Positions:
    """Net positions of a window, fen by division; a division that is absent stands at zero."""

    by_division: Mapping[str, int]


Got: TypeAlias = "str | int | bool | Fen | list[str] | Obligations | Positions"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: `status` where it was done, `refusal` where it was not, and the values `expect` may name."""

    status: str = ""
    refusal: str = ""
    text: str = ""
    """The refusal in words."""
    values: Mapping[str, Got] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What `counts` counts: the refusal's code, else the status."""
        return self.refusal or self.status or "OK"
