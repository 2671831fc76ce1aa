"""The chart's promises that can be seen without a cluster: strict values, known settings, secrets only by reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from hub.settings import Settings

CHART = Path(__file__).parents[2] / "charts" / "hub"
TEMPLATES = sorted((CHART / "templates").iterdir())
ROLES = ("hub", "web", "relay", "consumer", "scheduler")


def load_values(name: str = "values.yaml") -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / name).read_text(encoding="utf-8")) or {}
    return values


def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return loaded


def overlay(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def objects(node: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object schema that names properties, with its path."""
    if isinstance(node, dict):
        if "properties" in node:
            yield path, node
        for key, below in node.items():
            yield from objects(below, f"{path}/{key}")


def leaves(node: object, path: str = "") -> Iterator[str]:
    if isinstance(node, dict) and node:
        for key, below in node.items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    else:
        yield path


def test_schema_is_strict_everywhere() -> None:
    lax = [path for path, node in objects(schema()) if node.get("additionalProperties") is not False]
    assert lax == []


@pytest.mark.parametrize("name", ["values.yaml", *(f"ci/{path.name}" for path in sorted((CHART / "ci").glob("*-values.yaml")))])
def test_values_fit_the_schema(name: str) -> None:
    jsonschema.validate(overlay(load_values(), load_values(name)), schema())


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicaCount": 3},
        {"roles": {"hub": {"replica": 3}}},
        {"roles": {"broker": {"replicas": 1}}},
        {"settings": {"tokenTtlSeconds": 301}},
        {"settings": {"simulatedClock": "2026-01-01T00:00:00Z"}},
        {"identity": {"existingSecret": ""}},
        {"database": {"url": "postgresql://user:password@host/db"}},
        {"kafka": {"bootstrap": "no-port"}},
    ],
)
def test_schema_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(overlay(load_values(), wrong), schema())


def test_every_variable_set_is_a_setting() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
    named = set(re.findall(r"DELTAHUB_([A-Z_]+)", text))
    assert named >= {"DATABASE_URL", "KAFKA_BOOTSTRAP", "GRPC_ADDRESS", "WEB_ADDRESS", "IDENTITY_DIR", "DATA_DIR"}
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_chart_holds_no_secret_and_no_virtual_clock() -> None:
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^kind: Secret$", text, re.MULTILINE), path.name
        assert "SIMULATED_CLOCK" not in text, path.name


def test_every_role_is_deployed_and_has_values() -> None:
    assert tuple(load_values()["roles"]) == ROLES
    listed = re.search(r"list ((?:\"\w+\" ?)+)", (CHART / "templates" / "deployments.yaml").read_text(encoding="utf-8"))
    assert listed is not None
    assert tuple(re.findall(r"\w+", listed[1])) == ROLES


def test_readme_names_every_top_level_value_and_section() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    for leaf in leaves(load_values()):
        first, *rest = leaf.split(".")
        assert f"`{first}" in readme, leaf
        if first == "roles":
            rest = rest[1:]
        if rest:
            assert re.search(rf"[`.]{re.escape(rest[0])}[`.]", readme), leaf


def test_pods_are_confined() -> None:
    helpers = (CHART / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    for demand in ("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", "drop: [ALL]"):
        assert demand in helpers
    for name in ("_role.tpl", "migration.yaml"):
        text = (CHART / "templates" / name).read_text(encoding="utf-8")
        for demand in ("hub.podSecurity", "hub.containerSecurity", "automountServiceAccountToken: false"):
            assert demand in text, name
