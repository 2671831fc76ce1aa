"""A day of one province: its own firms, notes, orders and claims, and as much of its neighbours as the orders need.

Everything is drawn from one seed. Shares of a real day are assumed: a third orders, a little less claims, the rest firms and notes; one
row in two hundred is broken, as many come twice, one in a hundred is corrected in the evening and one in three hundred withdrawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from tests.golden.samples.build import PREFIX, SERVICES
from tests.golden.samples.world import (
    BY_CODE,
    FIELDS,
    ISSUERS,
    NAMES,
    PROVINCES,
    TOWNS,
    WORDS,
    Claim,
    Dice,
    Firm,
    Issue,
    Issuer,
    Lab,
    Line,
    Order,
    Recognition,
    World,
    credit_code,
    day,
)

_NOTE_YUAN = {"330000": 500, "330522": 1000}
"""Issuers whose notes have one face, and that face (their policies)."""
_OF_TOWN = {town: issuer for issuer in ISSUERS for town in issuer.towns}
_CROSS = 30
"""Percent of the orders that another province's notes pay."""


@dataclass(frozen=True)
class Sizes:
    """How many records of each sort a day of `n` has; they add up to `n`."""

    n: int
    labs: int
    recognitions: int
    firms: int
    orders: int
    claims: int
    broken: int
    repeated: int
    corrected: int
    withdrawn: int
    neighbour_firms: int


