from __future__ import annotations

import pytest

from adapters.runtime.command import list_adapters
from adapters.runtime.model import Adapter
from tests.golden.make_samples import ROOT, all_files
from tests.golden.render import HERE, golden

FILES = all_files()


def test_no_sample_file_is_missing_or_left_over() -> None:
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/samples/**/*") if path.is_file()}
    assert found == set(FILES)


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_sample_file_is_what_the_seed_makes(path: str) -> None:
    assert (ROOT / path).read_bytes() == FILES[path]


@pytest.mark.parametrize("adapter", list_adapters(), ids=lambda adapter: adapter.name)
def test_native_records_map_as_the_golden_file_shows(adapter: Adapter) -> None:
    """`python -m tests.golden.render` writes it anew; read the difference before committing it."""
    assert (HERE / f"{adapter.name}.txt").read_text(encoding="utf-8") == golden(adapter)
