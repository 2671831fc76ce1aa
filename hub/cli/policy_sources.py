"""Where the policies of a command come from: files, parts of files, and what is published at the hub."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import typer

from adapters.runtime.policy_faults import Spot, path_of
from adapters.runtime.policy_fields import FIELDS, LISTED
from adapters.runtime.policy_file import PolicyEntry, PolicyFile, read_policies
from hub.client import HubClient
from hub.codec.fields import Fields
from hub.codec.policies import decode_policy
from hub.domain.policy import Policy
from hub.settings import Settings
from yrd.policy.v1 import policy_pb2 as pb

T = TypeVar("T")

_GET = "yrd.policy.v1.PolicyService.GetPolicy"
_STEP = re.compile(r"([a-z_]+)|\[(\d+)\]")


class Problem(NamedTuple):
    """Something to be said of a place in a file: errors in form, and what the linter finds."""

    file: str
    line: int
    column: int
    field: str
    rule: str
    severity: str
    zh: str
    en: str

    def __str__(self) -> str:
        """One line, as compilers write them, so that editors can jump to it."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity.lower()}: {self.field}: {self.en} / {self.zh} [{self.rule}]"


class NoPolicy(ValueError):
    """A policy that was asked for is not there, or not to be told apart from others."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A policy of a file, with its place: `file` and `entry` say where its fields stand."""

    file: PolicyFile
    entry: PolicyEntry
    policy: Policy

    def problem(self, spot: Spot, rule: str, severity: str, zh: str, en: str) -> Problem:
        """Return something to be said of a field of the policy."""
        line, column = self.file.place(self.entry, spot)
        return Problem(self.file.path, line, column, path_of(spot), rule, severity, zh, en)


def read(path: Path) -> tuple[list[Placed], list[Problem]]:
    """Read a file, and return its policies and all that is wrong with them: by form, by sense, and by the hub's own reading.

    Raises OSError where there is no such file.
    """
    file = read_policies(path)
    problems = [Problem(file.path, max(f.line, 1), max(f.column, 1), f.field, f.code, "ERROR", f.zh, f.message) for f in file.faults]
    placed = []
    for entry in file.entries:
        fields = Fields()
        policy = decode_policy(entry.policy, fields, at="")
        item = Placed(file, entry, policy)
        placed.append(item)
        for wrong in fields.violations:
            problems.append(item.problem(_spot(wrong.field), "HUB_REFUSES", "ERROR", f"枢纽将拒绝:{wrong.description}", wrong.description))
    return placed, sorted(problems, key=lambda item: item[:3])


def _spot(path: str) -> Spot:
    """Return the place in a file of a path in the contract's names, such as `.categories[1].per_line_cap_fen`."""
    spot: list[str | int] = []
    for name, number in _STEP.findall(path):
        fields = LISTED.get(str(spot[0]), FIELDS) if spot else FIELDS
        spot.append(int(number) if number else next((key for key, field in fields.items() if field.target == name), name))
    return tuple(spot)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the hub: its settings, and whose identity to use."""

    settings: Settings
    identity: Path | None

    def run(self, use: Callable[[HubClient], Awaitable[T]]) -> T:
        """Run something with a client. Raises NoPolicy where no identity is named."""
        if self.identity is None:
            raise NoPolicy("name the identity folder of a participant: --identity DIR or DELTAHUB_CLIENT_IDENTITY")
        folder = self.identity

        async def within() -> T:
            async with HubClient(self.settings.grpc_address, self.settings.web_address, folder) as client:
                return await use(client)

        return asyncio.run(within())


def select(source: str, access: Access) -> list[pb.Policy]:
    """Return the policies that `FILE`, `FILE#ISSUER`, `FILE#ISSUER@VERSION`, `hub:ISSUER` or `hub:ISSUER@VERSION` names.

    Raises NoPolicy where there is none, PolicyProblems where the file is wrong, OSError where there is no such file.
    """
    if source.startswith("hub:"):
        return [_published(source.removeprefix("hub:"), access)]
    return [item.entry.policy for item in select_placed(source)]


class PolicyProblems(ValueError):
    """A file with faults."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} faults")
        self.problems = problems


def select_placed(source: str) -> list[Placed]:
    """Return the policies of a file, or those of an issuer or version in it."""
    name, _, part = source.partition("#")
    placed, problems = read(Path(name))
    if problems:
        raise PolicyProblems(problems)
    issuer, _, version = part.partition("@")
    found = [p for p in placed if issuer in ("", p.policy.issuer) and version in ("", p.policy.version)]
    if not found:
        raise NoPolicy(f"{name} has no policy {part}; it has {', '.join(_names(placed))}")
    return found


def select_one(source: str) -> Placed:
    """Return the one policy that a source names; raise NoPolicy where it names several."""
    found = select_placed(source)
    if len(found) > 1:
        raise NoPolicy(f"say which: {' or '.join(source.partition('#')[0] + '#' + name for name in _names(found))}")
    return found[0]


def _names(placed: list[Placed]) -> Iterator[str]:
    return (f"{item.policy.issuer}@{item.policy.version}" for item in placed)


def _published(name: str, access: Access) -> pb.Policy:
    issuer, _, version = name.partition("@")
    request = pb.GetPolicyRequest(issuer=issuer, version=version)
    result = access.run(lambda client: client.call(_GET, request))
    if not result.ok:
        refusal = result.refusal
        raise NoPolicy(f"hub:{name}: {result.code}: {refusal.en if refusal else ''} / {refusal.zh if refusal else ''}")
    policy: pb.Policy = result.unwrap().policy
    return policy


def complain(error: Exception) -> typer.Exit:
    """Print why a command cannot run as asked, and return the exit to raise: 1 for a file with faults, 2 for anything else."""
    if isinstance(error, PolicyProblems):
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        return typer.Exit(1)
    typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)
