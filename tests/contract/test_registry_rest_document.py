"""The OpenAPI document says what the code does, in two languages, and the guides name only what is in it."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub.domain.caller import Role
from hub.security.access import access_of
from registry.methods import SERVICES
from registry.web.router import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
GUIDE = ROOT / "docs" / "integration" / "providers.md"
_HAN = re.compile(r"[\u4e00-\u9fff]")

# What a provider may call over gRPC and has no use for over REST: lists of one issuer's recognitions, criteria past and to come.
GRPC_ONLY = {"ListRecognitions", "ListClassRecognitions", "ListAdmissionCriteria"}


def _operations() -> Iterator[dict[str, Any]]:
    for methods in DOCUMENT["paths"].values():
        yield from methods.values()


def test_the_document_is_what_the_code_generates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    made = importlib.import_module("docs_openapi").render()
    assert made == (ROOT / "docs" / "openapi.json").read_text(), "run `make docs` and commit docs/openapi.json"


def test_everything_is_said_in_both_languages() -> None:
    for operation in _operations():
        texts = [operation["summary"], operation["description"], *(p["description"] for p in operation["parameters"] if "$ref" not in p)]
        assert all(_HAN.search(text) and re.search("[a-z]{3}", text) for text in texts), operation["operationId"]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, part in schema.get("properties", {}).items():
            assert _HAN.search(part["description"]) or "urn:" in part["description"], f"{name}.{field}"


def test_every_answer_and_problem_is_described_with_an_example() -> None:
    for operation in _operations():
        for status, response in operation["responses"].items():
            if status >= "400":
                problem = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert problem["content"]["application/problem+json"]["example"]["status"] == int(status)
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        assert body is None or body["example"]
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_examples_of_bodies_are_bodies() -> None:
    for operation in _operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema).validate(content["example"])


def test_changes_carry_a_key_and_nothing_else_is_open_to_everybody() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            references = [parameter.get("$ref", "") for parameter in operation["parameters"]]
            assert ("#/components/parameters/IdempotencyKey" in references) == (method != "get")
            assert (operation["security"] == []) == path.startswith("/api/pool/v1") and (method == "get" or operation["security"])


def test_all_that_a_provider_may_call_is_there() -> None:
    served = {operation.rpc for operation in OPERATIONS}
    for service in SERVICES:
        for method in service.methods:
            access = access_of(method)
            assert access is not None
            if Role.PROVIDER in access.roles and method.name not in GRPC_ONLY:
                assert method.full_name in served


def test_the_guide_names_only_what_is_served() -> None:
    lines = [line for line in GUIDE.read_text().splitlines() if "$HUB/api/" in line]
    assert len(lines) >= 15
    for line in lines:
        given = re.search(r"-X (\w+)", line)
        path = re.sub(r"\$\w+", "x", line.partition("$HUB")[2].split('"')[0].partition("?")[0])
        known = [template for template in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)]
        method = given[1].lower() if given else "get"
        assert any(method in DOCUMENT["paths"][template] for template in known), line
