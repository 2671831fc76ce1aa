"""What stands before the first step: policies, parties, recognitions, notes. Independent things are sent side by side."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from hub.cli.scenario.answers import in_words
from hub.cli.scenario.model import ScenarioError, VoucherIssue
from hub.cli.scenario.stage import Stage, new_request_id
from hub.client import CallResult
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import registry_pb2
from yrd.voucher.v1 import voucher_pb2

T = TypeVar("T")


async def set_up(stage: Stage) -> None:
    """Send all lists; raise ScenarioError naming the first item that the hub refuses."""
    scenario = stage.scenario
    await asyncio.gather(
        *(_in_order(group, lambda each: _policy(stage, each)) for group in _by(scenario.policies, lambda each: each.issuer)),
        *(_enterprise(stage, name, each) for name, each in scenario.enterprises.items()),
        *(_provider(stage, name, each) for name, each in scenario.providers.items()),
    )
    await asyncio.gather(
        *(_in_order(group, lambda each: _recognition(stage, each)) for group in _by(scenario.recognitions, lambda each: each.provider)),
        # Notes of one issuer are numbered in the order of issue, and drawn in it where they expire together.
        *(_in_order(group, lambda each: _vouchers(stage, each)) for group in _by(scenario.vouchers, lambda each: each.issuer)),
    )


async def _policy(stage: Stage, policy: policy_pb2.Policy) -> None:
    request = policy_pb2.PublishPolicyRequest(request_id=new_request_id(), policy=policy)
    result = await stage.cast.send(policy.issuer, "yrd.policy.v1.PolicyService.PublishPolicy", request)
    _accepted(result, f"policy {policy.version} of {policy.issuer}")
    stage.policies[policy.issuer, policy.version] = policy


async def _enterprise(stage: Stage, name: str, enterprise: participant_pb2.Enterprise) -> None:
    request = participant_pb2.RegisterEnterpriseRequest(request_id=new_request_id(), enterprise=enterprise)
    result = await stage.cast.send(enterprise.division, "yrd.participant.v1.EnterpriseService.RegisterEnterprise", request)
    _accepted(result, f"enterprise {name}")


async def _provider(stage: Stage, name: str, provider: registry_pb2.Provider) -> None:
    request = registry_pb2.AdmitProviderRequest(request_id=new_request_id(), provider=provider)
    result = await stage.cast.send(provider.home, "yrd.registry.v1.RegistryService.AdmitProvider", request)
    _accepted(result, f"provider {name}")


async def _recognition(stage: Stage, recognition: registry_pb2.Recognition) -> None:
    request = registry_pb2.RecognizeProviderRequest(request_id=new_request_id(), recognition=recognition)
    result = await stage.cast.send(recognition.issuer, "yrd.registry.v1.RegistryService.RecognizeProvider", request)
    _accepted(result, f"recognition of {stage.names.name(recognition.provider)} by {recognition.issuer}")


async def _vouchers(stage: Stage, issue: VoucherIssue) -> None:
    request = voucher_pb2.IssueVouchersRequest(
        request_id=new_request_id(), issuer=issue.issuer, items=[issue.item], issued_on=issue.issued_on
    )
    result = await stage.cast.send(issue.issuer, "yrd.voucher.v1.VoucherService.IssueVouchers", request)
    _accepted(result, f"vouchers of {issue.issuer} for {issue.enterprise}")
    stage.issued(issue.enterprise, list(result.unwrap().vouchers))


async def _in_order(items: Iterable[T], send: Callable[[T], Awaitable[None]]) -> None:
    for item in items:
        await send(item)


def _by(items: Iterable[T], key: Callable[[T], str]) -> list[list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _accepted(result: CallResult[Any], what: str) -> None:
    if result.refusal is not None:
        raise ScenarioError(f"before the first step: {what} was refused: {result.code}: {in_words(result.refusal)}")
