"""Writes the generated references of docs/. With --check it writes nothing and fails where one is not what it would write.

Run through `make docs`; `make check` runs it with --check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import docs_api
import docs_er
import docs_openapi
import docs_refusals
import docs_settings

DOCS = Path(__file__).resolve().parent.parent / "docs"

GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "api.md": ("proto/yrd", docs_api.render),
    "er.md": ("the tables modules of hub/ledger and registry", docs_er.render),
    "openapi.json": ("registry/web and proto/yrd", docs_openapi.render),
    "refusals.md": ("hub/domain/catalogue.py", docs_refusals.render),
    "settings.md": ("hub/settings.py", docs_settings.render),
}


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, (source, render) in GENERATED.items():
        head = f"<!-- Generated from {source} by tools/docs_generate.py (make docs). Do not edit. -->\n\n"
        # JSON knows no comments.
        wanted = render() if name.endswith(".json") else head + render()
        path = DOCS / name
        if path.exists() and path.read_text() == wanted:
            continue
        if check:
            stale.append(name)
        else:
            path.write_text(wanted)
            print(f"wrote docs/{name}")
    for name in stale:
        print(f"docs/{name} is not what its source generates. Run 'make docs' and commit the result.", file=sys.stderr)
    if check and not stale:
        print("generated references are up to date")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
