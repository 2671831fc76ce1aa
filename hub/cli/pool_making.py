"""Making the generated pool: providers, their instruments and what else they offer. The same seed makes the same pool."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from hub.cli.pool_words import Machine, Place, Trade, Words, between, checked, credit_code, pick
from hub.domain.money import format_yuan
from registry.catalogue.similarity import core_name

_FIRST_DAY = date(2015, 1, 1)
_DAYS = 4_000
_TWIN_PROVIDERS = 0.02
_TWIN_INSTRUMENTS = 0.03
_LEGAL_COMPANY, _LEGAL_PUBLIC = "91", "12"
_NUMBERS = "一二三四五六"

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Provider:
    """A made provider. `weight` says how much it offers beside others."""

    uscc: str
    name: str
    place: Place
    trade: Trade
    categories: tuple[str, ...]
    admitted_on: str
    rating: int
    qualifications: tuple[str, ...]
    address: str
    weight: float


class Maker:
    """Makes a pool from words, places and a seed."""

    def __init__(self, words: Words, places: tuple[Place, ...], seed: int) -> None:
        self.words, self.places = words, places
        self.rng = random.Random(seed)
        self._names: set[str] = set()
        self._codes: set[str] = set()

    def providers(self, count: int) -> list[Provider]:
        """Return providers of different names."""
        return [self._provider() for _ in range(count)]

    def _provider(self) -> Provider:
        rng, words = self.rng, self.words
        place, trade = pick(rng, self.places), pick(rng, words.trades)
        public = rng.random() < 0.35
        name = self._name(place, trade, public)
        categories = sorted({action.category for action in trade.actions} | ({"INSTRUMENT"} if trade.machines else set()))
        return Provider(
            uscc=self.code((_LEGAL_PUBLIC if public else _LEGAL_COMPANY) + place.code),
            name=name,
            place=place,
            trade=trade,
            categories=tuple(categories),
            admitted_on=self.day(),
            # One in five is not rated yet.
            rating=0 if rng.random() < 0.2 else between(rng, 300, 500),
            qualifications=tuple(word for word in words.qualifications if rng.random() < 0.15),
            address=f"{place.name}{pick(rng, words.streets)}{between(rng, 1, 1200)}号{between(rng, 1, 20)}幢",
            weight=1 / (0.05 + rng.random()),
        )

    def _name(self, place: Place, trade: Trade, public: bool) -> str:
        rng, words = self.rng, self.words
        while True:
            brand = pick(rng, words.brands) + pick(rng, words.brands)
            if public:
                # Numbered institutes are different ones, however alike their names.
                number = f"第{pick(rng, _NUMBERS)}" if rng.random() < 0.1 else ""
                own = brand if rng.random() < 0.8 else ""
                name = f"{place.word}{own}{trade.name}{number}{pick(rng, words.public_forms)}"
            elif rng.random() < 0.15:
                name = f"{brand}{trade.name}({place.word}){pick(rng, words.forms)}"
            else:
                name = f"{place.word}{brand}{trade.name if rng.random() < 0.6 else ''}{pick(rng, words.forms)}"
            # Names that differ in nothing but the legal form would be duplicates that nobody marked.
            if core_name(name) not in self._names:
                self._names.add(core_name(name))
                return name

    def code(self, prefix: str, organisation: str = "") -> str:
        """Return a credit code that no provider has; with the organisation part of another one where given."""
        while True:
            code = checked(prefix + organisation) if organisation else credit_code(self.rng, prefix)
            if code not in self._codes:
                self._codes.add(code)
                return code

    def day(self) -> str:
        """Return a date."""
        return (_FIRST_DAY + timedelta(days=between(self.rng, 0, _DAYS))).isoformat()

    def shares(self, providers: list[Provider], count: int) -> Iterator[Provider]:
        """Yield `count` providers, each as often as its weight says."""
        yield from self.rng.choices(providers, [provider.weight for provider in providers], k=count)

    def instrument(self, provider: Provider, machine: Machine, number: int) -> Row:
        """Return an instrument of a provider."""
        rng = self.rng
        value = between(rng, machine.least, machine.most) * 10_000 + between(rng, 0, 99) * 100
        hourly = max(50, value // 10_000 // 10 * 10)
        told = rng.random()
        return {
            "provider": provider.uscc,
            "kind": "INSTRUMENT",
            "code": f"YQ{number:06d}",
            "name": machine.name,
            "description": f"用于{pick(rng, provider.trade.objects)}等样品的分析,可开放共享。{'提供操作培训。' if told < 0.5 else ''}",
            "keywords": ";".join((provider.trade.name, machine.maker)),
            "price_model": "PER_UNIT" if told < 0.8 else "QUOTATION",
            "unit": "小时" if told < 0.8 else "",
            "price_from_yuan": str(hourly) if told < 0.8 else "",
            "delivery_days": str(between(rng, 1, 20)),
            "model": machine.model,
            "maker": machine.maker,
            "serial_no": f"{pick(rng, 'ABCDEFGHJK')}{between(rng, 10_000_000, 99_999_999)}" if rng.random() < 0.6 else "",
            "original_value_yuan": format_yuan(value * 100),
            "institution": provider.name,
            "owner": provider.uscc,
            "place": provider.address,
            "hours_per_year": str(between(rng, 200, 4_000)),
            "open_since": self.day(),
        }

    def item(self, provider: Provider, number: int) -> Row:
        """Return something else a provider offers: mostly a service, sometimes an expert, literature or data."""
        sort = self.rng.random()
        if sort < 0.9:
            return self._service(provider, number)
        return self._expert(provider, number) if sort < 0.94 else self._resource(provider, number, "LITERATURE" if sort < 0.97 else "DATA")

    def _service(self, provider: Provider, number: int) -> Row:
        rng, trade = self.rng, provider.trade
        thing, action = pick(rng, trade.objects), pick(rng, trade.actions)
        suffix = pick(rng, self.words.suffixes) if rng.random() < 0.3 else ""
        model = pick(rng, ("FIXED", "PER_UNIT", "PER_UNIT", "RANGE", "QUOTATION"))
        least = max(1, between(rng, action.least_yuan, action.most_yuan) // 10 * 10)
        held = "、".join(provider.qualifications)
        return {
            "provider": provider.uscc,
            "kind": "SERVICE",
            "code": f"FW{number:06d}",
            "name": f"{thing}{action.name}{suffix}",
            "category": action.category,
            "description": f"面向{trade.name}领域企业,提供{thing}{action.name}。{f'具备{held}资质。' if held else ''}",
            "keywords": ";".join((trade.name, thing, action.name, *provider.qualifications[:3])),
            "price_model": model,
            "unit": action.unit if model == "PER_UNIT" else "",
            "price_from_yuan": "" if model == "QUOTATION" else str(least),
            "price_to_yuan": str(least + between(rng, 10, action.most_yuan)) if model == "RANGE" else "",
            "delivery_days": str(between(rng, 1, 60)),
        }

    def _expert(self, provider: Provider, number: int) -> Row:
        rng, trade = self.rng, provider.trade
        return {
            "provider": provider.uscc,
            "kind": "EXPERT",
            "code": f"ZJ{number:06d}",
            "name": pick(rng, self.words.surnames) + pick(rng, self.words.given),
            "description": f"长期从事{trade.name}领域研究,擅长{pick(rng, trade.objects)}相关技术。",
            "keywords": ";".join((trade.name, pick(rng, trade.objects))),
            "title": pick(rng, self.words.titles),
        }

    def _resource(self, provider: Provider, number: int, kind: str) -> Row:
        rng, trade = self.rng, provider.trade
        thing = pick(rng, trade.objects)
        what = pick(rng, ("专题文献库", "标准汇编", "研究报告集") if kind == "LITERATURE" else ("性能数据集", "检测数据集", "基础数据库"))
        return {
            "provider": provider.uscc,
            "kind": kind,
            "code": f"{'WX' if kind == 'LITERATURE' else 'SJ'}{number:06d}",
            "name": f"{thing}{what}",
            "description": f"收录{trade.name}领域{thing}的资料,可按需检索。",
            "keywords": ";".join((trade.name, thing)),
            "price_model": "PER_UNIT",
            "unit": "次",
            "price_from_yuan": str(between(rng, 5, 500)),
            "source": provider.name,
        }

    @property
    def twin_share(self) -> tuple[float, float]:
        """Which part of providers, and of instruments, are there a second time on purpose."""
        return _TWIN_PROVIDERS, _TWIN_INSTRUMENTS
