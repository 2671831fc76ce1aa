"""The golden files and the READMEs' mapping tables: `python -m tests.golden.render [province ...]` writes them; tests compare."""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.runtime.registry import find_adapter, list_adapters
from adapters.runtime.showing import every, golden, mapping_table, readme

HERE = Path(__file__).parent / "adapters"


def main(names: list[str]) -> None:
    """Write golden files and READMEs, of the provinces named or of all."""
    HERE.mkdir(exist_ok=True)
    for adapter in [find_adapter(name) for name in names] or list_adapters():
        (HERE / f"{adapter.name}.txt").write_text(golden(adapter), encoding="utf-8")
        (adapter.folder / "README.md").write_text(readme(adapter), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

__all__ = ["HERE", "every", "golden", "mapping_table", "readme"]
