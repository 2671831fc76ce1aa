"""What an adapter did, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from adapters.runtime.state import State


@dataclass(slots=True)
class Report:
    """Counts of a run: `read`, `sent` and `unchanged` of this run, the others of all there is in the memory."""

    name: str
    read: int = 0
    sent: int = 0
    unchanged: int = 0
    quarantined: int = 0
    parked: int = 0
    ok: int = 0
    refused: int = 0
    unanswered: int = 0
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data for `--json`."""
        counts = ("name", "read", "sent", "unchanged", "quarantined", "parked", "ok", "refused", "unanswered")
        by_kind = {kind: dict(outcomes) for kind, outcomes in self.by_kind.items()}
        return {**{name: getattr(self, name) for name in counts}, "by_kind": by_kind, "refusals": dict(self.refusals)}


def report_of(name: str, state: State, *, read: int, sent: int, unchanged: int) -> Report:
    """Return the report of a run that read, sent and found unchanged so many records."""
    report = Report(name, read, sent, unchanged, state.quarantine.depth(), state.parking.depth())
    for _, kind, outcome, count in state.records.tally():
        group = {"OK": "ok", "": "unanswered"}.get(outcome, "refused")
        setattr(report, group, getattr(report, group) + count)
        report.by_kind.setdefault(kind, Counter())[outcome or "UNANSWERED"] += count
        if group == "refused":
            report.refusals[outcome] += count
    return report
