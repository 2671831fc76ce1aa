"""Fills the world: parties, recognitions, notes, orders, claims."""

from __future__ import annotations

from datetime import date

from tests.golden.samples.world import (
    BY_CODE,
    FIELDS,
    ISSUERS,
    NAMES,
    POLYMER,
    PROVINCES,
    SEED,
    TOWNS,
    WORDS,
    XINGAO,
    Claim,
    Dice,
    Firm,
    Issue,
    Lab,
    Line,
    Order,
    Recognition,
    World,
    credit_code,
    day,
)

FIRMS, LABS, ORDERS = 120, 30, 80
PREFIX = {"310000": "SH", "320000": "JS", "330000": "ZJ", "340000": "AH"}
SERVICES = ["INSPECTION_TESTING", "RESEARCH", "INSTRUMENT", "CONSULTING", "IP", "TECH_TRANSFER", "LITERATURE"]


def build() -> World:
    dice, world = Dice(SEED), World()
    for province in PROVINCES:
        world.firms[province] = [_firm(dice, province, at) for at in range(FIRMS)]
        world.labs[province] = [_lab(dice, province, at) for at in range(LABS)]
    _changxing(world)
    for province in PROVINCES:
        world.recognitions[province] = _recognitions(dice, world, province)
        world.issues[province] = _issues(dice, world, province)
    left = {(i.issuer, i.firm): i.face * i.count * 100 for issues in world.issues.values() for i in issues if i.firm != XINGAO}
    for province in PROVINCES:
        world.orders[province] = _orders(dice, world, province, left)
        world.claims[province] = _claims(dice, world.orders[province])
    return world


def _firm(dice: Dice, province: str, at: int) -> Firm:
    town, place = TOWNS[province][at % len(TOWNS[province])]
    kinds = next(issuer.kinds for issuer in ISSUERS if town in issuer.towns)
    kind = kinds[0] if dice.below(4) else dice.of(kinds)
    # One firm a province has let its registration lapse: its orders are refused, not broken.
    lapsed = at == FIRMS - 1
    year = 2025 if lapsed else 2024 + dice.below(3)
    return Firm(
        id=f"{PREFIX[province]}-QY-{at + 1:04d}",
        uscc=credit_code(dice, "91", town),
        name=f"{place}{dice.of(WORDS)}示例{dice.of(FIELDS)}有限公司",
        town=town,
        kind=kind,
        sme_no=f"{year}{town}0{dice.step(1000000, 9999999, 1)}" if kind == "TECH_SME" else "",
        sme_from=date(year, 3, 1) if kind == "TECH_SME" else None,
        sme_until=date(2025, 12, 31) if lapsed and kind == "TECH_SME" else None,
        staff=dice.step(4, 480, 1),
        contact=dice.person(),
        phone=f"1990000{dice.below(10000):04d}",
    )


def _lab(dice: Dice, province: str, at: int) -> Lab:
    town, place = TOWNS[province][at % len(TOWNS[province])]
    listed = ["INSPECTION_TESTING", *(service for service in SERVICES[1:] if dice.below(2))]
    return Lab(
        id=f"{PREFIX[province]}-JG-{at + 1:04d}",
        uscc=credit_code(dice, "12" if at % 2 else "91", town),
        name=f"{NAMES[province]}{dice.of(WORDS)}示例{dice.of(FIELDS)}研究中心",
        home=province,
        categories=listed,
        admitted=day(dice, date(2024, 1, 1), 700),
        rating=dice.step(300, 500, 5) if dice.below(5) else None,
        contact=dice.person(),
        address=f"{place}示例路{dice.step(1, 999, 1)}号",
    )


def _changxing(world: World) -> None:
    """Put the two parties of the first case in their places."""
    xingao = next(firm for firm in world.firms["330000"] if firm.town == "330522")
    xingao.uscc, xingao.name, xingao.kind = XINGAO, "浙江新高包装有限公司", "TECH_SME"
    xingao.sme_no, xingao.sme_from, xingao.sme_until, xingao.staff = "202633052200012345", date(2026, 1, 1), None, 150
    polymer = world.labs["310000"][0]
    polymer.uscc, polymer.name, polymer.categories = POLYMER, "上海高分子材料研究开发中心", ["INSPECTION_TESTING"]
    polymer.admitted = date(2013, 10, 1)


def _recognitions(dice: Dice, world: World, province: str) -> list[Recognition]:
    """Each listing issuer lists labs of all four provinces; an issuer open to the pool signs agreements with a few besides."""
    found: list[Recognition] = []
    for issuer in (each for each in ISSUERS if each.code[:2] == province[:2]):
        for home in PROVINCES:
            many = 12 if issuer.listed else 3
            for lab in world.labs[home][:many]:
                number = f"{PREFIX[province]}-HR-{len(found) + 1:04d}"
                until = date(2030, 1, 1) if dice.below(6) == 0 else None
                start = date(2013, 10, 1) if (issuer.code, lab.uscc) == ("330522", POLYMER) else date(2026, 1, 1)
                found.append(Recognition(number, issuer.code, lab.uscc, start, until, issuer.listed or bool(dice.below(2))))
    return found


