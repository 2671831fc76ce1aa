"""The OpenAPI document as it is published, docs/openapi.json, and a page that shows it: complete without scripts, all from this server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader

_FILE = "openapi.json"
DOCUMENT_FILES = (Path(__file__).resolve().parents[2] / "docs" / _FILE, Path(sys.prefix) / "share" / "deltahub" / _FILE)
"""Where the document is looked for: in a checkout, then where a wheel installs it."""
PAGE_STYLE = Path(__file__).resolve().parent / "templates" / "docs.css"


def load_document() -> bytes:
    """Return the document. Raises FileNotFoundError where the installation is incomplete."""
    found = next((file for file in DOCUMENT_FILES if file.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"no {_FILE} in {' or '.join(str(file.parent) for file in DOCUMENT_FILES)}")
    return found.read_bytes()


def render_page(document: bytes) -> bytes:
    """Return the page of a document."""
    # Much of an OpenAPI document is optional, so that what is not there is no mistake.
    environment = Environment(loader=PackageLoader("registry.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    spec = orjson.loads(document)
    parts: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            parts.setdefault(operation["tags"][0], []).append({"method": method.upper(), "path": path, **operation})
    tags = [(tag, parts[tag["name"]]) for tag in spec["tags"]]
    environment.filters["pretty"] = lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return environment.get_template("docs.html").render(spec=spec, tags=tags).encode()
