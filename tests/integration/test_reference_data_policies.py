from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.runtime.policy_file import load_policies
from hub.application.policies import get_policy, list_policies, methods, publish_policy
from hub.domain.caller import Caller
from tests.support_usecases import COORDINATOR, Desk, codes, forged, platform
from yrd.common.v1 import types_pb2
from yrd.policy.v1 import policy_pb2 as pb

ZHEJIANG, CHANGXING = "330000", "330522"
POLICY_FILES = sorted(Path(__file__).parents[2].glob("adapters/*/policy.yaml"))


def policy(version: str = "2026", since: str = "2026-01-01", issuer: str = CHANGXING, **changes: Any) -> pb.Policy:
    said: dict[str, Any] = {
        "mode": pb.MODE_PRE_SUBSIDY,
        "denomination_fen": 100_000,
        "annual_cap_fen": 10_000_000,
        "categories": [pb.CategoryRule(category=types_pb2.CATEGORY_INSPECTION_TESTING, ratio_bp=6000)],
    }
    return pb.Policy(issuer=issuer, version=version, effective_from=since, **{**said, **changes})


def publication(*args: str, **changes: Any) -> pb.PublishPolicyRequest:
    return pb.PublishPolicyRequest(policy=policy(*args, **changes))


async def publish(desk: Desk, *wanted: pb.Policy) -> list[pb.Policy]:
    return [(await desk.do(publish_policy, platform(item.issuer), pb.PublishPolicyRequest(policy=item))).policy for item in wanted]


async def test_a_policy_is_published_in_full_and_everyone_hears_of_it(desk: Desk) -> None:
    answer = await desk.do(publish_policy, platform(CHANGXING), publication())
    published = answer.policy
    assert (published.validity_months, published.authorization_ttl_days) == (12, 90)
    assert (published.expiry_basis, published.residual) == (pb.EXPIRY_BASIS_CLAIM, pb.RESIDUAL_RETAIN)
    assert list(published.eligible) == [types_pb2.ENTERPRISE_KIND_TECH_SME]
    assert not published.HasField("per_order_cap_fen")
    (told,) = desk.told()
    assert (told.topic, told.key, told.message.policy) == ("pool", CHANGXING, published)
    (row,) = desk.rows("SELECT issuer, version, effective_from::text, effective_until, body, published_by FROM policy")
    assert row[:4] == (CHANGXING, "2026", "2026-01-01", None)
    assert row[4:] == (published.SerializeToString(deterministic=True), "spiffe://330000/330522/platform")


@pytest.mark.parametrize("path", POLICY_FILES, ids=lambda path: path.parent.name)
async def test_every_provinces_own_policies_are_published_and_read_back(desk: Desk, path: Path) -> None:
    entries = load_policies(path)
    assert entries
    for entry in entries:
        published = (await publish(desk, entry.policy))[0]
        request = pb.GetPolicyRequest(issuer=published.issuer, version=published.version)
        assert (await desk.ask(get_policy, COORDINATOR, request)).policy == published


async def test_the_same_policy_again_is_the_one_stored_and_tells_nobody(desk: Desk) -> None:
    (published,) = await publish(desk, policy())
    state, told = desk.state(), desk.told()
    # In full, with its defaults written out and its categories in another order, it still says the same.
    assert await publish(desk, policy(), published, policy(validity_months=12)) == [published] * 3
    assert (desk.state(), desk.told()) == (state, told)


async def test_a_published_policy_is_never_edited(desk: Desk) -> None:
    await publish(desk, policy())
    for changes in ({"annual_cap_fen": 1}, {"per_order_cap_fen": 0}, {"effective_until": "2027-01-01"}):
        assert await desk.refused(publish_policy, platform(CHANGXING), publication(**changes)) == ("POLICY_EXISTS", [])
    await publish(desk, policy("2026b"), policy(issuer=ZHEJIANG))


async def test_of_different_policies_of_one_version_published_at_once_one_stays(desk: Desk) -> None:
    requests = [publication(annual_cap_fen=cap) for cap in (1_000_000, 2_000_000, 3_000_000)]
    outcomes = await asyncio.gather(*(desk.send(publish_policy, platform(CHANGXING), request) for request in requests))
    assert codes(outcomes) == ["OK", "POLICY_EXISTS", "POLICY_EXISTS"]
    same = await asyncio.gather(*(desk.send(publish_policy, platform(CHANGXING), publication("2027")) for _ in range(4)))
    assert codes(same) == ["OK"] * 4
    assert len(desk.told()) == 2


