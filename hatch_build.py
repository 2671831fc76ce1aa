"""Puts the compiled engine into the wheel where there is one: then it is for one interpreter and one platform, otherwise for all."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EngineHook(BuildHookInterface[Any]):
    """Adds what `tools/compile_engine.py` made for this interpreter; refuses what is not of these sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say what goes into the wheel and what it is for. Raises EngineError where the sources have changed since they were compiled."""
        # An installation that points here finds it here.
        if version == "editable":
            return
        engine = _load(Path(self.root, "hub", "engine.py"))
        if engine.compiled_files(engine.FOLDER):
            engine.check()
            build_data["artifacts"].append("/hub/_compiled")
            build_data.update(pure_python=False, infer_tag=True)


def _load(file: Path) -> Any:
    # By its file: what the package needs beside is not there when a wheel is built.
    spec = importlib.util.spec_from_file_location("engine", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
