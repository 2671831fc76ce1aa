"""The simplest source: a plain folder of native files, for samples, demonstrations and `--source`. It changes nothing in the folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapters.runtime.source import Delivery, Landing, SourceDown

_BLOCK_BYTES = 1 << 20


class FolderSource:
    """Lands each file whose bytes are new, by name. `wanted` says which names are the province's; hidden files are nobody's.

    Results go to the folder `outbox`, if one is given.
    """

    def __init__(self, folder: Path, wanted: Callable[[str], object], outbox: Path | None = None) -> None:
        self._folder, self._wanted, self._outbox = folder, wanted, outbox

    def pull(self, landing: Landing) -> bool:
        """Land the first file that is new; say whether one was."""
        for path in self._files():
            name = path.relative_to(self._folder).as_posix()
            stat = path.stat()
            seen = f"{stat.st_size}/{stat.st_mtime_ns}"
            if landing.cursor(f"folder/{name}") != seen:
                landing.put(name, _blocks(path), cursor=(f"folder/{name}", seen))
                return True
        return False

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Land what is new: a folder knows no days, all it has is in it."""
        return self.pull(landing)

    def taken(self, delivery: Delivery) -> None:
        """Nothing to do: the files stay where they are."""

    def push(self, files: Sequence[Path]) -> None:
        """Copy result files to the outbox, each under its name when it is whole."""
        if self._outbox is None:
            return
        try:
            self._outbox.mkdir(parents=True, exist_ok=True)
            for path in files:
                near = self._outbox / f".{path.name}.new"
                shutil.copyfile(path, near)
                near.replace(self._outbox / path.name)
        except OSError as error:
            raise SourceDown(f"{self._outbox}: {error}") from error

    def close(self) -> None:
        """Nothing to let go of."""

    def _files(self) -> Iterator[Path]:
        if not self._folder.is_dir():
            raise SourceDown(f"{self._folder}: there is no such folder")
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder)
            hidden = any(part.startswith(".") for part in name.parts)
            if not hidden and path.is_file() and self._wanted(name.as_posix()):
                yield path


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
