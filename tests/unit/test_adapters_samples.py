"""The four provinces' samples describe one world: what one names, another has."""

from __future__ import annotations

from typing import Any

from adapters.runtime.command import list_adapters
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.policy_file import load_policies
from hub.domain.divisions import contains, province_of
from tests.golden.render import every

RECORDS = [(adapter, record, mapped) for adapter in list_adapters() for record, mapped in every(adapter) if isinstance(mapped, Mapped)]
POLICIES = {e.policy.issuer: e.policy for a in list_adapters() for e in load_policies(a.policy_file) if not e.policy.effective_until}
XINGAO, POLYMER = "91330522MA2B12343A", "12310104425001236Q"


def requests(kind: Kind) -> list[Any]:
    """What of a kind the provinces say and have not withdrawn."""
    return [mapped.request for _, record, mapped in RECORDS if record is not None and record.kind is kind and not record.deleted]


def test_orders_name_firms_and_providers_that_some_province_has() -> None:
    firms = {each.enterprise.uscc: each.enterprise for each in requests(Kind.ENTERPRISE)}
    labs = {each.provider.uscc: each.provider for each in requests(Kind.PROVIDER)}
    for adapter, record, mapped in RECORDS:
        if record is not None and record.kind is Kind.AUTHORIZATION:
            given: Any = getattr(mapped.request, "input")  # noqa: B009
            assert contains(given.issuer, firms[given.enterprise].division)
            assert labs[given.provider].home == adapter.division
    assert all(each.provider in labs for each in (one.recognition for one in requests(Kind.RECOGNITION)))
    assert all(item.enterprise in firms for each in requests(Kind.VOUCHER) for item in each.items)


def test_every_ordered_pair_of_regions_is_served_and_can_be_paid() -> None:
    holders = {(each.issuer, item.enterprise) for each in requests(Kind.VOUCHER) for item in each.items}
    listed = {(each.recognition.issuer, each.recognition.provider) for each in requests(Kind.RECOGNITION) if each.recognition.agreement}
    pairs = set()
    for adapter, record, mapped in RECORDS:
        if record is None or record.kind is not Kind.AUTHORIZATION:
            continue
        given: Any = getattr(mapped.request, "input")  # noqa: B009
        policy = POLICIES[given.issuer]
        covered = {rule.category for rule in policy.categories}
        known = policy.recognition.default == 1 or (given.issuer, given.provider) in listed
        held = (given.issuer, given.enterprise) in holders
        if known and held and any(line.category in covered and not line.flags for line in given.order.lines):
            pairs.add((province_of(given.issuer), adapter.division))
    assert len(pairs) == 16


def test_the_first_case_finds_its_parties() -> None:
    (firm,) = [each.enterprise for each in requests(Kind.ENTERPRISE) if each.enterprise.uscc == XINGAO]
    assert (firm.name, firm.division, firm.kind) == ("浙江新高包装有限公司", "330522", 1)
    (lab,) = [each.provider for each in requests(Kind.PROVIDER) if each.provider.uscc == POLYMER]
    assert (lab.name, lab.home) == ("上海高分子材料研究开发中心", "310000")
    seen = [each.recognition for each in requests(Kind.RECOGNITION) if each.recognition.provider == POLYMER]
    (given,) = [each for each in seen if each.issuer == "330522"]
    assert given.agreement
    (issue,) = [each for each in requests(Kind.VOUCHER) if each.items[0].enterprise == XINGAO]
    assert (issue.issuer, issue.items[0].face_fen, issue.items[0].count) == ("330522", 100_000, 10)
    assert POLICIES["330522"].prefund_fen == 1_000_000
    # Nothing else in the samples draws on those notes: the case is played on all ten.
    assert not [each for each in requests(Kind.AUTHORIZATION) if each.input.enterprise == XINGAO]


def test_issues_are_whole_notes_within_the_cap() -> None:
    for each in requests(Kind.VOUCHER):
        policy, face = POLICIES[each.issuer], sum(item.face_fen * max(1, item.count) for item in each.items)
        assert not policy.denomination_fen or face % policy.denomination_fen == 0
        assert not policy.HasField("annual_issue_cap_fen") or face <= policy.annual_issue_cap_fen
        assert not each.issued_on
