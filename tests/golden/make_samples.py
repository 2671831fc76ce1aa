"""Writes the four provinces' sample files anew from a fixed seed: `python -m tests.golden.make_samples`. A test compares them."""

from __future__ import annotations

from pathlib import Path

from tests.golden.samples import anhui, jiangsu, shanghai, zhejiang
from tests.golden.samples.build import build

ROOT = Path(__file__).parents[2] / "adapters"


def all_files() -> dict[str, bytes]:
    """Return the content of every sample file by its path under `adapters/`."""
    world = build()
    provinces = {"shanghai": shanghai, "jiangsu": jiangsu, "zhejiang": zhejiang, "anhui": anhui}
    return {f"{name}/samples/{path}": body for name, province in provinces.items() for path, body in province.files(world).items()}


def main() -> None:
    """Write all files."""
    for path, body in all_files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)


if __name__ == "__main__":
    main()
