from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.runtime.policy_fields import FIELDS
from adapters.runtime.policy_file import PolicyFileError, load_policies, policy_from_mapping
from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb

LEAST: dict[str, Any] = {
    "issuer": "330522",
    "version": "v1",
    "effective_from": "2026-01-01",
    "mode": "PRE_SUBSIDY",
    "annual_cap": "100000.00",
    "categories": [{"category": "RESEARCH", "ratio_bp": 6000}],
}
FULL: dict[str, Any] = {
    **LEAST,
    "effective_from": date(2026, 1, 1),
    "effective_until": "2027-01-01",
    "mode": "POST_SUBSIDY",
    "denomination": "1000",
    "validity_months": 6,
    "expiry_basis": "USE",
    "prefund": "10000.00",
    "annual_issue_cap": "0.00",
    "quota_basis": "FACE",
    "categories": [{"category": "IP", "ratio_bp": 4000, "per_line_cap": "0.50"}, {"category": "INSTRUMENT", "ratio_bp": 1}],
    "per_order_cap": "20000.00",
    "residual": "FORFEIT",
    "eligible": ["TEAM", "ABOVE_SCALE"],
    "recognition": {"default": "POOL", "require_agreement": True, "min_rating": 4.5},
    "evidence": ["CONTRACT", "RESULT_REPORT"],
    "auto_clear_up_to": "0.00",
    "authorization_ttl_days": 30,
    "refund": "TO_VOUCHER",
    "settlement": "NET",
    "funding": [{"division": "330000", "share_bp": 4000}, {"division": "330522", "share_bp": 6000}],
    "conditions": [{"id": "c1", "cel": "order.total_fen > 0", "zh": "有费用", "en": "has a fee"}],
}


def test_every_field_of_the_contract_can_be_written_in_yaml() -> None:
    assert {field.target for field in FIELDS.values()} == set(pb.Policy.DESCRIPTOR.fields_by_name)
    assert set(FULL) == set(FIELDS)


def test_a_full_policy() -> None:
    policy = policy_from_mapping(FULL)
    assert policy == pb.Policy(
        issuer="330522",
        version="v1",
        effective_from="2026-01-01",
        effective_until="2027-01-01",
        mode=pb.MODE_POST_SUBSIDY,
        denomination_fen=100_000,
        validity_months=6,
        expiry_basis=pb.EXPIRY_BASIS_USE,
        prefund_fen=1_000_000,
        annual_cap_fen=10_000_000,
        annual_issue_cap_fen=0,
        quota_basis=pb.QUOTA_BASIS_FACE,
        categories=[
            pb.CategoryRule(category=types.CATEGORY_IP, ratio_bp=4000, per_line_cap_fen=50),
            pb.CategoryRule(category=types.CATEGORY_INSTRUMENT, ratio_bp=1),
        ],
        per_order_cap_fen=2_000_000,
        residual=pb.RESIDUAL_FORFEIT,
        eligible=[types.ENTERPRISE_KIND_TEAM, types.ENTERPRISE_KIND_ABOVE_SCALE],
        recognition=pb.RecognitionRule(default=pb.RECOGNITION_DEFAULT_POOL, require_agreement=True, min_rating=450),
        evidence=[types.EVIDENCE_KIND_CONTRACT, types.EVIDENCE_KIND_RESULT_REPORT],
        auto_clear_up_to_fen=0,
        authorization_ttl_days=30,
        refund=pb.REFUND_TARGET_TO_VOUCHER,
        settlement=pb.SETTLEMENT_MODEL_NET,
        funding=[pb.FundingShare(division="330000", share_bp=4000), pb.FundingShare(division="330522", share_bp=6000)],
        conditions=[pb.Condition(id="c1", cel="order.total_fen > 0", zh="有费用", en="has a fee")],
    )


def test_what_is_left_out_is_absent_and_not_zero() -> None:
    policy = policy_from_mapping({**LEAST, "per_order_cap": None})
    for name in ("annual_issue_cap_fen", "per_order_cap_fen", "auto_clear_up_to_fen"):
        assert not policy.HasField(name)
    assert not policy.categories[0].HasField("per_line_cap_fen")
    assert policy_from_mapping(FULL).HasField("auto_clear_up_to_fen")


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("version", 2026, "2026"),
        ("version", 1.5, "1.5"),
        ("version", date(2026, 1, 1), "2026-01-01"),
        ("issuer", 330522, "330522"),
        ("effective_from", date(2026, 7, 1), "2026-07-01"),
    ],
)
def test_what_yaml_took_for_something_else_is_text_again(field: str, given: object, kept: str) -> None:
    assert getattr(policy_from_mapping({**LEAST, field: given}), field) == kept


