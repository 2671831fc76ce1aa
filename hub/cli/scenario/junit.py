"""JUnit XML, as CI systems read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hub.cli.scenario.model import Result
from hub.cli.scenario.report import explanation

# XML 1.0 has no place for control characters, and a hub's last words may hold some (colours).
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, results: Sequence[Result]) -> None:
    """Write the results to `path`; raise OSError."""
    failed = sum(not result.passed for result in results)
    total = f"{sum(result.seconds for result in results):.3f}"
    suite = ElementTree.Element("testsuite", name="scenarios", tests=str(len(results)), failures=str(failed), errors="0", time=total)
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=result.path.parent.name or "scenarios",
            name=result.name,
            time=f"{result.seconds:.3f}",
            file=str(result.path),
        )
        if not result.passed:
            text = _UNPRINTABLE.sub("", "\n".join(explanation(result)))
            failure = ElementTree.SubElement(case, "failure", message=_message(result))
            failure.text = text
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _message(result: Result) -> str:
    if result.error:
        return _UNPRINTABLE.sub("", result.error.partition("\n")[0])
    first = result.differences[0]
    return f"step {first.step} {first.verb}: {first.field}: expected {first.expected}, got {first.got}"
