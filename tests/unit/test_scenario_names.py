import re

import pytest
from stdnum.cn import uscc

from hub.cli.scenario.names import Names, credit_code_of, sme_number_of, unknown_id

SME_NUMBER = re.compile(r"^20\d{2}\d{6}[0-9A-Z]\d{7}$")


@pytest.mark.parametrize("name", ["xingao", "新高", "a", "x" * 300])
def test_codes_are_valid_and_the_same_every_time(name: str) -> None:
    code = credit_code_of(name, "330522")
    assert uscc.is_valid(code)
    assert code[2:8] == "330522"
    assert code == credit_code_of(name, "330522")


def test_a_valid_code_stands_for_itself() -> None:
    assert credit_code_of("91310118MA1JTERT16") == "91310118MA1JTERT16"
    # One letter off it is a name like any other.
    assert credit_code_of("91310118MA1JTERT17") != "91310118MA1JTERT17"


def test_sme_numbers_have_their_form() -> None:
    assert SME_NUMBER.match(sme_number_of("xingao", "330522", 2013))
    assert sme_number_of("xingao", "330522", 2013) != sme_number_of("other", "330522", 2013)


def test_a_name_that_nobody_declared_has_a_valid_code_of_its_own() -> None:
    names = Names()
    code = names.declare("p", "310000")
    assert names.code("p") == code
    assert names.name(code) == "p"
    stranger = names.code("stranger")
    assert uscc.is_valid(stranger)
    assert stranger != code
    assert names.name(stranger) == stranger


def test_a_party_declared_twice_keeps_its_code() -> None:
    names = Names()
    assert names.declare("p", "310000") == names.declare("p", "320000")


def test_two_names_of_one_code_are_a_mistake() -> None:
    names = Names()
    names.declare("p", "310000")
    with pytest.raises(ValueError, match="same credit code"):
        names.declare(names.code("p"), "310000")


def test_unknown_things_have_ids_of_the_right_form() -> None:
    assert re.match(r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", unknown_id("zz"))
    assert unknown_id("zz") != unknown_id("zy")
