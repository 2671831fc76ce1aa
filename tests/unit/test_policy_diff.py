from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given

from adapters.runtime import policy_words as words
from adapters.runtime.policy_diff import _COMPOUND, Change, diff
from hub.codec.enums import CATEGORY_OUT
from hub.codec.fields import Fields
from hub.codec.policies import decode_policy, encode_policy
from tests.property.worlds import policies
from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb

TESTING, IP = types.CATEGORY_INSPECTION_TESTING, types.CATEGORY_IP


def policy(**changes: Any) -> pb.Policy:
    given_: dict[str, Any] = {
        "issuer": "330522",
        "version": "v1",
        "effective_from": "2026-01-01",
        "mode": pb.MODE_PRE_SUBSIDY,
        "annual_cap_fen": 30_000_000,
        "categories": [pb.CategoryRule(category=TESTING, ratio_bp=6_000)],
    }
    return pb.Policy(**{**given_, **changes})


def later(**changes: Any) -> pb.Policy:
    return policy(**{"version": "v2", "effective_from": "2026-07-01", **changes})


def only(old: pb.Policy, new: pb.Policy) -> Change:
    (change,) = diff(old, new)
    return change


def test_a_cap_that_falls() -> None:
    change = only(policy(), later(annual_cap_fen=20_000_000))
    assert change.en == "annual cap falls from 300,000 to 200,000 yuan on 1 July 2026"
    assert change.zh == "年度兑付上限自2026年7月1日起由300,000元降至200,000元"
    assert (change.field, change.kind) == ("annual_cap_fen", "falls")


CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "issuer": ({"issuer": "330500"}, "issuer changes from 330522 to 330500", "由330522改为330500"),
    "effective_until": ({"effective_until": "2027-01-01"}, "from open to 1 January 2027", "由长期有效改为2027年1月1日"),
    "mode": ({"mode": pb.MODE_POST_SUBSIDY}, "mode changes from pre-subsidy", "改为通用"),
    "denomination_fen": ({"denomination_fen": 100_000}, "from any amount to 1,000 yuan", "由任意面额改为1,000元"),
    "validity_months": ({"validity_months": 6}, "falls from 12 months to 6 months", "由12个月降至6个月"),
    "expiry_basis": ({"expiry_basis": pb.EXPIRY_BASIS_USE}, "to authorization before expiry", "到期前须完成预留"),
    "prefund_fen": ({"prefund_fen": 1_000_050}, "rises from 0 to 10,000.50 yuan", "由0元提高至10,000.50元"),
    "annual_cap_fen": ({"annual_cap_fen": 40_000_000}, "rises from 300,000 to 400,000 yuan", "提高至400,000元"),
    "annual_issue_cap_fen": ({"annual_issue_cap_fen": 0}, "from no limit to 0 yuan", "由不设限改为0元"),
    "quota_basis": ({"quota_basis": pb.QUOTA_BASIS_FACE}, "quota basis changes", "按所用券面额计"),
    "categories": (
        {"categories": [pb.CategoryRule(category=TESTING, ratio_bp=5_050)]},
        "share of the fee for inspection and testing falls from 60% to 50.5%",
        "检验检测认证补贴比例自2026年7月1日起由60%降至50.5%",
    ),
    "per_order_cap_fen": ({"per_order_cap_fen": 2_000_000}, "cap per order changes from no limit to 20,000 yuan", "单笔上限"),
    "residual": ({"residual": pb.RESIDUAL_FORFEIT}, "the rest of a drawn note returns to the issuer", "余额退回发券地"),
    "eligible": (
        {"eligible": [types.ENTERPRISE_KIND_TECH_SME, types.ENTERPRISE_KIND_TEAM]},
        "eligible enterprises: innovation teams added",
        "支持对象自2026年7月1日起增加创新创业团队",
    ),
    "recognition": ({"recognition": pb.RecognitionRule(min_rating=450)}, "least rating of a provider changes from none to 4.50", "4.50"),
    "evidence": (
        {"evidence": [types.EVIDENCE_KIND_INVOICE, types.EVIDENCE_KIND_CONTRACT]},
        "evidence: contract added",
        "增加合同",
    ),
    "auto_clear_up_to_fen": ({"auto_clear_up_to_fen": 0}, "amount that clears without review changes from no limit to 0 yuan", "免审核"),
    "authorization_ttl_days": ({"authorization_ttl_days": 1}, "falls from 90 days to 1 day", "由90天降至1天"),
    "refund": ({"refund": pb.REFUND_TARGET_TO_VOUCHER}, "from the issuer's finance to the voucher", "改为原券"),
    "settlement": ({"settlement": pb.SETTLEMENT_MODEL_NET}, "settlement changes from direct to net", "改为轧差结算"),
    "funding": (
        {"funding": [pb.FundingShare(division="330000", share_bp=4_000), pb.FundingShare(division="330522", share_bp=6_000)]},
        "share for funder 330522 falls from 100% to 60%",
        "出资地330522出资比例",
    ),
    "conditions": (
        {"conditions": [pb.Condition(id="c1", cel="order.amount_fen > 1", zh="有费用", en="has a fee")]},
        "conditions: condition “c1” added on 1 July 2026: has a fee (order.amount_fen > 1)",
        "增加条件“c1”:有费用",
    ),
}


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_in_words(field: str) -> None:
    changes, en, zh = CHANGES[field]
    found = diff(policy(), later(**changes))
    assert any(en in change.en and zh in change.zh for change in found), found
    # Who bears all by default is the issuer, so another issuer is another funder too.
    allowed = {field, "funding"} if field == "issuer" else {field}
    assert {change.field.split("[")[0].split(".")[0] for change in found} <= allowed
    assert diff(later(**changes), policy(version="v3", effective_from="2026-09-01"))


