"""The province's side of the exchange: pull what is new, tell what was taken, hand over result files. All that its system may hold up."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from adapters.runtime.failpoints import failpoint
from adapters.runtime.landing import FileLanding
from adapters.runtime.model import Adapter
from adapters.runtime.quarantine import export
from adapters.runtime.results import results
from adapters.runtime.retrying import later
from adapters.runtime.source import Notice, Noticing, Source
from adapters.runtime.state import State
from hub.domain.clock import Clock

_AT_ONCE = 100
_DAY_SECONDS = 86_400.0


class ProvinceSide:
    """Speaks with the province's system. One thread calls it; SourceDown and SourceFault come out of every method that does."""

    def __init__(self, source: Source, state: State, landing: FileLanding, clock: Clock, *, keep_days: int = 90) -> None:
        self.source = source
        self._state, self._landing, self._clock, self._keep_days = state, landing, clock, keep_days
        self._noticed: list[Notice] | None = None

    def pull(self) -> bool:
        """Land what is new, a page or a file of it; say whether there may be more at once."""
        more = self.source.pull(self._landing)
        if isinstance(self.source, Noticing) and (notices := list(self.source.notices())) != self._noticed:
            self._state.notice(notices)
            self._noticed = notices
        return more

    def tell(self) -> int:
        """Tell the province which deliveries were taken, and put their files away; return how many."""
        untold = self._state.deliveries.untold(_AT_ONCE)
        for landed in untold:
            self.source.taken(self._landing.delivery(landed))
            failpoint("province.after_told")
            self._landing.archive(landed)
            failpoint("province.after_archive")
            self._state.deliveries.told(landed.number)
        return len(untold)

    def clear(self) -> int:
        """Let go of files taken more than `keep_days` ago; return how many deliveries that was."""
        if not self._keep_days:
            return 0
        old = self._state.deliveries.kept_before(later(self._clock.now().isoformat(), -self._keep_days * _DAY_SECONDS), _AT_ONCE)
        for landed in old:
            self._landing.remove(landed)
            self._state.deliveries.removed(landed.number)
        return len(old)

    def push(self, files: Sequence[Path]) -> int:
        """Hand over the result files that the province does not have as they are; return how many."""
        digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        known = self._state.pushed()
        changed = [path for path in files if known.get(path.name) != digests[path.name]]
        if changed:
            self.source.push(changed)
            failpoint("results.after_push")
            self._state.push({path.name: digests[path.name] for path in changed})
        return len(changed)


class ResultFiles:
    """Writes the province's native result files to `<work>/results`, each whole, and the quarantine beside them.

    `days` bounds what they say to what changed that recently; 0 says all there is.
    """

    def __init__(self, adapter: Adapter, state: State, work: Path, clock: Clock, *, days: int = 0) -> None:
        self._adapter, self._state, self._work, self._clock, self._days = adapter, state, work, clock, days

    def write(self) -> list[Path]:
        """Write the files as things stand; return those that are the province's."""
        now = self._clock.now().isoformat()
        since = later(now, -self._days * _DAY_SECONDS) if self._days else ""
        folder, made = self._work / "results", self._work / "results.new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        folder.mkdir(exist_ok=True)
        written = self._adapter.write(results(self._state.told.rows(since), self._state.records.rows(since)), made)
        files = []
        for path in written:
            place = folder / path.relative_to(made)
            place.parent.mkdir(parents=True, exist_ok=True)
            files.append(path.replace(place))
        shutil.rmtree(made)
        failpoint("results.after_write")
        export(self._state, self._work / "quarantine.csv")
        return files

    @property
    def quarantine_file(self) -> Path:
        """Where the quarantine is written for a spreadsheet."""
        return self._work / "quarantine.csv"
