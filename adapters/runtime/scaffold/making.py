"""Makes the folder of a new province's adapter."""

from __future__ import annotations

import importlib.util
import json
import keyword
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adapters.runtime import delimited
from adapters.runtime.model import Adapter
from adapters.runtime.plain import sheet
from adapters.runtime.scaffold.names import CODES, COLUMNS, NESTED, ROWS, WORDS, Fields
from adapters.runtime.scaffold.samples import DAY, Row, nested, sample_rows, withdraw_one
from adapters.runtime.showing import golden, readme
from hub.domain.divisions import is_division

FORMATS = {
    "csv": "CSV in UTF-8",
    "jsonl": "JSON Lines",
    "json": "JSON (an object whose `data` is the list)",
    "xlsx": "XLSX workbooks of one sheet",
}
# GB/T 2260: the first two digits of every province, autonomous region, municipality and special administrative region.
_PROVINCES = frozenset(re.findall("..", "11121314152122233132333435363741424344454650515253546162636465718182"))
_NAME = re.compile(r"[a-z][a-z0-9_]{1,29}")
_PLACES = {"pyproject.toml": ".", "adapter.yaml": ".", "test_contract.py": "tests"}
_TEMPLATES = (
    "pyproject.toml",
    "adapter.yaml",
    "__init__.py",
    "mapping.py",
    "connector.py",
    "codes.yaml",
    "policy.yaml",
    "README.md",
    "test_contract.py",
)


class CannotMake(ValueError):
    """The adapter cannot be made as asked; the text says why and what to do."""


def check(name: str, division: str, installed: Iterable[Adapter]) -> None:
    """Raise CannotMake for a name or division that will not do, or that an installed adapter has."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise CannotMake(f"{name!r} is no name for an adapter: small letters, digits and _, beginning with a letter, such as henan")
    if not is_division(division) or division[:2] not in _PROVINCES or not division.endswith("0000"):
        raise CannotMake(f"{division!r} is no province: a GB/T 2260 code of six digits that ends in 0000, such as 410000")
    for adapter in installed:
        if name == adapter.name or division == adapter.division:
            raise CannotMake(
                f"{adapter.name} ({adapter.division}) is installed already: take another name and division, or change that one"
            )


def make(name: str, division: str, format_name: str, *, title_zh: str, title_en: str, into: Path) -> Path:
    """Make `into/deltahub-<name>` and return it; raise CannotMake where it exists, leaving it as it is."""
    folder, package = into / f"deltahub-{name.replace('_', '-')}", f"deltahub_{name}"
    if folder.exists():
        raise CannotMake(f"{folder} exists already: it is never overwritten; move it away, or choose another place with --into")
    chosen = NESTED if format_name.startswith("json") else COLUMNS
    values = {
        "name": name,
        "division": division,
        "package": package,
        "format": format_name,
        "format_en": FORMATS[format_name],
        "title_zh": title_zh,
        "title_en": title_en,
        "nested": chosen is NESTED,
        "f": {
            "fields": chosen.fields,
            "dropped": chosen.dropped,
            **{part: getattr(chosen, part) for part in ("mark", "valid", "withdrawn", "yes", "no")},
            "results": {
                table: {"word": word, "row": row, "columns": [line.strip() for line in columns.splitlines()]}
                for table, (word, row, columns) in ROWS.items()
            },
        },
        "words": WORDS,
        "codes": CODES,
    }
    into.mkdir(parents=True, exist_ok=True)
    # Beside its place until it is complete, so that what fails half-way leaves nothing that looks finished.
    with tempfile.TemporaryDirectory(dir=into, prefix=".deltahub-") as unfinished:
        made = Path(unfinished) / folder.name
        _write(made, package, values)
        adapter = _load(made / package)
        _write_samples(adapter, made / package / "samples", format_name, chosen)
        render(adapter, made / "tests" / "golden.txt")
        made.rename(folder)
    return folder


def _write(folder: Path, package: str, values: Mapping[str, object]) -> None:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    for name in _TEMPLATES:
        target = folder / _PLACES.get(name, package) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(templates.get_template(f"{name}.jinja").render(values), encoding="utf-8")


def _load(package: Path) -> Adapter:
    """Import the new package from where it lies, without leaving a trace of it among the modules."""
    spec = importlib.util.spec_from_file_location(package.name, package / "__init__.py", submodule_search_locations=[str(package)])
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    known, written = set(sys.modules), sys.dont_write_bytecode
    sys.modules[package.name], sys.dont_write_bytecode = module, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
        for loaded in set(sys.modules) - known:
            if loaded.partition(".")[0] == package.name:
                del sys.modules[loaded]
    adapter: Adapter = module.ADAPTER
    return adapter


def _write_samples(adapter: Adapter, folder: Path, format_name: str, names: Fields) -> None:
    folder.mkdir()
    rows = sample_rows(adapter, names.fields, names.dropped)
    withdraw_one(rows, names.mark, names.withdrawn)
    for kind, found in rows.items():
        _write_file(
            folder / f"{WORDS[kind.name]}-{DAY}.{format_name}", format_name, found, [*adapter.mapped[kind], *adapter.dropped.get(kind, {})]
        )


def _write_file(path: Path, format_name: str, rows: list[Row], header: list[str]) -> None:
    """Write rows as the province's own system might."""
    table = [{column: row.get(column, "") for column in header} for row in rows] if format_name in ("csv", "xlsx") else []
    if format_name == "csv":
        delimited.write_table(path, header, table, "utf-8")
    elif format_name == "xlsx":
        sheet.write_sheet(path, header, table)
    elif format_name == "jsonl":
        path.write_text("".join(json.dumps(nested(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        path.write_text(json.dumps({"data": [nested(row) for row in rows]}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def render(adapter: Adapter, golden_file: Path) -> list[Path]:
    """Write the mapping table of an adapter's README and its golden file anew; return both."""
    page = adapter.folder / "README.md"
    page.write_text(readme(adapter), encoding="utf-8")
    golden_file.write_text(golden(adapter), encoding="utf-8")
    return [page, golden_file]
