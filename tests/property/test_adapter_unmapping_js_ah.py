"""What Jiangsu and Anhui can say of a command, they say so that it reads back as it was; what they cannot, they refuse."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from adapters.anhui import ADAPTER as ANHUI
from adapters.jiangsu import ADAPTER as JIANGSU
from adapters.runtime import commands
from adapters.runtime.model import Adapter, Kind, Mapped, NativeRecord
from hub.domain.money import MAX_FEN
from tests.golden.render import every
from yrd.clearing.v1 import clearing_pb2 as clearing

CITY = {"jiangsu": ["320000", "320100", "320500"], "anhui": ["340100", "340200"]}
LINES = {"jiangsu": 2, "anhui": 1}
CATEGORIES = [*JIANGSU.codes.lists["category"].values()]
KINDS = ["START_UP_TECH", "TEAM", "ABOVE_SCALE"]
FLAGS = ["PATENT_APPLICATION", "STATUTORY_TEST", "FISCALLY_FUNDED", "NON_INNOVATION"]
PAPERS = ["CONTRACT", "INVOICE", "PAYMENT_PROOF", "RESULT_REPORT"]

ids = st.text("ABCDEFGH-0123456789", min_size=1, max_size=40)
names = st.text(st.characters(codec="gb18030", exclude_categories=["C", "Z"]), min_size=1, max_size=60)
fen = st.integers(1, MAX_FEN)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(date.isoformat)
sha256 = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def credit_codes(draw: st.DrawFn) -> str:
    body = "91340100MA" + draw(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=7, max_size=7))
    return body + str(stdnum_uscc.calc_check_digit(body))


@st.composite
def lines(draw: st.DrawFn, most: int, *, flagged: bool = True) -> list[clearing.OrderLine]:
    flags = st.lists(st.sampled_from(FLAGS), max_size=1) if flagged else st.just([])
    one = st.builds(commands.line, st.sampled_from(CATEGORIES), fen, flags)
    return draw(st.lists(one, max_size=most))


@st.composite
def commands_of(draw: st.DrawFn, adapter: Adapter) -> tuple[Kind, Mapped]:
    """Draw a command that the province's format can carry."""
    kind = draw(st.sampled_from([each for each in Kind if each is not Kind.POLICY]))
    number, firm, city = draw(ids), draw(credit_codes()), draw(st.sampled_from(CITY[adapter.name]))
    start, until = sorted((draw(days), draw(days)))
    until = until if until > start else ""
    most = LINES[adapter.name]
    match kind:
        case Kind.ENTERPRISE:
            given = {"kind": draw(st.sampled_from(KINDS)), "sme_no": "", "sme_from": start, "sme_until": until}
            return kind, commands.register(number, uscc=firm, name=draw(names), division=city, staff=draw(st.integers(0, 10**7)), **given)
        case Kind.PROVIDER:
            found = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=5))
            rating = draw(st.integers(0, 500))
            return kind, commands.admit(
                number, uscc=firm, name=draw(names), home=adapter.division, categories=found, admitted_on=start, rating=rating
            )
        case Kind.RECOGNITION:
            issuer = adapter.division if adapter is JIANGSU else city
            return kind, commands.recognize(
                number, issuer=issuer, provider=firm, valid_from=start, valid_until=until, agreement=draw(st.booleans())
            )
        case Kind.VOUCHER:
            issuer = adapter.division if adapter is JIANGSU else city
            return kind, commands.issue(number, issuer=issuer, enterprise=firm, face_fen=draw(fen), voucher_nos=[draw(ids)])
        case Kind.AUTHORIZATION:
            drawn = draw(lines(most).filter(bool))
            issuer = draw(st.sampled_from(["310000", "330522", "340200"]))
            parties: dict[str, Any] = {"issuer": issuer, "enterprise": firm, "provider": draw(credit_codes()), "order_no": draw(ids)}
            return kind, commands.authorize(number, lines=drawn, lines_field="", **parties)
        case _:
            papers = [each for each in PAPERS if draw(st.booleans())]
            documents = [commands.evidence(each, draw(sha256) if adapter is JIANGSU else "") for each in papers]
            return kind, commands.capture(
                number,
                authorization=draw(ids),
                authorization_field="申请编号" if adapter is JIANGSU else "订单编号",
                enterprise=firm,
                invoice_no=draw(ids),
                delivered_on=start,
                documents=documents,
                lines=draw(lines(most, flagged=adapter is JIANGSU)),
            )


