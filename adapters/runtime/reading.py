"""What a delivered file, or a folder of files, holds: records and what they map to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adapters.runtime.commands import publish
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord, Phase, kinds_of
from adapters.runtime.policy_file import PolicyFileError, load_policies

POLICY_FILE = "policy.yaml"
"""Name under which a province's policies are delivered: to the adapter's memory its rules are records like any others."""


def kinds_in(adapter: Adapter, name: str) -> tuple[Kind, ...]:
    """Return what a delivery of that name holds; nothing where it is not the province's."""
    return (Kind.POLICY,) if name == POLICY_FILE else adapter.kinds(name)


def records_in(adapter: Adapter, path: Path, name: str) -> Iterator[tuple[NativeRecord, Mapped | None] | Broken]:
    """Yield every record of a delivery, always in the same order; a policy with its command, as it comes mapped."""
    if name != POLICY_FILE:
        for item in adapter.read(path, name, adapter.kinds(name)):
            yield item if isinstance(item, Broken) else (item, None)
        return
    try:
        yield from policy_records(path)
    except PolicyFileError as error:
        yield Broken(name, str(error.line or 1), error.field or "*", "FAULT", error.zh, error.message)


def read_folder(adapter: Adapter, folder: Path, phase: Phase) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a phase in the province's files under a folder, file after file by name."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if wanted := tuple(kind for kind in kinds_of(phase) if kind in adapter.kinds(name)):
            yield from adapter.read(path, name, wanted)


def policy_records(path: Path) -> Iterator[tuple[NativeRecord, Mapped]]:
    """Yield the policies of a file as records and commands. Raises PolicyFileError."""
    for entry in load_policies(path):
        command = publish(entry.policy)
        # The text form stands in for native fields, so that a changed policy under an old version is noticed.
        said = {"policy": str(entry.policy)}
        yield NativeRecord(POLICY_FILE, command.native_id, Kind.POLICY, command.native_id, said, "version"), command
