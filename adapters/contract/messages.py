"""What the hub may say of each kind, for Hypothesis: awkward texts, all codes, full ranges of dates and of money in fen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from adapters.contract.records import good_of
from adapters.runtime import commands
from adapters.runtime.model import Adapter, Kind, Mapped
from hub.domain.money import MAX_FEN
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types

_FIRST = date(1949, 10, 1)
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_AWKWARD = st.sampled_from(list(" ,;；、|'\"=+-@\\/<>&%#{}[]()（）!？·“”𠮷é"))
# What is neither a control character nor a space of another kind: a mapping turns those away.
_PRINTABLE = st.characters(exclude_categories=("C", "Z"))
_PLAIN = st.sampled_from(list("长三角科技创新券服务中心示例有限公司ABCxyz0123456789-"))


def _names(enum: Any, prefix: str) -> list[str]:
    return [str(name).removeprefix(prefix) for name in enum.keys() if not name.endswith("_UNSPECIFIED")]  # noqa: SIM118 - no mapping


CATEGORIES = _names(types.Category, "CATEGORY_")
FLAGS = _names(types.LineFlag, "LINE_FLAG_")
PAPERS = _names(types.EvidenceKind, "EVIDENCE_KIND_")
FIRM_KINDS = _names(types.EnterpriseKind, "ENTERPRISE_KIND_")


@dataclass(frozen=True, slots=True)
class Said:
    """Strategies of values: everything the contract allows, or only the simple case that every format must carry."""

    adapter: Adapter
    simple: bool = False

    def text(self, limit: int) -> st.SearchStrategy[str]:
        """Texts of up to `limit` characters."""
        signs = _PLAIN if self.simple else st.one_of(_PLAIN, _AWKWARD, _PRINTABLE)
        return st.text(signs, min_size=1, max_size=min(limit, 40)).map(str.strip).filter(bool)

    def amount(self) -> st.SearchStrategy[int]:
        """Amounts in fen; whole yuan in the simple case."""
        return st.integers(1, 100_000).map(lambda yuan: yuan * 100) if self.simple else st.integers(1, MAX_FEN)

    def seen(self, kind: Kind, of: Callable[[Any], str]) -> st.SearchStrategy[str]:
        """What the samples say somewhere of a kind: such as the divisions that issue."""
        return st.sampled_from(sorted({of(mapped.request) for _, mapped in good_of(self.adapter, kind)}))

    def many(self, values: Sequence[str], least: int = 0) -> st.SearchStrategy[list[str]]:
        """Some of the values, each once."""
        most = max(least, 0 if self.simple else len(values))
        return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)

    def lines(self, least: int) -> st.SearchStrategy[list[clearing.OrderLine]]:
        """Order lines."""
        line = st.builds(commands.line, st.sampled_from(CATEGORIES), self.amount(), self.many(FLAGS))
        return st.lists(line, min_size=least, max_size=max(least, 0 if self.simple else 4))


def credit_codes() -> st.SearchStrategy[str]:
    """Unified social credit codes whose check digit holds."""
    body = st.builds("91{:06d}{}".format, st.integers(110000, 659999), st.text(st.sampled_from(_SIGNS), min_size=9, max_size=9))
    return body.map(lambda text: text + stdnum_uscc.calc_check_digit(text))


def days() -> st.SearchStrategy[str]:
    """Days as the contract writes them."""
    return st.dates(min_value=_FIRST).map(lambda day: day.isoformat())


def _period(start: st.SearchStrategy[str], until: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(start, until).filter(lambda both: not both[1] or both[0] < both[1])


def _enterprise(said: Said) -> st.SearchStrategy[Mapped]:
    division = said.seen(Kind.ENTERPRISE, lambda request: str(request.enterprise.division))

    def build(kind: str, number: str, known: bool, period: tuple[str, str], **rest: Any) -> Mapped:
        sme_no = number if kind == "TECH_SME" or known else ""
        return commands.register(rest.pop("native_id"), kind=kind, sme_no=sme_no, sme_from=period[0], sme_until=period[1], **rest)

    return st.builds(
        build,
        native_id=said.text(64),
        uscc=credit_codes(),
        name=said.text(200),
        division=division,
        kind=st.sampled_from(FIRM_KINDS),
        number=st.from_regex(r"20[0-9]{8}[0-9A-Z][0-9]{7}", fullmatch=True),
        known=st.booleans(),
        period=_period(st.just("") | days(), st.just("") | days()),
        staff=st.integers(0, 10_000_000),
    )


def _provider(said: Said) -> st.SearchStrategy[Mapped]:
    return st.builds(
        commands.admit,
        said.text(64),
        uscc=credit_codes(),
        name=said.text(200),
        home=st.just(said.adapter.division),
        categories=said.many(CATEGORIES, 1),
        admitted_on=days(),
        rating=st.integers(0, 500),
    )


def _recognition(said: Said) -> st.SearchStrategy[Mapped]:
    def build(period: tuple[str, str], **rest: Any) -> Mapped:
        return commands.recognize(rest.pop("native_id"), valid_from=period[0], valid_until=period[1], **rest)

    return st.builds(
        build,
        native_id=said.text(64),
        issuer=said.seen(Kind.RECOGNITION, lambda request: str(request.recognition.issuer)),
        provider=credit_codes(),
        period=_period(days(), st.just("") | days()),
        agreement=st.booleans(),
    )


def _voucher(said: Said) -> st.SearchStrategy[Mapped]:
    counted = st.fixed_dictionaries({"count": st.just(1) if said.simple else st.integers(1, 1000)})
    numbers = st.lists(said.text(64), min_size=1, max_size=1 if said.simple else 3, unique=True)
    dated = st.just("") if said.simple else st.just("") | days()
    return st.builds(
        lambda native_id, cut, **rest: commands.issue(native_id, **cut, **rest),
        said.text(64),
        counted | st.fixed_dictionaries({"voucher_nos": numbers}),
        issuer=said.seen(Kind.VOUCHER, lambda request: str(request.issuer)),
        enterprise=credit_codes(),
        face_fen=said.amount(),
        issued_on=dated,
    )


def _authorization(said: Said) -> st.SearchStrategy[Mapped]:
    return st.builds(
        commands.authorize,
        said.text(64),
        issuer=said.seen(Kind.AUTHORIZATION, lambda request: str(request.input.issuer)),
        enterprise=credit_codes(),
        provider=credit_codes(),
        order_no=said.text(64),
        lines=said.lines(1),
        lines_field=st.just(""),
        all_or_nothing=st.just(False) if said.simple else st.booleans(),
    )


def _capture(said: Said) -> st.SearchStrategy[Mapped]:
    digest = st.text(st.sampled_from("0123456789abcdef"), min_size=64, max_size=64)
    digests = digest if said.simple else st.just("") | digest
    kinds = st.just(["INVOICE"]) if said.simple else said.many(PAPERS)
    documents = kinds.flatmap(lambda names: st.tuples(*[st.builds(commands.evidence, st.just(name), digests) for name in names]))
    field = good_of(said.adapter, Kind.CAPTURE)[0][1].refers_field
    return st.builds(
        commands.capture,
        said.text(64),
        authorization=said.text(64),
        authorization_field=st.just(field),
        enterprise=credit_codes(),
        invoice_no=said.text(64),
        delivered_on=days(),
        documents=documents,
        lines=said.lines(0),
    )


_KINDS: dict[Kind, Callable[[Said], st.SearchStrategy[Mapped]]] = {
    Kind.ENTERPRISE: _enterprise,
    Kind.PROVIDER: _provider,
    Kind.RECOGNITION: _recognition,
    Kind.VOUCHER: _voucher,
    Kind.AUTHORIZATION: _authorization,
    Kind.CAPTURE: _capture,
}


def commands_of(adapter: Adapter, kind: Kind, *, simple: bool = False) -> st.SearchStrategy[Mapped]:
    """Commands of a kind as this adapter might have mapped them: its own division and issuers, everything else free."""
    return _KINDS[kind](Said(adapter, simple))