def said(adapter: Adapter, kind: Kind, mapped: Mapped) -> dict[str, str]:
    assert adapter.unmap is not None
    return dict(adapter.unmap(kind, mapped))


@pytest.mark.parametrize("adapter", [JIANGSU, ANHUI], ids=lambda each: each.name)
@given(data=st.data())
def test_a_command_said_natively_reads_back_as_it_was(adapter: Adapter, data: st.DataObject) -> None:
    kind, mapped = data.draw(commands_of(adapter))
    fields = said(adapter, kind, mapped)
    assert set(fields) <= set(adapter.mapped[kind])
    assert adapter.map(NativeRecord("f", "1", kind, mapped.native_id, fields)) == mapped


@pytest.mark.parametrize("adapter", [JIANGSU, ANHUI], ids=lambda each: each.name)
def test_the_samples_said_again_mean_the_same_and_stay_as_they_are(adapter: Adapter) -> None:
    count = 0
    for record, mapped in every(adapter):
        if record is None or not isinstance(mapped, Mapped):
            continue
        fields = said(adapter, record.kind, mapped)
        again = adapter.map(NativeRecord(record.file, record.line, record.kind, record.native_id, fields))
        assert again == mapped
        assert isinstance(again, Mapped) and said(adapter, record.kind, again) == fields
        assert set(fields) == set(adapter.mapped[record.kind])
        count += 1
    assert count > 300


def an_order(count: int, flags: list[str] | None = None, **more: Any) -> Mapped:
    drawn = [commands.line("RESEARCH", 100_00, flags or []) for _ in range(count)]
    parties: dict[str, Any] = {"issuer": "310000", "enterprise": "91330522MA2B12343A", "provider": "12310104425001236Q", "order_no": "HT-1"}
    return commands.authorize("D-1", lines=drawn, lines_field="", **parties, **more)


@pytest.mark.parametrize(
    ("adapter", "mapped"),
    [
        (JIANGSU, an_order(3)),
        (ANHUI, an_order(2)),
        (JIANGSU, an_order(1, ["PATENT_APPLICATION", "STATUTORY_TEST"])),
        (ANHUI, an_order(1, ["PATENT_APPLICATION", "STATUTORY_TEST"])),
        (JIANGSU, an_order(1, all_or_nothing=True)),
        (ANHUI, an_order(1, all_or_nothing=True)),
    ],
    ids=["three lines", "two lines", "two flags", "two flags, one line", "all or nothing", "all or nothing, one line"],
)
def test_an_order_that_a_row_cannot_hold_is_refused(adapter: Adapter, mapped: Mapped) -> None:
    with pytest.raises(ValueError):
        said(adapter, Kind.AUTHORIZATION, mapped)


def test_other_things_that_a_row_cannot_hold_are_refused() -> None:
    firm = "91330522MA2B12343A"
    unnumbered = commands.issue("F-1", issuer="320000", enterprise=firm, face_fen=100, count=5)
    dated = commands.issue("F-1", issuer="320000", enterprise=firm, face_fen=100, voucher_nos=["1"], issued_on="2026-01-01")
    for mapped in (unnumbered, dated):
        with pytest.raises(ValueError):
            said(JIANGSU, Kind.VOUCHER, mapped)
    evidence: dict[str, Any] = {"authorization": "D-1", "enterprise": firm, "invoice_no": "1", "delivered_on": "2026-02-03"}
    bare = commands.capture("C-1", authorization_field="申请编号", documents=[commands.evidence("INVOICE")], **evidence)
    proved = commands.capture("C-1", authorization_field="订单编号", documents=[commands.evidence("INVOICE", "ab" * 32)], **evidence)
    for adapter, mapped in ((JIANGSU, bare), (ANHUI, proved)):
        with pytest.raises(ValueError):
            said(adapter, Kind.CAPTURE, mapped)
    place = commands.recognize("H-1", issuer="340500", provider=firm, valid_from="2026-01-01", valid_until="", agreement=True)
    with pytest.raises(ValueError):
        said(ANHUI, Kind.RECOGNITION, place)
    with pytest.raises(ValueError):
        said(ANHUI, Kind.POLICY, place)
