from __future__ import annotations

from dataclasses import replace

import pytest

from registry.catalogue.candidates import same_institutions, same_instruments
from registry.catalogue.similarity import (
    PROPOSED_FROM,
    Institution,
    Instrument,
    compare_institutions,
    compare_instruments,
    core_name,
    organisation_code,
)

BASE = Institution("91310118MA1JTERT16", "上海材料研究所", "上海市邯郸路99号3幢", "上海")
OTHER = "12320500466001234X"
MICROSCOPE = Instrument(1, BASE.code, "扫描电子显微镜", "SU-8010", "日立", "A123", BASE.name, BASE.code, BASE.address, 180_000_000)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("华新检测技术有限公司", "华新检测技术有限责任公司"),
        ("华新检测技术有限公司", "华新检测技术股份有限公司"),
        ("上海市材料研究院", "上海材料研究所"),
        ("通标（上海）检测 有限公司", "通标(上海)检测有限公司"),
        ("华新ＡＢＣ检测", "华新abc检测"),
    ],
)
def test_width_punctuation_and_legal_form_make_no_other_institution(left: str, right: str) -> None:
    assert core_name(left) == core_name(right)
    assert compare_institutions(replace(BASE, name=left), replace(BASE, code=OTHER, name=right, address="")).score >= PROPOSED_FROM


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("第一材料研究所", "第二材料研究所"),
        ("华新检测技术有限公司", "华欣检测技术有限公司"),
        ("华新检测技术有限公司", "检测技术有限公司"),
        ("江海化学分析研究中心", "江天化学分析研究中心"),
    ],
)
def test_another_number_or_trade_name_is_another_institution(left: str, right: str) -> None:
    pair = Institution("91310118MA1JTERT16", left), Institution(OTHER, right)
    assert compare_institutions(*pair).score < PROPOSED_FROM
    elsewhere = replace(pair[0], address="上海市邯郸路99号"), replace(pair[1], address="合肥市黄山路1号")
    assert compare_institutions(*elsewhere).score < PROPOSED_FROM


def test_another_place_in_the_name_is_another_institution() -> None:
    left, right = Institution("91310118MA1JTERT16", "南京产品质量检验院", "", "南京"), Institution(OTHER, "苏州产品质量检验院", "", "苏州")
    assert compare_institutions(left, right).score == 0


def test_the_organisation_part_of_the_credit_code_comes_first() -> None:
    moved = replace(BASE, code="12" + "340100" + organisation_code(BASE.code) + "X", name="上海材料研究院有限公司")
    alike = compare_institutions(BASE, moved)
    assert alike.score >= PROPOSED_FROM
    assert alike.reasons[0].code == "SAME_ORGANISATION_CODE"
    assert sum(reason.score for reason in alike.reasons) == alike.score


def test_an_instrument_listed_by_another_provider_is_found() -> None:
    twin = replace(MICROSCOPE, entry_id=2, provider=OTHER, model="su 8010", place="上海市邯郸路99号", value=180_500_000)
    assert compare_instruments(MICROSCOPE, twin).score >= PROPOSED_FROM
    without = replace(twin, serial_no="", owner="", institution="上海市材料研究院")
    alike = compare_instruments(MICROSCOPE, without)
    assert alike.score >= PROPOSED_FROM
    assert {reason.code for reason in alike.reasons} == {"SAME_MODEL", "INSTITUTION", "PLACE", "MAKER", "VALUE", "NAME"}


@pytest.mark.parametrize(
    "change",
    [
        {"serial_no": "B999"},
        {"serial_no": "", "owner": "", "institution": "苏州纳米研究所"},
        {"serial_no": "", "value": 90_000_000, "place": "上海市国年路1号"},
        {"serial_no": "", "provider": BASE.code},
        {"serial_no": "", "owner": "", "institution": "上海第二材料研究所"},
    ],
    ids=["serial", "holder", "value and place", "two of one provider", "numbered institute"],
)
def test_two_of_a_kind_are_not_one(change: dict[str, object]) -> None:
    other = replace(MICROSCOPE, **{"entry_id": 2, "provider": OTHER, **change})  # type: ignore[arg-type]  # fields by name
    assert compare_instruments(MICROSCOPE, other).score < PROPOSED_FROM


def test_only_pairs_that_share_something_rare_are_compared_and_the_likest_come_first() -> None:
    labs = [Institution(f"9131011800000{number:04d}X", f"华{chr(0x4E00 + number)}检测技术有限公司") for number in range(400)]
    labs.append(Institution("91320500000009999X", f"华{chr(0x4E00 + 7)}检测技术股份有限公司"))
    pairs = same_institutions(labs)
    assert [(pair.left, pair.right) for pair in pairs] == [(7, 400)]
    instruments = [replace(MICROSCOPE, entry_id=n, provider=f"p{n}", model=f"M{n % 3}", serial_no=f"S{n}") for n in range(60)]
    instruments.append(replace(instruments[4], entry_id=99, provider="q"))
    assert [(pair.left, pair.right) for pair in same_instruments(instruments)] == [(4, 60)]
