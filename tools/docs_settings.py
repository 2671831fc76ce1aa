"""docs/settings.md: every setting, from hub/settings.py."""

from __future__ import annotations

import typing
from pathlib import Path

from pydantic_core import PydanticUndefined

from hub.settings import Settings

HEAD = """# Settings

Read once at start from the environment. Nothing here is a secret; secrets are files that settings name, except that a password may stand in
`DELTAHUB_DATABASE_URL` and `DELTAHUB_KAFKA_CONFIG`, which the chart therefore takes from Kubernetes secrets. Lists and mappings are JSON.

Before all of them `DELTAHUB_ENGINE` is read: `compiled` refuses to start without the compiled engine, `interpreted` starts without it;
by default it is used where it is (docs/operations.md, Install).

| variable | type | default | meaning |
|---|---|---|---|
"""
ROOT = Path(__file__).resolve().parent.parent


def render() -> str:
    prefix = Settings.model_config["env_prefix"]
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{prefix}{name.upper()}` | {_type(field.annotation)} | {_default(field)} | {field.description} |")
    return HEAD + "\n".join(rows) + "\n"


def _type(annotation: object) -> str:
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path", "datetime": "RFC 3339"}
    arguments = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
    origin = typing.get_origin(annotation)
    if origin is list:
        return "JSON array"
    if origin is dict:
        return "JSON object"
    if arguments:
        return _type(arguments[0])
    return names[annotation.__name__]  # type: ignore[attr-defined]


def _default(field: typing.Any) -> str:
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if isinstance(value, Path) and value.is_absolute():
        # A file of the distribution, wherever that lies.
        value = value.relative_to(ROOT)
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    return f"`{value}`"
