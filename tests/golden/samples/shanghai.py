"""Shanghai's part of the world, as JSON pages; and rows that are broken."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from tests.golden.samples.world import Cells, Line, World

TYPES = {"TECH_SME": "10", "START_UP_TECH": "20", "TEAM": "30", "ABOVE_SCALE": "40"}
SERVICES = {
    "INSPECTION_TESTING": "B03",
    "RESEARCH": "B01",
    "INSTRUMENT": "C01",
    "CONSULTING": "B06",
    "IP": "B05",
    "TECH_TRANSFER": "B02",
    "LITERATURE": "A04",
    "ST_FINANCE": "B07",
}
FLAGS = {"PATENT_APPLICATION": "N1", "STATUTORY_TEST": "N2", "FISCALLY_FUNDED": "N3"}
PAPERS = {"CONTRACT": "CONTRACT", "INVOICE": "INVOICE", "PAYMENT_PROOF": "PAYMENT", "RESULT_REPORT": "REPORT"}
STAMP = "2026-02-10T02:00:00+08:00"
PAGE = 50


class Literal(float):
    """A number whose literal is written as it is given."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def yuan(fen: int) -> Literal | int:
    return fen // 100 if fen % 100 == 0 else Literal(f"{fen // 100}.{fen % 100:02d}")


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def files(world: World) -> dict[str, bytes]:
    broken = rows(world)
    _withdraw(broken)
    _break(broken)
    found = {name: text.encode() for resource, items in broken.items() for name, text in _pages(resource, items)}
    # A page whose transfer was cut off.
    found["vouchers-9.json"] = found["vouchers-1.json"][:700]
    return found


def rows(world: World) -> dict[str, list[Any]]:
    """Return the good items by resource."""
    found = {
        "enterprises": _enterprises(world),
        "providers": _providers(world),
        "recognitions": [
            {
                "id": r.id,
                "creditCode": r.lab,
                "startDate": iso(r.start),
                "endDate": iso(r.until),
                "agreementSigned": r.agreement,
                "remark": "长三角互认",
            }
            for r in world.recognitions["310000"]
        ],
        "vouchers": [
            {"id": i.id, "voucherNo": i.no, "creditCode": i.firm, "amount": yuan(i.face * 100), "channel": "一网通办"}
            for i in world.issues["310000"]
        ],
        "authorizations": _authorizations(world),
        "redemptions": _redemptions(world),
    }
    return {resource: [{**item, "deletedAt": None} for item in items] for resource, items in found.items()}


def _withdraw(rows: dict[str, list[Any]]) -> None:
    """Put an item of each resource behind the good ones that was withdrawn before anybody took it."""
    for items in rows.values():
        number = f"{items[0]['id'][:6]}8001"
        items.append({**items[0], "id": number, "deletedAt": STAMP})


def _enterprises(world: World) -> list[Cells]:
    return [
        {
            "id": f.id,
            "creditCode": f.uscc,
            "name": f.name,
            "regionCode": f.town,
            "type": TYPES[f.kind],
            "smeRegNo": f.sme_no or None,
            "smeFrom": iso(f.sme_from),
            "smeTo": iso(f.sme_until),
            "employees": f.staff,
            "contactName": f.contact,
            "contactMobile": f.phone,
            "updatedAt": STAMP,
        }
        for f in world.firms["310000"]
    ]


def _providers(world: World) -> list[Cells]:
    return [
        {
            "id": lab.id,
            "creditCode": lab.uscc,
            "name": lab.name,
            "serviceTypes": [SERVICES[category] for category in lab.categories],
            "joinedOn": iso(lab.admitted),
            "stars": None if lab.rating is None else yuan(lab.rating),
            "contactName": lab.contact,
            "serviceHotline": "021-00000000",
            "address": lab.address,
            "updatedAt": STAMP,
        }
        for lab in world.labs["310000"]
    ]


def _items(lines: list[Line]) -> list[Cells]:
    return [{"type": SERVICES[x.category], "fee": yuan(x.fen), "exclusions": [FLAGS[flag] for flag in x.flags]} for x in lines]


def _authorizations(world: World) -> list[Cells]:
    names = {f.uscc: f.name for firms in world.firms.values() for f in firms}
    return [
        {
            "id": o.id,
            "voucherRegion": o.issuer,
            "creditCode": o.firm,
            "firmName": names[o.firm],
            "providerCode": o.lab,
            "orderNo": o.order_no,
            "contractTitle": o.title,
            "items": _items(o.lines),
            "allOrNothing": o.all_or_nothing,
        }
        for o in world.orders["310000"]
    ]


def _redemptions(world: World) -> list[Cells]:
    return [
        {
            "id": c.id,
            "authorizationId": c.order.id,
            "creditCode": c.order.firm,
            "invoiceNo": c.invoice,
            "finishedOn": iso(c.delivered),
            "finalItems": _items(c.final),
            "attachments": [{"type": PAPERS[kind], "sha256": sha256} for kind, sha256 in c.evidence],
            "handler": c.handler,
        }
        for c in world.claims["310000"]
    ]


def _break(rows: dict[str, list[Any]]) -> None:
    """Put rows among the good ones that no hub should see."""

    def spoil(resource: str, after: int, number: str, **changes: object) -> None:
        rows[resource].insert(after, {**rows[resource][0], "id": number, **changes})

    spoil("enterprises", 7, "SH-QY-9001", creditCode="91310118MA1JTERT17")  # check digit
    spoil("enterprises", 31, "SH-QY-9002", regionCode="320509")  # another province's firm
    spoil("enterprises", 58, "SH-QY-9003", type="99")  # no such kind
    rows["enterprises"].insert(77, {**rows["enterprises"][40], "name": "同号不同名示例有限公司"})  # an id used twice
    spoil("providers", 12, "SH-JG-9001", serviceTypes=["B03", "Z99"])  # no such service
    rows["providers"].insert(20, {key: value for key, value in rows["providers"][9].items() if key != "joinedOn"})  # a lost field
    rows["providers"][20]["id"] = "SH-JG-9002"
    spoil("recognitions", 3, "SH-HR-9001", startDate="2026-13-01")  # no such month
    spoil("vouchers", 15, "SH-FQ-9001", voucherNo="SH310000-2026-90001", amount=Literal("20000.125"))  # three decimals
    spoil("vouchers", 66, "SH-FQ-9002", voucherNo="SH310000-2026-90002", amount=-5000)  # negative
    spoil("authorizations", 9, "SH-DD-9001", orderNo="SHHT2026-90001", items=[])  # an order of nothing
    rows["authorizations"].insert(30, "SH-DD-9002")  # no object
    spoil("redemptions", 22, "SH-DF-9001", authorizationId="SH-DD-7777")  # an order nobody sent
    spoil("redemptions", 44, "SH-DF-9002", attachments=[{"type": "INVOICE", "sha256": "not-a-digest"}])


def _pages(resource: str, items: list[Any]) -> list[tuple[str, str]]:
    """Return the platform's answers, one item a line, each with the cursor after it."""
    cut = [items[at : at + PAGE] for at in range(0, len(items), PAGE)]
    pages = []
    for number, page in enumerate(cut, start=1):
        head = {"resource": resource, "next": f"c{number * PAGE}"}
        body = ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in page)
        text = f'{json.dumps(head, ensure_ascii=False)[:-1]},\n  "data": [\n    {body}\n  ]\n}}\n'
        pages.append((f"{resource}-{number}.json", text))
    return pages