def test_no_field_of_the_contract_is_forgotten() -> None:
    own = {*CHANGES, "version", "effective_from"}
    assert own == set(pb.Policy.DESCRIPTOR.fields_by_name)
    assert set(words.FIELDS) | set(_COMPOUND) == own
    for message, known in (
        (pb.CategoryRule, words.CATEGORY),
        (pb.RecognitionRule, words.RECOGNITION),
        (pb.FundingShare, words.FUNDING),
        (pb.Condition, words.CONDITION),
    ):
        assert set(known) == set(message.DESCRIPTOR.fields_by_name)
    nested = {field.message_type.name for field in pb.Policy.DESCRIPTOR.fields if field.message_type}
    assert nested == {"CategoryRule", "RecognitionRule", "FundingShare", "Condition"}


def _enum_fields(descriptor: Descriptor) -> list[FieldDescriptor]:
    return [field for field in descriptor.fields if field.enum_type is not None]


def test_every_choice_of_the_contract_has_words() -> None:
    for message, known in ((pb.Policy, words.FIELDS), (pb.CategoryRule, words.CATEGORY), (pb.RecognitionRule, words.RECOGNITION)):
        for field in _enum_fields(message.DESCRIPTOR):
            assert field.enum_type is not None
            for value in field.enum_type.values[1:]:
                told = words.SETS[field.name][1].get(value.number) if field.name in words.SETS else known[field.name].say(value.number)
                assert told is not None and told.en != "unspecified", value.name


@pytest.mark.parametrize(
    ("field", "before", "after", "en"),
    [
        ("cap", 100_000, None, "cap per line for intellectual property changes from 1,000 yuan to no limit on 1 July 2026"),
        ("cap", 100_000, 50_000, "cap per line for intellectual property falls from 1,000 to 500 yuan on 1 July 2026"),
    ],
)
def test_caps_of_a_category(field: str, before: int, after: int | None, en: str) -> None:
    del field
    rules = [[pb.CategoryRule(category=IP, ratio_bp=1_000, per_line_cap_fen=cap)] for cap in (before, after)]
    assert only(policy(categories=rules[0]), later(categories=rules[1])).en == en


def test_a_category_that_comes_and_one_that_goes() -> None:
    came, went = diff(policy(), later(categories=[pb.CategoryRule(category=IP, ratio_bp=4_000, per_line_cap_fen=1_000_000)]))
    assert {came.kind, went.kind} == {"added", "removed"}
    assert "covered categories: intellectual property added on 1 July 2026 (share 40%, cap per line 10,000 yuan)" in (came.en, went.en)


def test_a_condition_that_is_reworded() -> None:
    old, new = (pb.Condition(id="c", cel=f"order.amount_fen > {n}", zh="有", en="is") for n in (1, 2))
    change = only(policy(conditions=[old]), later(conditions=[new]))
    assert change.field == "conditions[c].cel"
    assert "condition “c”" in change.en


def test_the_first_day_of_the_same_version() -> None:
    assert only(policy(), policy(effective_from="2026-02-01")).en == "first day in force changes from 1 January 2026 to 1 February 2026"


@given(policies("310000"))
def test_a_policy_does_not_differ_from_itself_however_it_is_written(made: Any) -> None:
    message = encode_policy(made)
    assert diff(message, message) == []
    bare = pb.Policy()
    bare.CopyFrom(message)
    for name in ("expiry_basis", "quota_basis", "residual", "refund", "settlement"):
        if getattr(message, name) == 1:
            bare.ClearField(name)
    bare.ClearField("eligible")
    bare.categories.reverse()
    assert diff(message, bare) == diff(bare, message) == []
    assert decode_policy(bare, Fields()).categories == made.categories
    assert CATEGORY_OUT