def sizes(n: int, listing: int) -> Sizes:
    """Return the sizes of a day of `n` records in a province with so many issuers that list providers; raise ValueError below 600."""
    if n < 600:
        raise ValueError("a day has 600 records at least: fewer do not hold every sort")
    labs = max(12, n * 3 // 1000)
    recognitions = labs * max(1, listing)
    broken, repeated, corrected, withdrawn = n // 200, n // 200, n // 100, n // 300
    rest = n - labs - recognitions - broken - repeated - corrected - withdrawn
    firms, orders = rest * 18 // 100, rest * 34 // 100
    claims = rest - 2 * firms - orders
    return Sizes(n, labs, recognitions, firms, orders, claims, broken, repeated, corrected, withdrawn, max(60, n // 100))


@dataclass(frozen=True)
class Edition:
    """One delivery of every province: the rows of `world` that are in `only`, or all but providers where that is None.

    The world holds more than is delivered, because a province's writer looks up names in it. `withdrawn` and `changed`
    are the ids whose row says so.
    """

    world: World
    only: frozenset[str] | None = None
    withdrawn: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def holds(self, native_id: str) -> bool:
        """Say whether a row is delivered."""
        return "-JG-" not in native_id if self.only is None else native_id in self.only


@dataclass(frozen=True)
class Day:
    """What the four provinces deliver, in order: providers first, so that all are known when somebody recognises them, then the rest, and
    in the evening repeats, corrections and withdrawals. Only `province` has orders and an evening; `dirt` counts what is wrong on purpose.
    """

    province: str
    sizes: Sizes
    providers: Edition
    morning: Edition
    evening: Edition
    dirt: dict[str, int] = field(default_factory=dict)

    @property
    def editions(self) -> tuple[Edition, ...]:
        """The deliveries in order."""
        return self.providers, self.morning, self.evening


def make_day(province: str, n: int, seed: int = 1) -> Day:
    """Return a day of `n` native records of a province (a division code), and its neighbours' reference data."""
    return _Maker(province, n, seed).make()


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class _Maker:
    """Fills a day."""

    def __init__(self, province: str, n: int, seed: int) -> None:
        self.province, self.dice = province, Dice(seed * 1_000_003 + int(province))
        self.own = [issuer for issuer in ISSUERS if issuer.code[:2] == province[:2]]
        self.sizes = sizes(n, sum(issuer.listed for issuer in self.own))
        self.dirt: dict[str, int] = {}
        self.left: dict[tuple[str, str], int] = {}
        self.holders: dict[str, list[str]] = {}

    def make(self) -> Day:
        world, n = empty(), self.sizes
        for province in PROVINCES:
            many = n.labs if province == self.province else 12
            world.labs[province] = [self._lab(province, at) for at in range(many)]
        for province in PROVINCES:
            own = province == self.province
            world.firms[province] = [self._firm(province, at) for at in range(n.firms if own else n.neighbour_firms)]
            world.issues[province] = [self._issue(province, at, firm) for at, firm in enumerate(world.firms[province])]
            world.recognitions[province] = list(self._recognitions(province, world.labs[self.province]))
        orders = [self._order(at, world.labs[self.province]) for at in range(n.orders)]
        # What is not claimed yet is spread over the day.
        spare = n.orders - n.claims
        idle = {at * n.orders // spare for at in range(spare)}
        claimed = [order for at, order in enumerate(orders) if at not in idle]
        waiting = [order for at, order in enumerate(orders) if at in idle]
        self._refuse(claimed, waiting)
        world.orders[self.province] = orders
        world.claims[self.province] = [self._claim(at, order) for at, order in enumerate(claimed)]
        providers = Edition(world, frozenset(lab.id for labs in world.labs.values() for lab in labs))
        evening = self._evening(world, waiting[len(waiting) // 5 :])
        self._break(world)
        return Day(self.province, n, providers, Edition(world), evening, self.dirt)

    def _firm(self, province: str, at: int) -> Firm:
        dice = self.dice
        town, place = TOWNS[province][at % len(TOWNS[province])]
        kind = _OF_TOWN[town].kinds[0] if at % 4 else dice.of(_OF_TOWN[town].kinds)
        sme = kind == "TECH_SME"
        year = 2024 + dice.below(3)
        return Firm(
            id=f"{PREFIX[province]}-QY-{at + 1:06d}",
            uscc=credit_code(dice, "91", town),
            name=f"{place}{dice.of(WORDS)}示例{dice.of(FIELDS)}有限公司",
            town=town,
            kind=kind,
            sme_no=f"{year}{town}0{dice.step(1000000, 9999999, 1)}" if sme else "",
            sme_from=date(year, 3, 1) if sme else None,
            sme_until=None,
            staff=dice.step(4, 480, 1),
            contact=dice.person(),
            phone=f"1990000{dice.below(10000):04d}",
        )

    def _lab(self, province: str, at: int) -> Lab:
        dice = self.dice
        town, place = TOWNS[province][at % len(TOWNS[province])]
        return Lab(
            id=f"{PREFIX[province]}-JG-{at + 1:06d}",
            uscc=credit_code(dice, "12" if at % 2 else "91", town),
            name=f"{NAMES[province]}{dice.of(WORDS)}示例{dice.of(FIELDS)}研究中心",
            home=province,
            categories=["INSPECTION_TESTING", *(service for service in SERVICES[1:] if dice.below(2))],
            admitted=day(dice, date(2024, 1, 1), 700),
            rating=dice.step(300, 500, 5) if dice.below(5) else None,
            contact=dice.person(),
            address=f"{place}示例路{dice.step(1, 999, 1)}号",
        )

    def _recognitions(self, province: str, labs: list[Lab]) -> Iterator[Recognition]:
        """Every issuer that lists providers lists the day's; of the others' province the first issuer signs with them, in the day's own."""
        issuers = [issuer for issuer in ISSUERS if issuer.code[:2] == province[:2]]
        listing = [issuer for issuer in issuers if issuer.listed] or (issuers[:1] if province == self.province else [])
        for at, (issuer, lab) in enumerate((issuer, lab) for issuer in listing for lab in labs):
            yield Recognition(f"{PREFIX[province]}-HR-{at + 1:06d}", issuer.code, lab.uscc, date(2026, 1, 1), None, True)

    def _issue(self, province: str, at: int, firm: Firm) -> Issue:
        issuer = _OF_TOWN[firm.town]
        face = self.dice.step(10_000, 20_000, 1_000)
        note = _NOTE_YUAN.get(issuer.code, face)
        self.left[(issuer.code, firm.uscc)] = face * 100
        self.holders.setdefault(issuer.code, []).append(firm.uscc)
        number = f"{PREFIX[province]}{issuer.code}-2026-{at + 1:06d}"
        return Issue(f"{PREFIX[province]}-FQ-{at + 1:06d}", issuer.code, firm.uscc, number, note, face // note)

    def _order(self, at: int, labs: list[Lab]) -> Order:
        dice = self.dice
        others = [issuer for issuer in ISSUERS if issuer not in self.own]
        issuer = others[at % len(others)] if dice.below(100) < _CROSS else self.own[at % len(self.own)]
        category = dice.of(list(issuer.ratios))
        fen = dice.step(50_000, 300_000, 1_000) + (dice.below(100) if at % 5 == 0 else 0)
        firm = self._payer(issuer, fen * issuer.ratios[category] // 10_000)
        lines = [Line(category, fen)]
        if at % 13 == 5 and self.province != "340000":
            lines.append(Line(category, dice.step(10_000, 80_000, 1_000), ["STATUTORY_TEST"]))
        prefix = PREFIX[self.province]
        title = f"{dice.of(WORDS)}项目技术服务合同"
        return Order(
            f"{prefix}-DD-{at + 1:06d}", self.province, issuer.code, firm, dice.of(labs).uscc, f"{prefix}HT2026{at + 1:07d}", lines, title
        )

    def _payer(self, issuer: Issuer, subsidy_fen: int) -> str:
        """Return a firm whose notes still cover a subsidy, whole notes counted; the last one drawn where none is found soon."""
        note = _NOTE_YUAN.get(issuer.code, 0) * 100
        cost = -(-subsidy_fen // note) * note if note else subsidy_fen
        for _ in range(20):
            firm = self.dice.of(self.holders[issuer.code])
            if self.left[(issuer.code, firm)] >= cost:
                break
        self.left[(issuer.code, firm)] -= cost
        return firm

    def _claim(self, at: int, order: Order) -> Claim:
        final: list[Line] = []
        if at % 9 == 0 or len(order.lines) > 1:
            final = [Line(order.lines[0].category, order.lines[0].fen * 9 // 10), *order.lines[1:]]
        identity = order.id.replace("-DD-", "-DF-")
        evidence = [(kind, _hex(f"{identity}/{kind}")) for kind in BY_CODE[order.issuer].evidence]
        invoice = f"{order.acquirer[:4]}26{at + 1:014d}"
        return Claim(identity, order, invoice, day(self.dice, date(2026, 2, 1), 60), final, evidence, self.dice.person())

    def _refuse(self, claimed: list[Order], waiting: list[Order]) -> None:
        """Turn some orders into such as a policy refuses; a claim on one of them can never leave."""
        few = claimed[:: max(1, len(claimed) // 5)][:5]
        for at, order in enumerate([*few, *waiting[: len(waiting) // 5]]):
            order.lines = [Line("ST_FINANCE", 500_000)] if at % 2 else [Line(order.lines[0].category, 300_000, ["PATENT_APPLICATION"])]
        self.dirt |= {"refused": len(few) + len(waiting) // 5, "claims_on_refused": len(few)}

    def _evening(self, world: World, spare: list[Order]) -> Edition:
        """Return the evening's delivery: repeats, corrections, withdrawals, each of other records."""
        own, n = self.province, self.sizes
        firms, claims = world.firms[own], world.claims[own]
        repeated_firms, fixed_orders, fixed_claims = n.repeated // 2, n.corrected // 5, n.corrected // 10
        later = firms[repeated_firms : repeated_firms + n.corrected - fixed_orders - fixed_claims]
        fixed = {firm.id: replace(firm, staff=firm.staff + 1) for firm in later}
        cheaper = [replace(order, lines=[Line(order.lines[0].category, order.lines[0].fen // 2)]) for order in spare[:fixed_orders]]
        gone = spare[fixed_orders : fixed_orders + n.withdrawn]
        if len(gone) < n.withdrawn:
            raise ValueError("too few orders without a claim to withdraw")
        late = [replace(claim, delivered=date(2026, 4, 30)) for claim in claims[len(claims) - fixed_claims :]]
        evening = empty()
        evening.labs, evening.firms = world.labs, {**world.firms, own: [fixed.get(firm.id, firm) for firm in firms]}
        evening.orders[own] = [*cheaper, *gone]
        evening.claims[own] = [*claims[: n.repeated - repeated_firms], *late]
        rows: list[Order | Claim] = [*evening.orders[own], *evening.claims[own]]
        only = {*(row.id for row in rows), *(firm.id for firm in firms[:repeated_firms]), *fixed}
        changed = {*fixed, *(order.id for order in cheaper), *(claim.id for claim in late)}
        return Edition(evening, frozenset(only), frozenset(order.id for order in gone), frozenset(changed))

    def _break(self, morning: World) -> None:
        """Put rows among the good ones that no hub should see: bad check digits, lost fields, orders without a number."""
        own, prefix = self.province, PREFIX[self.province]
        firms, issues, orders, claims = morning.firms[own], morning.issues[own], morning.orders[own], morning.claims[own]
        unknown = min(5, self.sizes.broken // 3)
        for at in range(self.sizes.broken):
            number = 900_001 + at
            if at < unknown:
                lost = replace(orders[at], id=f"{prefix}-DD-{number}")
                claims.insert(at * 7, replace(claims[at], id=f"{prefix}-DF-{number}", order=lost, invoice=f"X{number}"))
            elif at % 4 == 0:
                good = firms[at]
                firms.insert(
                    at * 3, replace(good, id=f"{prefix}-QY-{number}", uscc=good.uscc[:17] + ("0" if good.uscc[17] != "0" else "1"))
                )
            elif at % 4 == 1:
                issue = issues[at]
                issues.insert(at * 3, replace(issue, id=f"{prefix}-FQ-{number}", no=f"{issue.no}-X", face=-issue.face))
            elif at % 4 == 2:
                orders.insert(at * 5, replace(orders[at], id=f"{prefix}-DD-{number}", order_no=""))
            else:
                claims.insert(at * 5, replace(claims[at], id=f"{prefix}-DF-{number}", invoice=""))
        self.dirt |= {"unknown_order": unknown, "broken": self.sizes.broken - unknown}


def empty() -> World:
    """Return a world in which every province has nothing."""
    return World(
        firms={province: [] for province in PROVINCES},
        labs={province: [] for province in PROVINCES},
        recognitions={province: [] for province in PROVINCES},
        issues={province: [] for province in PROVINCES},
        orders={province: [] for province in PROVINCES},
        claims={province: [] for province in PROVINCES},
    )
