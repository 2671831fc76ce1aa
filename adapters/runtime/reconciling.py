"""A province reconciled: its deliveries, its memory, its result files, and the ledger's rows where there are some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from adapters.runtime import reconcile_ledger as ledgers
from adapters.runtime.model import Adapter
from adapters.runtime.reconcile import Native, account, missing_deliveries
from adapters.runtime.reconcile_ledger import LedgerRow
from adapters.runtime.reconcile_report import Report
from adapters.runtime.reconcile_sources import kept, landed_on, memory_of, natives
from adapters.runtime.results import Results
from adapters.runtime.state import State
from hub.domain.divisions import province_of


@dataclass(frozen=True, slots=True)
class Period:
    """Days on which deliveries landed, both included; None is open."""

    since: date | None = None
    until: date | None = None

    @property
    def whole(self) -> bool:
        """True where nothing is left out."""
        return self.since is None and self.until is None

    def __str__(self) -> str:
        return "全部 all" if self.whole else f"{self.since or '…'} – {self.until or '…'}"


def reconcile(
    adapter: Adapter, work: Path, made_at: datetime, *, period: Period, ledger: Mapping[str, LedgerRow] | None, told: Results | None
) -> Report:
    """Return the reconciliation of an adapter's folder with the ledger (by redemption id) and the result files, each where given.

    Raises FileNotFoundError where the adapter has no memory there, WrongSchema where another release wrote it.
    """
    with State(work / "state.db", read_only=True) as state:
        # The memory before the files: what lands in between is a delivery more, and no difference.
        memory = memory_of(state)
        first, last = landed_on(state, period.since, period.until)
        historic = {each.number for each in state.deliveries.all() if each.historic}
    on_disk = {number: found for number, found in kept(work).items() if first <= number <= max(memory.deliveries, default=0)}

    def read() -> Iterator[Native]:
        for number, (name, path) in on_disk.items():
            yield from natives(adapter, number, name, path, historic=number in historic)

    found = account(read(), memory, until_delivery=last)
    differences = [*found.differences, *missing_deliveries({number: name for number, (name, _) in on_disk.items()}, memory, since=first)]
    rows = ledger
    if rows is None and told is not None:
        rows = {row.redemption_id: ledgers.of_result(row) for row in told.redemptions}
    if rows is not None:
        acquired = [row.redemption_id for row in rows.values() if province_of(row.acquirer) == adapter.division]
        differences += ledgers.orders(found, memory, rows, acquired)
    if told is not None:
        if ledger is not None:
            differences += ledgers.results(ledger, told.redemptions, None if period.whole else frozenset(ledger))
        differences += ledgers.outcomes(found, memory, told.outcomes)
    return Report(
        province=adapter.name,
        title_zh=adapter.title_zh,
        title_en=adapter.title_en,
        period=str(period),
        made_at=made_at.isoformat(timespec="seconds"),
        account=found,
        ledger=None if ledger is None else ledgers.sums(ledger.values()),
        told=None if told is None else ledgers.sums(ledgers.of_result(row) for row in told.redemptions),
        differences=differences,
    )
