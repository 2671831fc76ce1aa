"""`deltahub adapter new` and `render`: the folder of a new province's adapter, and the texts that are made from its tables."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How the province writes its files."""

    csv = "csv"
    jsonl = "jsonl"
    json = "json"
    xlsx = "xlsx"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="new")(new)
    app.command(name="render")(render)


def new(
    name: Annotated[str, typer.Argument(help="Short name: small letters, digits and _")],
    division: Annotated[str, typer.Option(help="GB/T 2260 code of the province: two digits and 0000")],
    format: Annotated[Format, typer.Option(help="How the province writes its files")] = Format.csv,
    title_zh: Annotated[str, typer.Option(help="Name of the province's platform, in Chinese")] = "",
    title_en: Annotated[str, typer.Option(help="The same in English")] = "",
    into: Annotated[Path, typer.Option(help="Folder to make it in")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Make a new province's adapter: a distribution of its own in DIR/deltahub-NAME, with mapping, codes, policy, samples and tests.

    It passes the adapter contract as it stands; put the province's own names into mapping.py and codes.yaml. Nothing in the hub changes.
    Next: `pip install -e DIR/deltahub-NAME`, then `pytest` in it. docs/integration/new-province.md goes through it step by step.

    Exit 0: made; 2: a bad or taken name or division, or the folder exists (it is never overwritten).

    Example: deltahub adapter new NAME --division CODE --format csv --title-zh 省科技创新券平台
    """
    from adapters.runtime.registry import list_adapters
    from adapters.runtime.scaffold.making import CannotMake, check, make

    titles = {
        "title_zh": title_zh or f"科技创新券平台 {division}",
        "title_en": title_en or f"{name.capitalize()} innovation voucher platform",
    }
    try:
        check(name, division, list_adapters())
        folder = make(name, division, format.value, into=into, **titles)
    except (CannotMake, OSError) as error:
        raise _cannot(str(error)) from error
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "files": files}, ensure_ascii=False))
        return
    for file in files:
        typer.echo(f"made {folder / file}")
    typer.echo(f"next: pip install -e {folder}; then pytest in it")


def render(
    province: Annotated[str, typer.Argument(help="Name or division of an installed adapter")],
    golden: Annotated[Path, typer.Option(help="Golden file to write: what the samples map to")] = Path("tests/golden.txt"),
) -> None:
    """Write the mapping table of an adapter's README and its golden file anew, after the mapping or the samples changed.

    Read the difference before you commit it: it is what the hub will be told. Run it in the adapter's own distribution.

    Exit 0: written; 2: no such adapter, or no such folder.

    Example: deltahub adapter render NAME
    """
    from adapters.runtime.registry import find_adapter
    from adapters.runtime.scaffold.making import render as write

    try:
        written = write(find_adapter(province), golden)
    except (LookupError, ValueError, OSError) as error:
        raise _cannot(str(error)) from error
    for path in written:
        typer.echo(f"wrote {path}")


def _cannot(message: str) -> typer.Exit:
    typer.secho(f"deltahub: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)
