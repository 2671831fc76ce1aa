"""The documents point at things that exist: links, and the paths that ARCHITECTURE.md and the ADRs name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(path for folder in ("docs", "charts", "adapters") for path in (ROOT / folder).rglob("*.md")),
        ROOT / "tests/scenarios/README.md",
    ]
)

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:hub|registry|adapters|tests|tools|proto|docs|charts|data)/[\w./-]+)`")


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_relative)
def test_links_lead_somewhere(document: Path) -> None:
    found = [link for link in _LINK.findall(document.read_text()) if "://" not in link]
    assert [link for link in found if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_relative)
def test_paths_named_exist(document: Path) -> None:
    assert [path for path in _PATH.findall(document.read_text()) if not (ROOT / path).exists()] == []


def test_both_readmes_have_the_same_parts() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    for pattern in (r"^##? ", r"^```", r"^\|", r"^- "):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in (english, chinese)]
        assert counts[0] == counts[1], pattern
    # What is typed is the same in both.
    commands = [re.findall(r"```(?:sh|python)\n(.*?)```", re.sub(r" +#.*", "", text), re.DOTALL) for text in (english, chinese)]
    assert commands[0] == commands[1]
