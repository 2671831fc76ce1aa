"""V1: an issue is all or nothing, down to the ids it would have used."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hub.domain.caller import Caller, Role
from hub.domain.issue import Issue, IssueItem, IssueSnapshot, decide_issue
from hub.domain.model import Enterprise
from hub.domain.policy import Category, CategoryRule, EnterpriseKind, Mode, Policy
from hub.domain.refusals import Refusal


def test_v1_a_refused_issue_takes_no_ids() -> None:
    policy = Policy("310000", "v", date(2026, 1, 1), Mode.PRE_SUBSIDY, 100, {Category.RESEARCH: CategoryRule(5_000)})
    taken: list[int] = []

    def next_id() -> int:
        taken.append(len(taken) + 1)
        return taken[-1]

    snapshot = IssueSnapshot(policy, enterprises={})
    command = Issue("310000", (IssueItem("known", 50), IssueItem("unknown", 50)), date(2026, 3, 1))
    snapshot.enterprises["known"] = Enterprise("known", "firm", "310000", EnterpriseKind.TECH_SME)
    made = decide_issue(snapshot, command, Caller("issuer", "310000", Role.PLATFORM), datetime(2026, 3, 1, tzinfo=UTC), next_id)
    assert isinstance(made, Refusal)
    assert taken == []
