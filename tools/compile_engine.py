"""Compiles the clearing engine's modules with mypyc into hub/_compiled, where `hub/engine.py` finds them: `python tools/compile_engine.py`.

Does nothing where they are of these sources already. Without a C compiler or Python's headers it says so and leaves the engine interpreted.
What is there is exchanged as a whole, after the new one was loaded once: a build that ends early or fails leaves what was there before.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "proto" / "gen")]
if __name__ == "__main__":
    # The hub is looked at here, not run: what is missing or stale is what this is to make.
    os.environ["DELTAHUB_ENGINE"] = "interpreted"

from hub import engine  # noqa: E402  # not before the lines above

WORK = ROOT / "build" / "engine"
GROUP = "deltahub_engine"
OPTIONS: dict[str, Any] = {"opt_level": "2", "debug_level": "0", "multi_file": False}
"""How mypyc compiles. Measured, docs/adr/0015: what another level or one C file for each module gives."""

_LOAD_ALL = """
import importlib, sys
from pathlib import Path
from hub import engine
folder = Path(sys.argv[1])
files = engine.compiled_files(folder)
sys.meta_path.insert(0, engine.CompiledFinder(folder, files))
for name in files:
    module = importlib.import_module(name)
    assert module.__file__ == files[name], module.__file__
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", action="store_true", help="remove the compiled modules: the engine runs interpreted")
    options = parser.parse_args()
    os.chdir(ROOT)
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        # Two at once would compile into the same folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return clean() if options.clean else build()


def clean() -> int:
    shutil.rmtree(engine.FOLDER, ignore_errors=True)
    shutil.rmtree(WORK, ignore_errors=True)
    print("engine: interpreted; nothing compiled is left")
    return 0


def build() -> int:
    """Compile what is to be compiled; return the exit code."""
    begun = time.monotonic()
    modules = listed()
    if (missing := missing_tool()) is not None:
        # Older ones would be refused by every process.
        shutil.rmtree(engine.FOLDER, ignore_errors=True)
        print(f"engine: {missing}, so the hub runs interpreted: the same, at some two thirds of the speed")
        return 0
    digests = described(modules)
    if up_to_date(digests, modules):
        print(f"engine: compiled already, {len(modules)} modules")
        return 0
    print(f"engine: compiling {len(modules)} modules, which takes about a minute …", flush=True)
    new = WORK / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    compile_into(new, modules)
    (new / engine.DIGESTS).write_text(digests)
    subprocess.run([sys.executable, "-c", _LOAD_ALL, str(new)], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2])})
    exchange(new)
    print(f"engine: compiled {len(modules)} modules in {time.monotonic() - begun:.0f} s")
    return 0


def listed() -> list[str]:
    """Return the engine's modules as paths from the root, sorted."""
    listed = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["deltahub"]["engine"]["modules"]
    absent = [name for name in listed if not Path(name).is_file()]
    if absent:
        raise SystemExit(f"engine: pyproject.toml lists what is not there: {', '.join(absent)}")
    return sorted(set(listed))


def missing_tool() -> str | None:
    """Return what cannot be found of what compiling needs, or None."""
    for package in ("mypyc", "setuptools"):
        if find_spec(package) is None:
            return f"there is no {package} (make setup)"
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python's headers are not there (Debian: python3-dev)"
    return None


def described(modules: Sequence[str]) -> str:
    """Return the digests of all that decides what is compiled: modules, what they import of ours, and how."""
    how = " ".join(f"{name}={value}" for name, value in OPTIONS.items())
    lines = [f"# {engine.SUFFIX} mypy {version('mypy')} {how}", f"# {len(modules)} compiled: {' '.join(modules)}"]
    # Constants marked Final are written into whoever imports them, compiled or not.
    sources = sorted({*modules, *(found for module in modules for found in imported(Path(module)))})
    lines += [f"{engine.digest(Path(source))}  {source}" for source in sources]
    return "\n".join(lines) + "\n"


def imported(module: Path) -> Iterator[str]:
    """Yield the files of the hub's modules that a module imports."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            path = Path(*name.split(".")).with_suffix(".py")
            if name.startswith("hub.") and path.is_file():
                yield str(path)


def up_to_date(digests: str, modules: Sequence[str]) -> bool:
    known = engine.FOLDER / engine.DIGESTS
    names = {module.removesuffix(".py").replace("/", ".") for module in modules}
    return known.is_file() and known.read_text() == digests and names <= engine.compiled_files(engine.FOLDER).keys()


def compile_into(folder: Path, modules: Sequence[str]) -> None:
    """Have mypyc write C and the compiler make one library of all modules, and for each a small one that Python finds it by."""
    import setuptools  # noqa: F401  # mypyc takes its compiler from there
    from mypyc.build import mypycify
    from setuptools._distutils import ccompiler
    from setuptools._distutils import sysconfig as build_settings

    c_files = WORK / "c"
    shutil.rmtree(c_files, ignore_errors=True)
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            options = [*modules, f"--cache-dir={WORK / 'cache'}"]
            extensions = mypycify(options, group_name=GROUP, target_dir=str(c_files.relative_to(ROOT)), **OPTIONS)
    except SystemExit:
        # Its remarks on what could be faster are not for every day; its errors are.
        print(said.getvalue(), file=sys.stderr)
        raise
    compiler: Any = ccompiler.new_compiler()
    build_settings.customize_compiler(compiler)

    def made(extension: Any, source: str) -> list[str]:
        places = [*extension.include_dirs, sysconfig.get_path("include")]
        # mypyc would have a warning that a newer compiler invents end the build.
        options = [*extension.extra_compile_args, "-Wno-error"]
        files: list[str] = compiler.compile([source], str(WORK / "o"), None, places, False, None, options)
        return files

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiled = [(extension, [pool.submit(made, extension, source) for source in extension.sources]) for extension in extensions]
    for extension, parts in compiled:
        target = folder.joinpath(*extension.name.split(".")).with_suffix(engine.SUFFIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        compiler.link_shared_object([name for part in parts for name in part.result()], str(target))


def exchange(new: Path) -> None:
    """Put the new folder where the old one was. Between the two the engine is interpreted, which is right as well."""
    old = WORK / "old"
    shutil.rmtree(old, ignore_errors=True)
    if engine.FOLDER.exists():
        engine.FOLDER.rename(old)
    new.rename(engine.FOLDER)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
