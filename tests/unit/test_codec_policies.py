"""Policies: every field to the contract and back, defaults filled in, every fault named."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from datetime import date
from enum import StrEnum
from typing import Any

import pytest

from hub.codec import enums
from hub.codec.fields import Fields
from hub.codec.policies import decode_policy, encode_policy
from hub.domain.conditions import Condition
from hub.domain.money import MAX_FEN
from hub.domain.policy import (
    Category,
    CategoryRule,
    EnterpriseKind,
    EvidenceKind,
    ExpiryBasis,
    Mode,
    Policy,
    QuotaBasis,
    RecognitionDefault,
    RecognitionRule,
    RefundTarget,
    Residual,
    SettlementModel,
)
from yrd.common.v1 import types_pb2
from yrd.policy.v1 import policy_pb2 as pb

FULL = Policy(
    issuer="330522",
    version="cx-2013",
    effective_from=date(2013, 12, 1),
    effective_until=date(2014, 12, 1),
    mode=Mode.POST_SUBSIDY,
    annual_cap_fen=100_000_00,
    categories={Category.INSPECTION_TESTING: CategoryRule(6000), Category.IP: CategoryRule(4000, 0), Category.DATA: CategoryRule(1, 7)},
    denomination_fen=1000_00,
    validity_months=18,
    expiry_basis=ExpiryBasis.USE,
    prefund_fen=10_000_00,
    annual_issue_cap_fen=0,
    quota_basis=QuotaBasis.FACE,
    per_order_cap_fen=5000_00,
    residual=Residual.FORFEIT,
    eligible=(EnterpriseKind.ABOVE_SCALE, EnterpriseKind.TEAM),
    recognition=RecognitionRule(RecognitionDefault.POOL, True, 450),
    evidence=(EvidenceKind.CONTRACT, EvidenceKind.RESULT_REPORT),
    auto_clear_up_to_fen=0,
    authorization_ttl_days=30,
    refund=RefundTarget.TO_VOUCHER,
    settlement=SettlementModel.NET,
    funding=(("330000", 4000), ("330522", 6000)),
    conditions=(Condition("small", "order.amount_fen < 100000", "仅限小额", "small orders only"),),
)


def _minimal() -> pb.Policy:
    message = pb.Policy(issuer="310000", version="v1", effective_from="2026-01-01", mode=pb.MODE_PRE_SUBSIDY, annual_cap_fen=100)
    message.categories.add(category=types_pb2.CATEGORY_RESEARCH, ratio_bp=3000)
    return message


def _wrong(message: pb.Policy) -> list[str]:
    fields = Fields()
    decode_policy(message, fields)
    return [item.field for item in fields.violations]


def test_a_policy_with_every_field_set_survives_the_contract() -> None:
    fields = Fields()
    assert decode_policy(pb.Policy.FromString(encode_policy(FULL).SerializeToString()), fields) == FULL
    assert fields.refusal is None
    default = Policy("310000", "v", date(2026, 1, 1), Mode.PRE_SUBSIDY, 1, {})
    unset = {item.name for item in dataclass_fields(Policy) if getattr(FULL, item.name) == getattr(default, item.name)}
    assert unset == {"policy_id"}, "every field is set in the example, so that a forgotten one shows"


def test_the_contract_has_no_policy_field_that_is_not_encoded() -> None:
    assert {field.name for field, _ in encode_policy(FULL).ListFields()} == {field.name for field in pb.Policy.DESCRIPTOR.fields}


def test_defaults_are_those_of_the_rules() -> None:
    fields = Fields()
    policy = decode_policy(_minimal(), fields)
    assert fields.refusal is None
    assert policy == Policy(
        issuer="310000",
        version="v1",
        effective_from=date(2026, 1, 1),
        mode=Mode.PRE_SUBSIDY,
        annual_cap_fen=100,
        categories={Category.RESEARCH: CategoryRule(3000)},
        effective_until=None,
        denomination_fen=0,
        validity_months=12,
        expiry_basis=ExpiryBasis.CLAIM,
        prefund_fen=0,
        annual_issue_cap_fen=None,
        quota_basis=QuotaBasis.OFFSET,
        per_order_cap_fen=None,
        residual=Residual.RETAIN,
        eligible=(EnterpriseKind.TECH_SME,),
        recognition=RecognitionRule(RecognitionDefault.LISTED, False, 0),
        evidence=(EvidenceKind.INVOICE,),
        auto_clear_up_to_fen=None,
        authorization_ttl_days=90,
        refund=RefundTarget.TO_FINANCE,
        settlement=SettlementModel.DIRECT,
        funding=(),
        conditions=(),
    )
    assert policy.funders == (("310000", 10_000),)
    # Filled in once, the defaults are the policy.
    assert decode_policy(encode_policy(policy), Fields()) == policy


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("issuer", {"issuer": "31"}),
    ("version", {"version": "v 1"}),
    ("version", {"version": ""}),
    ("effective_from", {"effective_from": ""}),
    ("effective_until", {"effective_until": "2026-13-01"}),
    ("effective_until", {"effective_until": "2026-01-01"}),
    ("mode", {"mode": 0}),
    ("mode", {"mode": 9}),
    ("denomination_fen", {"denomination_fen": -1}),
    ("validity_months", {"validity_months": 121}),
    ("validity_months", {"validity_months": -1}),
    ("prefund_fen", {"denomination_fen": 100, "prefund_fen": 150}),
    ("prefund_fen", {"prefund_fen": -1}),
    ("annual_cap_fen", {"annual_cap_fen": 0}),
    ("annual_cap_fen", {"annual_cap_fen": MAX_FEN + 1}),
    ("annual_issue_cap_fen", {"annual_issue_cap_fen": -1}),
    ("per_order_cap_fen", {"per_order_cap_fen": MAX_FEN + 1}),
    ("auto_clear_up_to_fen", {"auto_clear_up_to_fen": -5}),
    ("authorization_ttl_days", {"authorization_ttl_days": 3651}),
    ("expiry_basis", {"expiry_basis": 7}),
    ("eligible[1]", {"eligible": [1, 0]}),
    ("evidence[0]", {"evidence": [44]}),
    ("recognition.min_rating", {"recognition": pb.RecognitionRule(min_rating=501)}),
    ("recognition.default", {"recognition": pb.RecognitionRule(default=9)}),  # type: ignore[arg-type]  # a value of a later contract
    ("funding", {"funding": [pb.FundingShare(division="310000", share_bp=9999)]}),
    ("funding[0].division", {"funding": [pb.FundingShare(division="31", share_bp=10_000)]}),
    ("funding[1].division", {"funding": [pb.FundingShare(division="310000", share_bp=5000)] * 2}),
    ("funding[0].share_bp", {"funding": [pb.FundingShare(division="310000"), pb.FundingShare(division="320000", share_bp=10_000)]}),
    ("conditions[0].cel", {"conditions": [pb.Condition(id="a", cel="order.nosuch > 1")]}),
    ("conditions[0].id", {"conditions": [pb.Condition(id="", cel="true")]}),
    ("conditions[1].id", {"conditions": [pb.Condition(id="a", cel="true")] * 2}),
]


@pytest.mark.parametrize(("field", "changes"), FAULTS, ids=[f"{index}-{field}" for index, (field, _) in enumerate(FAULTS)])
def test_every_fault_of_a_policy_is_named(field: str, changes: dict[str, Any]) -> None:
    message = _minimal()
    message.MergeFrom(pb.Policy(**changes))
    for name, value in changes.items():
        if value in (0, ""):
            message.ClearField(name)  # type: ignore[arg-type]  # names of the table above
    assert _wrong(message) == [f"policy.{field}"]


def test_faults_of_categories_are_named() -> None:
    message = _minimal()
    message.categories.add(category=types_pb2.CATEGORY_RESEARCH, ratio_bp=10_001, per_line_cap_fen=-1)
    message.categories.add()
    assert _wrong(message) == [
        "policy.categories[1].category",
        "policy.categories[1].per_line_cap_fen",
        "policy.categories[1].ratio_bp",
        "policy.categories[2].category",
    ]
    del message.categories[:]
    assert _wrong(message) == ["policy.categories"]


@pytest.mark.parametrize(
    ("inward", "outward"),
    [(getattr(enums, name), getattr(enums, name[:-3] + "_OUT")) for name in dir(enums) if name.endswith("_IN")],
)
def test_every_enum_value_has_its_counterpart(inward: dict[int, Any], outward: dict[Any, int]) -> None:
    assert {member: number for number, member in inward.items()} == outward
    members: type[StrEnum] = type(next(iter(outward)))
    assert set(outward) == set(members)
    assert 0 not in inward
