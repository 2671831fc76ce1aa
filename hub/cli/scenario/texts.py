"""YAML as texts: `as: no` is a name, `version: 1.10` a version, a date a date. Nothing is guessed from how a scalar looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from hub.cli.scenario.model import Node, UnusableInput

_MERGE = "tag:yaml.org,2002:merge"


class _Texts(yaml.SafeLoader):
    """A loader whose plain scalars are texts, or null. A key given twice is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012 — the name and form are the library's
        first: [(tag, pattern) for tag, pattern in resolvers if tag in ("tag:yaml.org,2002:null", _MERGE)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _construct_mapping(loader: _Texts, node: yaml.MappingNode) -> Node:
    seen: set[str] = set()
    for key, _ in node.value:
        name = str(key.value)
        if name in seen and key.tag != _MERGE:
            raise yaml.constructor.ConstructorError(None, None, f"{name!r} is given twice", key.start_mark)
        seen.add(name)
    loader.flatten_mapping(node)
    made = Node({str(loader.construct_object(key, deep=True)): loader.construct_object(value, deep=True) for key, value in node.value})
    made.line = node.start_mark.line + 1
    return made


def _construct_sequence(loader: _Texts, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


_Texts.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Texts.add_constructor("tag:yaml.org,2002:seq", _construct_sequence)


def load_texts(path: Path) -> Node:
    """Return the mapping that a file holds; raise UnusableInput naming file, line and fault."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "is not UTF-8"
        raise UnusableInput(f"{path}: {reason}") from None
    loader = _Texts(content)
    try:
        root = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UnusableInput(f"{path}{at}: {error.problem or 'no YAML'}") from None
    except yaml.YAMLError as error:
        raise UnusableInput(f"{path}: {error}") from None
    finally:
        loader.dispose()
    if not isinstance(root, Node):
        raise UnusableInput(f"{path}:1: a scenario is a mapping of fields")
    return root
