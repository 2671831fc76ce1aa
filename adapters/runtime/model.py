"""What an adapter is made of: plain records in, plain commands out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.message import Message

if TYPE_CHECKING:
    from adapters.runtime.codes import Codes
    from adapters.runtime.results import Results
    from adapters.runtime.source import Source, SourceSettings


class Phase(StrEnum):
    """Steps of an exchange, in order. All provinces finish one before any begins the next.

    Records of a later phase name what an earlier one brought, often in another province: a recognition names a provider admitted
    elsewhere, an order names a firm registered elsewhere.
    """

    POLICIES = "POLICIES"
    PARTIES = "PARTIES"
    GRANTS = "GRANTS"
    AUTHORIZATIONS = "AUTHORIZATIONS"
    CAPTURES = "CAPTURES"


class Kind(StrEnum):
    """What a native record is about."""

    POLICY = "policy"
    ENTERPRISE = "enterprise"
    PROVIDER = "provider"
    RECOGNITION = "recognition"
    VOUCHER = "voucher"
    AUTHORIZATION = "authorization"
    CAPTURE = "capture"


PHASE_OF: Mapping[Kind, Phase] = {
    Kind.POLICY: Phase.POLICIES,
    Kind.ENTERPRISE: Phase.PARTIES,
    Kind.PROVIDER: Phase.PARTIES,
    Kind.RECOGNITION: Phase.GRANTS,
    Kind.VOUCHER: Phase.GRANTS,
    Kind.AUTHORIZATION: Phase.AUTHORIZATIONS,
    Kind.CAPTURE: Phase.CAPTURES,
}
"""The phase in which records of a kind are sent."""


def kinds_of(phase: Phase) -> tuple[Kind, ...]:
    """Return the kinds sent in a phase, in the order they are sent."""
    return tuple(kind for kind, of in PHASE_OF.items() if of is phase)


@dataclass(frozen=True, slots=True)
class NativeRecord:
    """One record as the province wrote it: native field names, values as text, nested fields as `a.b` and `a[0].b`.

    `line` is where it stands: a line number, or `sheet!row` in a workbook. `id_field` is the field that holds the native id.
    `deleted` says that the province itself marked the record as withdrawn; a record that is merely absent is never taken for deleted.
    `revises` says that the row takes the place of what stands before it in the same delivery under the same id: the province appends in
    the order of time, or marked it as a change. Without it, two rows of one id that differ contradict one another and nobody guesses.
    """

    file: str
    line: str
    kind: Kind
    native_id: str
    fields: Mapping[str, str]
    id_field: str = ""
    deleted: bool = False
    revises: bool = False


@dataclass(frozen=True, slots=True)
class Mapped:
    """A record in the hub's terms. `request_id` is still empty, and so is what only the hub knows (`refers_to`).

    `method` is the full method name, `key` the partition key (the enterprise, or the provider or issuer where there is none),
    `refers_to` the native id of the authorization whose redemption a capture is about, and `refers_field` the field that names it.
    """

    method: str
    request: Message
    key: str
    native_id: str
    refers_to: str = ""
    refers_field: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A record, or a part of a file, that cannot be used, and why. It carries no more of the record than the field at fault.

    `field` is `*` where the whole row is at fault.
    """

    file: str
    line: str
    field: str
    reason_code: str
    reason_zh: str
    reason_en: str
    value: str = ""
    native_id: str = ""


FieldTable = Mapping[Kind, Mapping[str, str]]
"""Native field by kind, `a[].b` for every `a[n].b`: where it goes, or why it is dropped."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A province, as pure functions over plain data.

    `kinds` names what a delivered file holds, by its name (nothing for a file that is not the province's). `read` yields the records of
    the kinds asked for, in the order of their phases and always in the same order; its second argument is the name under which the file
    was delivered. `map` turns a record into a command and `unmap` says the same in native fields again (the mapped ones, in the province's
    canonical spelling; raises ValueError for what the native form cannot carry). `write` lays the hub's answers down in the province's
    own format and returns the files; `load` reads them back. `connect` opens the way to the province's own system.
    `editions` says that a delivery is all there is under its name: a row of an earlier one that is missing is told to an officer
    (`vanishing`), never withdrawn. `mapped` and `dropped` together name every native field.
    """

    name: str
    division: str
    title_zh: str
    title_en: str
    folder: Path
    codes: Codes
    kinds: Callable[[str], tuple[Kind, ...]]
    read: Callable[[Path, str, tuple[Kind, ...]], Iterable[NativeRecord | Broken]]
    map: Callable[[NativeRecord], Mapped | Broken]
    write: Callable[[Results, Path], list[Path]]
    load: Callable[[Path], Results]
    connect: Callable[[SourceSettings], Source]
    unmap: Callable[[Kind, Mapped], Mapping[str, str]]
    editions: bool = False
    mapped: FieldTable = field(default_factory=dict)
    dropped: FieldTable = field(default_factory=dict)

    @property
    def policy_file(self) -> Path:
        """The province's rules as data."""
        return self.folder / "policy.yaml"

    @property
    def samples(self) -> Path:
        """Sample files as the province's own platform writes them."""
        return self.folder / "samples"
