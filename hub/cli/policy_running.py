"""What the commands of `deltahub policy` on files and at the hub do. Each ends with the exit code that its command promises."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc
import typer

from adapters.runtime.policy_diff import Change, diff
from hub.cli.policy_sources import Access, NoPolicy, Placed, PolicyProblems, Problem, complain, read, select, select_placed
from hub.client import CallResult, HubClient
from hub.domain.policy_lint import lint, lint_periods
from hub.settings import Settings
from yrd.policy.v1 import policy_pb2 as pb

_PUBLISH = "yrd.policy.v1.PolicyService.PublishPolicy"
# Names the requests of `publish`: the same policy published again is the same request.
_REQUESTS = uuid.UUID("5b1f7a52-6a52-4d0e-9e1f-3c0c6b7d8e11")


def validate(files: Sequence[Path], *, as_json: bool) -> None:
    """Check files and print every fault with its place."""
    placed, problems = _read_all(files)
    if as_json:
        policies = [{"file": item.file.path, "issuer": item.policy.issuer, "version": item.policy.version} for item in placed]
        typer.echo(_json({"valid": not problems, "policies": policies, "faults": [item._asdict() for item in problems]}))
    else:
        _print(problems)
        for item in placed if not problems else ():
            policy = item.policy
            until = policy.effective_until or "open 长期"
            typer.echo(f"{item.file.path}: {policy.issuer} {policy.version} is valid 有效, {policy.effective_from} – {until}")
    raise typer.Exit(1 if problems else 0)


def run_lint(files: Sequence[Path], *, as_json: bool) -> None:
    """Print what the linter finds, and the faults of what cannot be read."""
    placed, problems = _read_all(files)
    found = sorted([*problems, *_findings(placed)], key=lambda item: item[:3])
    errors = sum(item.severity == "ERROR" for item in found)
    if as_json:
        typer.echo(_json({"errors": errors, "warnings": len(found) - errors, "findings": [item._asdict() for item in found]}))
    else:
        _print(found)
        typer.echo(f"{len(placed)} policies 政策, {errors} errors 错误, {len(found) - errors} warnings 提示")
    raise typer.Exit(1 if errors else 0)


def run_diff(old: str, new: str, *, as_json: bool, identity: Path | None) -> None:
    """Print what changes from one source of policies to another."""
    access = Access(Settings(), identity)
    try:
        before, after = select(old, access), select(new, access)
    except (NoPolicy, PolicyProblems, OSError, grpc.RpcError) as error:
        raise complain(error) from error
    pairs = list(_pairs(before, after))
    if as_json:
        typer.echo(_json({"comparisons": [_comparison(base, policy) for base, policy in pairs]}))
        return
    for base, policy in pairs:
        title = f"{policy.issuer} {base.version if base else '-'} → {policy.version}"
        if base is None:
            typer.echo(f"{title}: new 新政策")
            continue
        changes = diff(base, policy)
        typer.echo(f"{title}: {len(changes)} changes 处变化" if changes else f"{title}: no change 无变化")
        for change in changes:
            typer.echo(f"  {change.en}\n    {change.zh}")


def publish(source: str, identity: Path | None, *, as_json: bool) -> None:
    """Publish what has neither faults nor contradictions, and print the answers."""
    try:
        placed = select_placed(source)
        errors = [item for item in _findings(placed) if item.severity == "ERROR"]
        if errors:
            raise PolicyProblems(errors)
        results = Access(Settings(), identity).run(lambda client: _publish(client, [item.entry.policy for item in placed]))
    except (NoPolicy, PolicyProblems, OSError, ValueError, grpc.RpcError) as error:
        raise complain(error) from error
    told = [_told(item, result) for item, result in zip(placed, results, strict=True)]
    if as_json:
        typer.echo(_json({"published": told}))
    else:
        for line in told:
            said = f"{line['code']} {line['en']} / {line['zh']}" if line["code"] else "published 已发布"
            typer.echo(f"{line['issuer']} {line['version']}: {said}")
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


async def _publish(client: HubClient, policies: Sequence[pb.Policy]) -> list[CallResult[pb.PublishPolicyResponse]]:
    return [await client.call(_PUBLISH, pb.PublishPolicyRequest(request_id=_request_id(policy), policy=policy)) for policy in policies]


def _request_id(policy: pb.Policy) -> str:
    return str(uuid.uuid5(_REQUESTS, policy.SerializeToString(deterministic=True).hex()))


def _told(item: Placed, result: CallResult[pb.PublishPolicyResponse]) -> dict[str, str]:
    refusal = result.refusal
    zh, en = (refusal.zh, refusal.en) if refusal else ("", "")
    return {"issuer": item.policy.issuer, "version": item.policy.version, "code": result.code, "zh": zh, "en": en}


def _read_all(files: Sequence[Path]) -> tuple[list[Placed], list[Problem]]:
    placed: list[Placed] = []
    problems: list[Problem] = []
    try:
        for path in files:
            found, wrong = read(path)
            placed.extend(found)
            problems.extend(wrong)
    except OSError as error:
        raise complain(error) from error
    return placed, problems


def _findings(placed: Sequence[Placed]) -> Iterator[Problem]:
    """Yield what the linter finds: on each policy alone, and on the periods of all of them together."""
    for item in placed:
        for found in lint(item.policy):
            yield item.problem(found.spot, found.rule, found.severity.value, found.zh, found.en)
    for at, found in lint_periods([item.policy for item in placed]):
        yield placed[at].problem(found.spot, found.rule, found.severity.value, found.zh, found.en)


def _pairs(before: Sequence[pb.Policy], after: Sequence[pb.Policy]) -> Iterator[tuple[pb.Policy | None, pb.Policy]]:
    """Yield each policy of `after` with what it is to be compared with: two single policies with each other, whoever issues them."""
    if len(before) == len(after) == 1:
        yield before[0], after[0]
        return
    for policy in after:
        own = [item for item in before if item.issuer == policy.issuer]
        same = next((item for item in own if item.version == policy.version), None)
        earlier = [item for item in own if item.effective_from <= policy.effective_from]
        yield same or max(earlier, key=lambda item: item.effective_from, default=None), policy


def _comparison(base: pb.Policy | None, policy: pb.Policy) -> dict[str, object]:
    changes: list[Change] = diff(base, policy) if base is not None else []
    told = {"issuer": policy.issuer, "old": base.version if base else None, "new": policy.version}
    return {**told, "changes": [change.as_dict() for change in changes]}


def _print(problems: Sequence[Problem]) -> None:
    for problem in problems:
        typer.echo(str(problem))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