def _issues(dice: Dice, world: World, province: str) -> list[Issue]:
    found: list[Issue] = []
    for firm in world.firms[province]:
        issuer = next(each for each in ISSUERS if firm.town in each.towns)
        if firm.kind not in issuer.kinds:
            continue
        at = len(found) + 1
        face = dice.step(*issuer.face)
        note = {"330000": 500, "330522": 1000}.get(issuer.code, face)
        number = f"{PREFIX[province]}{issuer.code}-2026-{at:05d}"
        found.append(Issue(f"{PREFIX[province]}-FQ-{at:04d}", issuer.code, firm.uscc, number, note, face // note))
    if province == "330000":
        # A few of Changxing's firms hold the province's notes as well: one order may then be supported twice (rules.md O2).
        for firm in [each for each in world.firms[province] if each.town == "330522" and each.kind == "TECH_SME"][1:5]:
            at = len(found) + 1
            found.append(Issue(f"ZJ-FQ-{at:04d}", "330000", firm.uscc, f"ZJ330000-2026-{at:05d}", 500, 40))
    return found


def _orders(dice: Dice, world: World, province: str, left: dict[tuple[str, str], int]) -> list[Order]:
    """Every issuer in turn, so that each pair of regions occurs many times; a few orders that a policy must refuse."""
    found: list[Order] = []
    lapsed = {firm.uscc for firms in world.firms.values() for firm in firms if firm.sme_until}
    holders = {i.code: [firm for (code, firm) in left if code == i.code and firm not in lapsed] for i in ISSUERS}
    for at in range(ORDERS):
        issuer = ISSUERS[at % len(ISSUERS)]
        lab = world.labs[province][dice.below(12)]
        able = [firm for firm in holders[issuer.code] if left[(issuer.code, firm)] >= 200_000]
        found.append(_order(dice, province, at, issuer.code, dice.of(able), lab.uscc, left))
    _refused(found, world, province, lapsed)
    if province == "310000":
        _twice(found, world, left)
    return found


def _order(dice: Dice, province: str, at: int, issuer: str, firm: str, lab: str, left: dict[tuple[str, str], int]) -> Order:
    ratios = BY_CODE[issuer].ratios
    category = dice.of(list(ratios))
    # Never more than the notes give, so that what is refused is refused for the reason meant.
    most = max(20_000, left[(issuer, firm)] * 10_000 // ratios[category])
    fen = min(most, dice.step(50_000, 1_500_000, 1_000) + (dice.below(100) if at % 5 == 0 else 0))
    left[(issuer, firm)] -= fen * ratios[category] // 10_000
    lines = [Line(category, fen)]
    if at % 13 == 5 and province != "340000":
        lines.append(Line(category, dice.step(10_000, 80_000, 1_000), ["STATUTORY_TEST"]))
    number = f"{PREFIX[province]}-DD-{at + 1:04d}"
    order_no = f"{PREFIX[province]}HT2026{at + 1:05d}"
    return Order(number, province, issuer, firm, lab, order_no, lines, f"{dice.of(WORDS)}项目技术服务合同")


def _refused(found: list[Order], world: World, province: str, lapsed: set[str]) -> None:
    """Turn four orders into such as a policy refuses: excluded lines, a category not covered, a lab not listed, a lapsed firm."""
    for at, flag in ((10, "PATENT_APPLICATION"), (11, "FISCALLY_FUNDED")):
        found[at].lines = [Line(found[at].lines[0].category, 300_000, [flag])]
        found[at].captured = False
    found[12].lines, found[12].captured = [Line("ST_FINANCE", 500_000)], False
    changxing = next(order for order in found[20:] if order.issuer == "330522")
    changxing.lab, changxing.captured = world.labs[province][-1].uscc, False
    for order in found[30:]:
        everyone = [firm for firms in world.firms.values() for firm in firms]
        firm = next((firm for firm in everyone if firm.uscc in lapsed and _issuer_of(firm) == order.issuer), None)
        if firm:
            order.firm, order.captured = firm.uscc, False
            return


def _issuer_of(firm: Firm) -> str:
    return next(issuer.code for issuer in ISSUERS if firm.town in issuer.towns)


def _twice(found: list[Order], world: World, left: dict[tuple[str, str], int]) -> None:
    """Let province and county support the same orders: the second subsidy is cut to what the order still costs."""
    both = [firm for (code, firm) in left if code == "330000" and ("330522", firm) in left and left[("330522", firm)] > 300_000]
    for at, firm in enumerate(both[:2]):
        first, second = found[40 + 2 * at], found[41 + 2 * at]
        for order, issuer in ((first, "330522"), (second, "330000")):
            order.issuer, order.firm, order.lab, order.captured = issuer, firm, POLYMER, True
            order.order_no, order.lines = f"SHHT2026-LZ{at + 1}", [Line("INSPECTION_TESTING", 400_000)]


def _claims(dice: Dice, orders: list[Order]) -> list[Claim]:
    found: list[Claim] = []
    for order in orders:
        if not order.captured or int(order.id[-4:]) % 16 == 0:
            continue  # refused, or still under way
        final: list[Line] = []
        if int(order.id[-4:]) % 9 == 0 or len(order.lines) > 1:
            final = [Line(order.lines[0].category, order.lines[0].fen * 9 // 10), *order.lines[1:]]
            final = final if int(order.id[-4:]) % 2 else final[::-1]
        kinds = [kind for kind in BY_CODE[order.issuer].evidence if not (int(order.id[-4:]) == 24 and kind != "INVOICE")]
        shared = order.order_no.rpartition("-")[2] if "-LZ" in order.order_no else order.id[-4:]
        found.append(
            Claim(
                id=order.id.replace("-DD-", "-DF-"),
                order=order,
                invoice=f"{order.acquirer[:4]}{2600000000 + 1000 * len(found) if '-LZ' not in order.order_no else 26}{shared}",
                delivered=day(dice, date(2026, 2, 1), 60),
                final=final,
                evidence=[(kind, dice.hex(64)) for kind in kinds],
                handler=dice.person(),
            )
        )
    return found
