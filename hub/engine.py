"""The clearing engine's compiled form: where it lies, whether it is of these sources, and its use in their place.

`tools/compile_engine.py` compiles the engine's modules (`[tool.deltahub.engine]` in pyproject.toml) with mypyc into the folder
`_compiled` beside this file, with the digests of what they were compiled from. Where the folder is, those modules come from it; where it
is not, from the same sources, interpreted. Sources changed afterwards are refused: what runs is never something else than what is read.

`DELTAHUB_ENGINE=interpreted` leaves the folder alone; `DELTAHUB_ENGINE=compiled` refuses to run without it.
Nothing is loaded here that a start would not load anyway: this runs first in every process.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
FOLDER = PACKAGE / "_compiled"
DIGESTS = "sources.sha256"
"""The file in it with the digests, as `sha256sum --check` reads it from the folder above `hub`."""

SWITCH = "DELTAHUB_ENGINE"
SUFFIX = EXTENSION_SUFFIXES[0]
"""How compiled modules of this very interpreter end; those of another one are not seen."""

_WAYS_OUT = "run `make engine` to compile them anew or `make engine-clean` to go without, or set DELTAHUB_ENGINE=interpreted"


class EngineError(ImportError):
    """The compiled engine must not be used, or is wanted and not there. The text says what to do."""


class CompiledFinder:
    """Finds modules in a folder of compiled ones, by their full names. The first one asked for has the sources checked."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self._folder = folder
        self._files = files
        self._checked = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where a module is, or None where it is not one of the compiled. Raises EngineError where sources have changed since."""
        del path, target
        file = self._files.get(name)
        if file is None:
            return None
        if not self._checked:
            check(self._folder)
            self._checked = True
        return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))


def compiled_files(folder: Path) -> Mapping[str, str]:
    """Return the compiled modules of a folder: file by full name. Empty where there is no folder, or only one of another interpreter."""
    return {
        ".".join([*Path(where).relative_to(folder).parts, file.removesuffix(SUFFIX)]): f"{where}/{file}"
        for where, _, files in os.walk(folder)
        for file in files
        if file.endswith(SUFFIX)
    }


def digest(source: Path) -> str:
    """Return the SHA-256 of a source, hexadecimal."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


def check(folder: Path = FOLDER, root: Path = PACKAGE.parent) -> None:
    """Raise EngineError where a source is not what was compiled into `folder`, or where the digests are missing. Half a millisecond."""
    changed = []
    try:
        lines = (folder / DIGESTS).read_text().splitlines()
    except FileNotFoundError as error:
        raise EngineError(f"{folder} does not say what it was compiled from; {_WAYS_OUT}") from error
    for line in lines:
        expected, _, name = line.partition("  ")
        if line.startswith("#"):
            continue
        try:
            same = digest(root / name) == expected
        except FileNotFoundError:
            same = False
        if not same:
            changed.append(name)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise EngineError(f"changed since the engine was compiled: {', '.join(changed[:3])}{more}; {_WAYS_OUT}")


def use_compiled() -> None:
    """Have the engine's modules come from the folder, where there is one and the switch does not forbid it.

    Raises EngineError where the switch demands a compiled engine that is not there, or says neither.
    """
    choice = os.environ.get(SWITCH, "")
    if choice not in ("", "compiled", "interpreted"):
        raise EngineError(f"{SWITCH} is {choice!r}; it may be compiled or interpreted")
    if choice == "interpreted":
        return
    files = compiled_files(FOLDER)
    if files:
        sys.meta_path.insert(0, CompiledFinder(FOLDER, files))
    elif choice == "compiled":
        raise EngineError(f"{SWITCH} is compiled, and for this interpreter nothing is in {FOLDER}; run `make engine`")


def is_compiled() -> bool:
    """Whether this process runs the compiled form."""
    return any(isinstance(finder, CompiledFinder) for finder in sys.meta_path)


def form() -> str:
    """Return `compiled` or `interpreted`, for logs and metrics."""
    return "compiled" if is_compiled() else "interpreted"


def problem() -> str | None:
    """Return why the engine's modules cannot be imported in this process, or None."""
    try:
        if is_compiled():
            check()
    except EngineError as error:
        return str(error)
    return None
