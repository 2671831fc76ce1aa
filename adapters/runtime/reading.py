"""A phase read and mapped, before anything leaves: what is ready, what is in quarantine, what needs no sending."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.runtime.commands import publish
from adapters.runtime.identity import Step, digest_of, headers, plan, request_id, source_id
from adapters.runtime.kafka_out import Outgoing
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord, Phase, kinds_of
from adapters.runtime.policy_file import load_policies
from adapters.runtime.row import Reject, broken
from adapters.runtime.state import State
from yrd.clearing.v1 import clearing_pb2 as clearing


@dataclass(frozen=True, slots=True)
class Ready:
    """A record mapped and complete."""

    record: NativeRecord
    mapped: Mapped
    digest: str
    attempt: int
    source: str

    @property
    def request_id(self) -> str:
        """The command's idempotency key."""
        return request_id(self.source)


@dataclass(slots=True)
class Reading:
    """What came of a phase's files."""

    read: int = 0
    unchanged: int = 0
    ready: list[Ready] = field(default_factory=list)
    quarantined: list[Broken] = field(default_factory=list)


def read_phase(adapter: Adapter, phase: Phase, samples: Path, state: State, *, retry_refused: bool = False) -> Reading:
    """Read and map the records of a phase. A bad row goes to quarantine and stops nothing.

    Raises PolicyFileError: a province without its rules can do nothing, and its officer must mend the file first.
    """
    reading = Reading()
    seen: dict[tuple[Kind, str], tuple[str, str]] = {}
    for record, mapped in _mapped(adapter, phase, samples):
        reading.read += 1
        if isinstance(mapped, Broken):
            reading.quarantined.append(mapped)
            continue
        digest = digest_of(record, adapter.dropped)
        first = seen.setdefault((record.kind, record.native_id), (digest, f"{record.file}:{record.line}"))
        try:
            _take(adapter, state, reading, record, mapped, digest, first, retry_refused)
        except Reject as reject:
            reading.quarantined.append(broken(record, reject))
    return reading


def _take(
    adapter: Adapter,
    state: State,
    reading: Reading,
    record: NativeRecord,
    mapped: Mapped,
    digest: str,
    first: tuple[str, str],
    retry_refused: bool,
) -> None:
    """Add one good record to the reading, unless it came before; raise Reject where it contradicts itself."""
    here = f"{record.file}:{record.line}"
    if record.deleted:
        reading.unchanged += 1
        return
    if first[0] != digest:
        raise Reject(record.id_field, "DUPLICATE_ID", record.native_id, first[1])
    if first[1] != here:
        reading.unchanged += 1
        return
    planned = plan(record.kind, digest, state.sent(record.kind, record.native_id), retry_refused=retry_refused)
    if planned.step is Step.CHANGED:
        raise Reject(record.id_field, "CHANGED_AFTER_SENT", record.native_id)
    if planned.step is Step.SKIP:
        reading.unchanged += 1
        return
    complete = _resolve(state, mapped)
    reading.ready.append(Ready(record, complete, digest, planned.attempt, source_id(adapter.name, record, digest, planned.attempt)))


def _mapped(adapter: Adapter, phase: Phase, samples: Path) -> Iterator[tuple[NativeRecord, Mapped | Broken]]:
    """Yield every record of a phase with what it maps to. What is no record at all stands under an empty one."""
    if phase is Phase.POLICIES:
        yield from policy_records(adapter)
        return
    for item in read_folder(adapter, samples, phase):
        if isinstance(item, Broken):
            yield NativeRecord(item.file, item.line, kinds_of(phase)[0], "", {}), item
        else:
            yield item, adapter.map(item)


def read_folder(adapter: Adapter, folder: Path, phase: Phase) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a phase in the province's files under a folder, file after file by name."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if wanted := tuple(kind for kind in kinds_of(phase) if kind in adapter.kinds(name)):
            yield from adapter.read(path, name, wanted)


def policy_records(adapter: Adapter) -> Iterator[tuple[NativeRecord, Mapped]]:
    """Yield the province's policies as records and commands."""
    for entry in load_policies(adapter.policy_file):
        command = publish(entry.policy)
        # The text form stands in for native fields, so that a changed policy under an old version is noticed.
        said = {"policy": str(entry.policy)}
        yield NativeRecord("policy.yaml", command.native_id, Kind.POLICY, command.native_id, said, "version"), command


def _resolve(state: State, mapped: Mapped) -> Mapped:
    """Fill in the redemption a capture is about; raise Reject where its authorization was not sent or not given."""
    if not mapped.refers_to or not isinstance(mapped.request, clearing.CaptureRequest):
        return mapped
    known = state.redemption_of(mapped.refers_to)
    if known is None:
        raise Reject(mapped.refers_field, "UNKNOWN_ORDER", mapped.refers_to, mapped.refers_to)
    if not known[1]:
        raise Reject(mapped.refers_field, "NOT_AUTHORIZED", mapped.refers_to, mapped.refers_to)
    request = clearing.CaptureRequest()
    request.CopyFrom(mapped.request)
    request.redemption_id = known[1]
    return replace(mapped, request=request)


def outgoing(adapter: Adapter, ready: Ready, now: str) -> Outgoing:
    """Return a command as it goes to the broker: the request with its id, under CloudEvents headers."""
    request = type(ready.mapped.request)()
    request.CopyFrom(ready.mapped.request)
    request.request_id = ready.request_id  # type: ignore[attr-defined]  # every mutation has one; a contract test says so
    return Outgoing(ready.mapped.key, request.SerializeToString(), headers(ready.source, adapter.name, ready.mapped.method, now))
