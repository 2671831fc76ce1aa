"""Reasons: the steps of a decision, with the numbers used, so that an officer can follow and an auditor repeat it."""

from __future__ import annotations

from typing import NamedTuple

SCOPE_CLAUSE = "沪科合〔2022〕19号 四(二)"
INTEGRITY_CLAUSE = "沪科合〔2022〕19号 五(四)"
TRIAL_CLAUSE = "长兴“科技券”跨区域共享 3.1"


class Reason(NamedTuple):
    """One step. `facts` are (name, value) pairs; fen where the name ends in `_fen`, basis points in `_bp`."""

    rule: str
    zh: str
    en: str
    code: str = ""
    policy_version: str = ""
    clause: str = ""
    facts: tuple[tuple[str, int], ...] = ()


def step(
    rule: str, zh: str, en: str, code: str = "", policy_version: str = "", clause: str = "", facts: tuple[tuple[str, int], ...] = ()
) -> Reason:
    """Return a step. Its parts may be named here without cost: named to a tuple they are gathered in a dictionary first."""
    return Reason(rule, zh, en, code, policy_version, clause, facts)