@pytest.mark.parametrize("caller", [platform("310000"), platform("330421"), COORDINATOR], ids=["other", "beside", "coordinator"])
async def test_only_the_issuer_publishes(still: Desk, caller: Caller) -> None:
    assert await still.refused(publish_policy, caller, publication()) == ("NOT_PERMITTED", [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issuer": "33052"}, "policy.issuer"),
        ({"version": "two words"}, "policy.version"),
        ({"since": "01.01.2026"}, "policy.effective_from"),
        ({"effective_until": "2026-01-01"}, "policy.effective_until"),
        ({"mode": 0}, "policy.mode"),
        ({"denomination_fen": -1}, "policy.denomination_fen"),
        ({"annual_cap_fen": 0}, "policy.annual_cap_fen"),
        ({"annual_cap_fen": 2**53 + 1}, "policy.annual_cap_fen"),
        ({"prefund_fen": 150_000}, "policy.prefund_fen"),
        ({"categories": []}, "policy.categories"),
        ({"funding": [pb.FundingShare(division=ZHEJIANG, share_bp=9_999)]}, "policy.funding"),
        ({"conditions": [pb.Condition(id="c", cel="order.amount_fen >")]}, "policy.conditions[0].cel"),
        ({"conditions": [pb.Condition(id="c", cel="order.amout_fen > 1")]}, "policy.conditions[0].cel"),
        ({"conditions": [pb.Condition(id="c", cel="order.amount_fen")]}, "policy.conditions[0].cel"),
    ],
)
async def test_a_wrong_field_refuses_the_whole_policy(still: Desk, changes: dict[str, Any], field: str) -> None:
    code, fields = await still.refused(publish_policy, platform(CHANGXING), publication(**changes))
    assert (code, fields) == ("INVALID_ARGUMENT", [field])


async def test_a_publication_repeated_gives_the_same_bytes(desk: Desk) -> None:
    request = publication()
    first = await desk.send(publish_policy, platform(CHANGXING), request)
    state, told = desk.state(), desk.told()
    desk.advance_to("2026-06-01")
    assert await desk.send(publish_policy, platform(CHANGXING), request) == first
    assert (desk.state(), desk.told()) == (state, told)
    request.policy.annual_cap_fen += 1
    assert await desk.refused(publish_policy, platform(CHANGXING), request) == ("REQUEST_ID_REUSED", [])


async def test_the_policy_in_force_is_the_last_to_take_effect(desk: Desk) -> None:
    await publish(
        desk, policy("first", "2026-01-01"), policy("second", "2026-07-01", effective_until="2026-09-01"), policy("other", issuer=ZHEJIANG)
    )

    async def in_force(day: str) -> str:
        answer = await desk.ask(get_policy, platform("310000"), pb.GetPolicyRequest(issuer=CHANGXING, on_date=day))
        return str(answer.policy.version)

    days = ("2026-01-01", "2026-06-30", "2026-07-01", "2026-08-31", "2026-09-01", "")
    assert [await in_force(day) for day in days] == ["first", "first", "second", "second", "first", "first"]
    desk.advance_to("2026-08-01")
    assert await in_force("") == "second"
    before = pb.GetPolicyRequest(issuer=CHANGXING, on_date="2025-12-31")
    assert await desk.unanswered(get_policy, COORDINATOR, before) == ("POLICY_NOT_FOUND", [])


async def test_what_is_not_published_and_what_cannot_be_asked(desk: Desk) -> None:
    await publish(desk, policy())
    absent = pb.GetPolicyRequest(issuer=CHANGXING, version="2027")
    assert await desk.unanswered(get_policy, COORDINATOR, absent) == ("POLICY_NOT_FOUND", [])
    wrong = pb.GetPolicyRequest(issuer="x", version="a b", on_date="tomorrow")
    assert await desk.unanswered(get_policy, COORDINATOR, wrong) == ("INVALID_ARGUMENT", ["issuer", "version", "on_date"])
    listing = pb.ListPoliciesRequest(issuer="")
    assert await desk.unanswered(list_policies, COORDINATOR, listing) == ("INVALID_ARGUMENT", ["issuer"])
    token = forged(COORDINATOR, pb.ListPoliciesRequest(issuer=CHANGXING), "x", "y")
    assert await desk.unanswered(list_policies, COORDINATOR, token) == ("INVALID_ARGUMENT", ["page_token"])


async def test_policies_are_listed_by_effective_date_then_version(desk: Desk) -> None:
    wanted = [("c", "2025-01-01"), ("a", "2026-01-01"), ("b", "2026-01-01"), ("d", "2027-01-01")]
    await publish(desk, *(policy(version, since) for version, since in reversed(wanted)), policy("other", issuer=ZHEJIANG))
    for size in (0, 1, 2, 3, 4):
        found: list[str] = []
        token = ""
        while True:
            request = pb.ListPoliciesRequest(issuer=CHANGXING, page_size=size, page_token=token)
            answer = await desk.ask(list_policies, platform("340000"), request)
            found.extend(item.version for item in answer.policies)
            token = answer.next_page_token
            if not token:
                break
        assert found == [version for version, _ in wanted]


def test_every_method_of_the_policy_service_has_its_use_case() -> None:
    (service,) = pb.DESCRIPTOR.services_by_name.values()
    assert set(methods([])) == {method.full_name for method in service.methods}