@pytest.mark.parametrize(("given", "hundredths"), [("4.5", 450), (4.5, 450), (4, 400), ("4.55", 455), ("0", 0)])
def test_a_rating_in_hundredths(given: object, hundredths: int) -> None:
    assert policy_from_mapping({**LEAST, "recognition": {"min_rating": given}}).recognition.min_rating == hundredths


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"issuer": None}, "issuer"),
        ({"issuer": "33052"}, "issuer"),
        ({"mode": "PRE"}, "mode"),
        ({"annual_cap": "1.005"}, "annual_cap"),
        ({"annual_cap": "-1.00"}, "annual_cap"),
        ({"annual_cap": 100000.0}, "annual_cap"),
        ({"annual_cap": True}, "annual_cap"),
        ({"annual_cap": "90071992547409.92"}, "annual_cap"),
        ({"effective_from": "2026-02-30"}, "effective_from"),
        ({"effective_from": "20260101"}, "effective_from"),
        ({"validity_months": "one"}, "validity_months"),
        ({"validity_months": 1.5}, "validity_months"),
        ({"categories": {"RESEARCH": 6000}}, "categories"),
        ({"categories": [{"category": "RESEARCH"}]}, "categories[0].ratio_bp"),
        ({"categories": [{"category": "COFFEE", "ratio_bp": 1}]}, "categories[0].category"),
        ({"categories": [*LEAST["categories"], {"category": "IP", "ratio_bp": 1, "cap": "1"}]}, "categories[1].cap"),
        ({"recognition": "POOL"}, "recognition"),
        ({"recognition": {"min_rating": "4.555"}}, "recognition.min_rating"),
        ({"recognition": {"require_agreement": "maybe"}}, "recognition.require_agreement"),
        ({"eligible": "TECH_SME"}, "eligible"),
        ({"funding": [{"division": "3305", "share_bp": 10000}]}, "funding[0].division"),
        ({"conditions": [{"id": "a", "cel": " "}]}, "conditions[0].cel"),
        ({"anual_cap": "1.00"}, "anual_cap"),
    ],
)
def test_a_fault_names_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        policy_from_mapping({**LEAST, **change})
    assert caught.value.field == field
    assert caught.value.message


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = """\
policies:
  - issuer: "330522"
    version: 1.10
    source: a paper
    assumed: [annual_cap]
    effective_from: 2026-01-01
    mode: PRE_SUBSIDY
    annual_cap: 300000.00
    categories:
      - {category: RESEARCH, ratio_bp: 6000}
"""


def test_a_file_keeps_texts_as_they_are_written(tmp_path: Path) -> None:
    (entry,) = load_policies(write(tmp_path, GOOD))
    assert (entry.policy.version, entry.policy.annual_cap_fen) == ("1.10", 30_000_000)
    assert (entry.assumed, entry.source) == (("annual_cap",), "a paper")


@pytest.mark.parametrize(
    ("old", "new", "field", "line", "column"),
    [
        ("ratio_bp: 6000", "ratio_bp: many", "categories[0].ratio_bp", 10, 30),
        ("ratio_bp: 6000", "ratio_bp: 10001", "categories[0].ratio_bp", 10, 30),
        ("    mode: PRE_SUBSIDY\n", "", "mode", 2, 5),
        ("mode:", "mod:", "mod", 7, 5),
        ("annual_cap: 300000.00", "annual_cap: 300000.005", "annual_cap", 8, 5),
        ("annual_cap: 300000.00", "annual_cap: 0", "annual_cap", 8, 5),
        ("annual_cap: 300000.00", "annual_cap: 1\n    annual_cap: 2", "annual_cap", 9, 5),
        ("[annual_cap]", "[prefund]", "assumed[0]", 5, 15),
        ("2026-01-01", "2026-01-01\n    effective_until: 2026-01-01", "effective_until", 7, 5),
        ("PRE_SUBSIDY", 'PRE_SUBSIDY\n    funding: [{division: "330522", share_bp: 9999}]', "funding", 8, 5),
        ("PRE_SUBSIDY", 'PRE_SUBSIDY\n    denomination: "1000"\n    prefund: "1500"', "prefund", 9, 5),
        ("policies:", "policy:", "policies", 1, 1),
        ("[annual_cap]", "[annual_cap", "", 6, 19),
    ],
)
def test_a_fault_in_a_file_is_placed(tmp_path: Path, old: str, new: str, field: str, line: int, column: int) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(PolicyFileError) as caught:
        load_policies(path)
    fault = caught.value
    assert (fault.field, fault.line, fault.column, fault.file) == (field, line, column, str(path))
    assert str(fault).startswith(f"{path}:{line}:{column}: ")
