"""The catalogue of refusals: every code, both languages, statuses that exist, a remedy."""

from __future__ import annotations

import re
from http import HTTPStatus

import grpc
import pytest

from hub.domain.catalogue import TEXTS
from hub.domain.refusals import CATALOGUE, Refusal, RefusalCode, invalid, invalid_state, not_permitted
from yrd.common.v1 import refusal_pb2

HAN = re.compile(r"[\u4e00-\u9fff]")
HTTP_OF = {
    "NOT_FOUND": {404},
    "PERMISSION_DENIED": {403},
    "UNAUTHENTICATED": {401},
    "INVALID_ARGUMENT": {400},
    "FAILED_PRECONDITION": {409},
    "ALREADY_EXISTS": {409},
    "RESOURCE_EXHAUSTED": {413, 429},
    "UNAVAILABLE": {503},
    "DEADLINE_EXCEEDED": {504},
    "ABORTED": {412},
    "OUT_OF_RANGE": {400, 410},
}


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_code_is_in_the_catalogue_in_full(code: RefusalCode) -> None:
    entry = CATALOGUE[code]
    assert entry.grpc_status in {status.name for status in grpc.StatusCode}
    assert entry.http_status in HTTP_OF[entry.grpc_status]
    assert HTTPStatus(entry.http_status)
    for chinese in (entry.zh, entry.remedy_zh):
        assert HAN.search(chinese)
    for english in (entry.en, entry.remedy_en):
        assert english.strip() == english and english and not HAN.search(english)
    assert entry.zh != entry.remedy_zh and entry.en != entry.remedy_en


def test_the_catalogue_has_no_code_that_does_not_exist() -> None:
    assert set(TEXTS) == {code.value for code in RefusalCode} == {code.name for code in RefusalCode}


def test_codes_are_those_of_the_contract() -> None:
    names = {name.removeprefix("REFUSAL_CODE_") for name, number in refusal_pb2.RefusalCode.items() if number}
    assert names == {code.value for code in RefusalCode}


def test_a_refusal_speaks_the_catalogues_words_unless_it_has_better_ones() -> None:
    plain = Refusal(RefusalCode.QUOTA_EXCEEDED)
    assert (plain.zh, plain.en) == (plain.entry.zh, plain.entry.en)
    assert (Refusal(RefusalCode.QUOTA_EXCEEDED, detail_zh="甲", detail_en="a").zh) == "甲"


def test_short_ways_to_refuse() -> None:
    wrong = invalid("order.lines", "must have lines")
    assert (wrong.code, wrong.violations[0].field, wrong.metadata) == ("INVALID_ARGUMENT", "order.lines", (("field", "order.lines"),))
    assert "order.lines" in wrong.en and "order.lines" in wrong.zh
    assert (invalid_state("甲", "a").code, not_permitted("甲", "a").code) == ("INVALID_STATE", "NOT_PERMITTED")
