"""How an adapter reads its samples, for people: the golden text, and the mapping table of its README."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf import text_format

from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord, Phase
from adapters.runtime.policy_file import load_policies
from adapters.runtime.reading import read_folder

# Between these two lines a README's mapping is written anew; what stands around them is the author's.
_SECTION = re.compile(r"(<!-- mapping: [^\n]* -->).*?(<!-- end of mapping -->)", re.DOTALL)
_SHOWN = 2  # records of each kind that a golden file shows


def every(adapter: Adapter) -> Iterator[tuple[NativeRecord | None, Mapped | Broken]]:
    """Yield every record of the samples with what it maps to."""
    for phase in Phase:
        if phase is not Phase.POLICIES:
            for item in read_folder(adapter, adapter.samples, phase):
                yield (None, item) if isinstance(item, Broken) else (item, adapter.map(item))


def golden(adapter: Adapter) -> str:
    """Return the first records of each kind, native and mapped, then everything the mapping rejects."""
    shown: dict[Kind, int] = {}
    parts, rejected = [], []
    for record, mapped in every(adapter):
        if isinstance(mapped, Broken):
            rejected.append(f"{mapped.file}:{mapped.line} {mapped.field} {mapped.reason_code} {mapped.value}".rstrip())
        elif record is not None and shown.setdefault(record.kind, 0) < _SHOWN:
            shown[record.kind] += 1
            parts.append(_pair(record, mapped))
    return "\n".join([*parts, "## rejected", *rejected, ""])


def _pair(record: NativeRecord, mapped: Mapped) -> str:
    native = "\n".join(f"  {name} = {value}" for name, value in record.fields.items())
    refers = f"\n  refers to {mapped.refers_to}" if mapped.refers_to else ""
    proto = text_format.MessageToString(mapped.request, as_utf8=True, indent=2)
    return f"## {record.kind} {record.file}:{record.line}\n{native}\n-> {mapped.method} key {mapped.key}{refers}\n{proto}"


def mapping_table(adapter: Adapter) -> str:
    """Return the mapping as Markdown: every native field, where it goes or why it does not."""
    lines = []
    for kind in adapter.mapped:
        lines += [f"### {kind}", "", "| native field | goes to |", "|---|---|"]
        lines += [f"| `{name}` | {target} |" for name, target in adapter.mapped[kind].items()]
        lines += [f"| `{name}` | *dropped:* {reason} |" for name, reason in adapter.dropped.get(kind, {}).items()]
        lines.append("")
    lines += ["### Policy figures without a source", ""]
    for entry in load_policies(adapter.policy_file):
        lines.append(f"- {entry.policy.issuer} `{entry.policy.version}` ({entry.source}): {', '.join(entry.assumed)}")
    return "\n".join([*lines, ""])


def readme(adapter: Adapter) -> str:
    """Return the README with its mapping section as it should be."""
    text = (adapter.folder / "README.md").read_text(encoding="utf-8")
    return _SECTION.sub(lambda found: f"{found[1]}\n\n{mapping_table(adapter)}\n{found[2]}", text)
