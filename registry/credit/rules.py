"""The rules of joint sanctions as data: `data/joint_sanctions.yaml`, read once a process."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hub.domain.divisions import is_division
from registry.credit.domain import Effect, Reason, Rule, Rules, SubjectKind

_FILE = "joint_sanctions.yaml"
DEFAULT_FILES = (Path(__file__).resolve().parents[2] / "data" / _FILE, Path(sys.prefix) / "share" / "deltahub" / _FILE)
"""Where the file is looked for: in a checkout, then where a wheel installs it."""


class RulesError(ValueError):
    """The file says something that makes no rules; the message says what."""


@cache
def current() -> Rules:
    """Return the rules in use. Raises FileNotFoundError or RulesError."""
    path = next((file for file in DEFAULT_FILES if file.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no {_FILE} in {', '.join(str(file.parent) for file in DEFAULT_FILES)}")
    return parse(path.read_text(encoding="utf-8"))


def parse(content: str) -> Rules:
    """Read rules. Raises RulesError for words that are none of the contract's, a missing source, or an id used twice."""
    try:
        given: dict[str, Any] = yaml.safe_load(content)
        made = Rules(
            version=str(given["version"]),
            negative_list={SubjectKind(kind): _effects(effects) for kind, effects in given["negative_list"].items()},
            joint=tuple(_rule(item) for item in given["rules"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise RulesError(f"the rules cannot be read: {error}") from error
    ids = [rule.id for rule in made.joint]
    if len(set(ids)) < len(ids) or "list" in ids:
        raise RulesError("every rule needs an id of its own, other than `list`")
    return made


def _rule(item: dict[str, Any]) -> Rule:
    entered_by = tuple(str(code) for code in item.get("entered_by", ()))
    if not all(map(is_division, entered_by)):
        raise ValueError(f"rule {item['id']}: entered_by must list division codes")
    if not 1 <= item["years"] <= 99 or not item["source"]:
        raise ValueError(f"rule {item['id']}: needs years from 1 to 99 and a source, or `assumed`")
    return Rule(
        id=str(item["id"]),
        reasons=frozenset(Reason(name) for name in item["reasons"]),
        subjects=frozenset(SubjectKind(name) for name in item["subjects"]),
        entered_by=entered_by,
        effects=_effects(item["effects"]),
        years=item["years"],
        source=str(item["source"]),
    )


def _effects(names: list[str]) -> tuple[Effect, ...]:
    return tuple(Effect(name) for name in names)
