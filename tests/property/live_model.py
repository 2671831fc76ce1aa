"""A tiny clearing house written from docs/rules.md alone: dicts and whole numbers, one command after the other, no code of the hub.

Parties have short names. Issuers are a city and a county in it, both of the province; `firm` is of the county, `other` of the city only.
Laboratories are `away`, admitted by another province, and `near`, admitted by the issuers' own. A command is known by its key, which is
also the name of the redemption or window that it makes. Every answer is `("ok", what)` or `("no", code)`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

HOMES = {"away": "abroad", "near": "province"}
HOLDERS = {"city": ("firm", "other"), "county": ("firm",)}
ISSUERS, FIRMS, LABS = tuple(HOLDERS), ("firm", "other"), tuple(HOMES)
WALLETS = tuple((issuer, firm) for issuer, firms in HOLDERS.items() for firm in firms)
WHOLE_OR_NOTHING = ("QUOTA_EXCEEDED", "VOUCHER_EXHAUSTED", "ACTUAL_EXPENDITURE_EXCEEDED")

Record = dict[str, Any]
Line = tuple[str, int, str]
"""Category, fee in fen, and a flag that rules it out, or an empty one."""
Answer = tuple[Any, ...]


class No(Exception):
    """A refusal: its code, and in an atomic batch the place of the item."""


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_after = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_after - timedelta(days=1))


def spent_on(lines: Sequence[Line]) -> int:
    """O1: actual expenditure, eligible or not."""
    return sum(fee for _, fee, _ in lines)


class Model:
    """The state of everything, and what comes next."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.policies: dict[str, list[Record]] = {issuer: [] for issuer in ISSUERS}
        self.since: dict[str, date] = {}
        """Suspended laboratories and sanctioned firms, from which day on."""
        self.notes: list[Record] = []
        self.used: dict[tuple[str, str, int], int] = defaultdict(int)
        self.issued: dict[tuple[str, str, int], int] = defaultdict(int)
        self.orders: dict[tuple[str, str], Record] = {}
        self.redemptions: dict[str, Record] = {}
        self.invoices: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
        self.moved: dict[str, list[tuple[str, int]]] = {issuer: [] for issuer in ISSUERS}
        """What cleared (above zero) and was refunded (below) in each open window, by redemption."""
        self.number = dict.fromkeys(ISSUERS, 1)
        self.windows: dict[str, Record] = {}
        self.carried: dict[tuple[str, str], int] = defaultdict(int)
        self.answers: dict[tuple[str, str], tuple[Any, Answer]] = {}

    def ask(self, kind: str, who: str, key: str, body: Record) -> Answer:
        """Do a command, once (I1)."""
        known = self.answers.get((who, key))
        if known is not None:
            return known[1] if known[0] == (kind, body) else ("no", "REQUEST_ID_REUSED")
        try:
            answer: Answer = ("ok", getattr(self, kind)(who, key, **body))
        except No as refused:
            answer = ("no", *refused.args)
        self.answers[who, key] = ((kind, body), answer)
        return answer

    def atomic(self, who: str, key: str, kind: str, items: list[tuple[str, Record]]) -> list[Answer]:
        """All items or none; the first that is refused is why."""
        before, answers = copy.deepcopy(vars(self)), []
        for place, (item, given) in enumerate(items):
            answers.append(self.ask(kind, who, item, given))
            if answers[-1][0] == "no":
                vars(self).update(before)
                raise No(answers[-1][1], place)
        del key
        return answers

    # -- vouchers and policies ------------------------------------------------------------------------------------------------------

    def policy(self, issuer: str) -> Record:
        """P1: of those in force today the one that took effect last, then the one published last."""
        found = [item for item in self.policies[issuer] if item["from"] <= self.today and (not item["until"] or self.today < item["until"])]
        return max(found, key=lambda item: (item["from"], self.policies[issuer].index(item)))

    def publish(self, who: str, key: str, issuer: str, policy: Record) -> Answer:
        del who, key
        self.policies[issuer].append(policy)
        return ()

    def issue(self, who: str, key: str, issuer: str, items: list[tuple[str, int, int]]) -> Record:
        """V1: all or nothing."""
        del who, key
        policy, made, total = self.policy(issuer), [], dict.fromkeys(FIRMS, 0)
        for firm, face, count in items:
            if firm not in HOLDERS[issuer]:
                raise No("ENTERPRISE_NOT_OF_ISSUER")
            if policy["denomination"] and face % policy["denomination"]:
                raise No("INVALID_ARGUMENT")
            total[firm] += face * count
            cap = policy["issue_cap"]
            if cap is not None and self.issued[issuer, firm, self.today.year] + total[firm] > cap:
                raise No("ISSUE_CAP_EXCEEDED")
            one = policy["denomination"] or face
            made += [(firm, one)] * (face * count // one)
        for firm, face in made:
            until = months_later(self.today, policy["months"])
            note = {"no": len(self.notes), "issuer": issuer, "firm": firm, "face": face, "expires": until, "counted": 0}
            self.notes.append({**note, "available": face, "reserved": 0, "redeemed": 0, "returned": 0})
            self.issued[issuer, firm, self.today.year] += face
        return {"fen": sum(face for _, face in made), "notes": [face for _, face in made]}

    def live(self, note: Record) -> bool:
        return bool(self.today < note["expires"])

    # -- standing -------------------------------------------------------------------------------------------------------------------

    def bar(self, who: str, key: str, party: str) -> Answer:
        """Suspend a laboratory or sanction a firm, from today on."""
        del who, key
        if party in self.since:
            raise No("INVALID_STATE")
        self.since[party] = self.today
        return ()

    def unbar(self, who: str, key: str, party: str) -> Answer:
        del who, key
        if party not in self.since:
            raise No("INVALID_STATE")
        del self.since[party]
        return ()

    # -- authorize ------------------------------------------------------------------------------------------------------------------

    def authorize(self, who: str, key: str, issuer: str, firm: str, lab: str, order: str, lines: tuple[Line, ...], whole: bool) -> Record:
        if who != HOMES[lab]:
            raise No("NOT_PERMITTED")
        known = self.orders.get((lab, order), {"firm": firm, "lines": lines, "by": defaultdict(int)})
        others = sum(known["by"].values())
        if known["firm"] != firm or (others and known["lines"] != lines):
            raise No("INVALID_ARGUMENT")
        if firm not in HOLDERS[issuer]:
            raise No("ENTERPRISE_NOT_OF_ISSUER")
        for party, code in ((firm, "ENTERPRISE_SANCTIONED"), (lab, "PROVIDER_SUSPENDED")):
            if party in self.since:
                raise No(code)
        policy = self.policy(issuer)
        if not any(category in policy["categories"] and not flag for category, _, flag in lines):
            raise No("CATEGORY_EXCLUDED" if all(flag for _, _, flag in lines) else "CATEGORY_NOT_COVERED")
        own_notes = [note for note in self.notes if (note["issuer"], note["firm"]) == (issuer, firm)]
        notes = sorted(
            (note for note in own_notes if note["available"] and self.live(note)), key=lambda note: (note["expires"], note["no"])
        )
        if not notes:
            raise No("VOUCHER_EXPIRED" if own_notes and not any(map(self.live, own_notes)) else "VOUCHER_EXHAUSTED")
        amount, limits, usable = self._limits(policy, (issuer, firm), lines, known, notes)
        entitlement, clamps = min(amount, limits[0][1], limits[1][1]), []
        if not amount:
            raise No("NOTHING_PAYABLE")
        for code, most in limits:
            if most < amount:
                amount = most
                clamps.append(code)
                if not amount or (whole and code in WHOLE_OR_NOTHING):
                    raise No(code)
        draws = self._draw(policy, (issuer, firm), usable, amount)
        known["lines"] = lines
        known["by"][issuer] += amount
        self.orders[lab, order] = known
        self.redemptions[key] = {
            **{"state": "AUTHORIZED", "issuer": issuer, "firm": firm, "lab": lab, "order": order, "lines": lines, "policy": policy},
            **{"authorized": amount, "subsidy": amount, "refunded": 0, "draws": draws, "invoice": "", "delivered": None, "settled": None},
            **{"year": self.today.year, "ends": self.today + timedelta(days=policy["ttl"]), "back": [0] * len(lines), "number": 0},
        }
        pays = spent_on(lines) - (0 if policy["mode"] == "POST" else others + amount)
        return {**self.shown(key), "entitlement": entitlement, "clamps": clamps, "notes": len(draws), "pays": pays}

    def entitled(self, policy: Record, lines: Sequence[Line], own: int) -> tuple[int, int, int]:
        """A1, M2: the shares, then under the caps per line, then under the cap per order less what the issuer gives on it already."""
        shares = capped = 0
        for category, fee, flag in lines:
            if category in policy["categories"] and not flag:
                ratio, cap = policy["categories"][category]
                share = fee * ratio // 10_000
                shares += share
                capped += share if cap is None else min(share, cap)
        cap = policy["order_cap"]
        return shares, capped, capped if cap is None else min(capped, max(cap - own, 0))

    def _limits(
        self, policy: Record, wallet: tuple[str, str], lines: Sequence[Line], order: Record, notes: list[Record]
    ) -> tuple[int, list[tuple[str, int]], list[Record]]:
        """A2: the sum of shares, the limits in their order, and the notes that may be drawn."""
        shares, capped, ordered = self.entitled(policy, lines, order["by"][wallet[0]])
        left = max(policy["annual_cap"] - self.used[*wallet, self.today.year], 0)
        within, usable = left, list(notes)
        if policy["basis"] == "FACE":
            room = left
            for place, note in enumerate(notes):
                room -= 0 if note["counted"] else note["face"]
                if room < 0:
                    usable = notes[:place]
                    within = min(left, sum(item["available"] for item in usable))
                    break
        limits = [
            ("PER_LINE_CAP", capped),
            ("PER_ORDER_CAP", ordered),
            ("QUOTA_EXCEEDED", within),
            ("VOUCHER_EXHAUSTED", sum(note["available"] for note in notes)),
            ("ACTUAL_EXPENDITURE_EXCEEDED", max(spent_on(lines) - sum(order["by"].values()), 0)),
        ]
        return shares, limits, usable

    def _draw(self, policy: Record, wallet: tuple[str, str], notes: list[Record], amount: int) -> list[list[int]]:
        """A3, A4."""
        draws, year = [], self.today.year
        if policy["basis"] == "OFFSET":
            self.used[*wallet, year] += amount
        for note in notes:
            part = min(note["available"], amount)
            if not part:
                break
            if policy["basis"] == "FACE" and not note["counted"]:
                note["counted"] = year
                self.used[*wallet, year] += note["face"]
            self.shift(note, part, "available", "reserved")
            draws.append([note["no"], part])
            amount -= part
        return draws

    @staticmethod
    def shift(note: Record, part: int, source: str, target: str) -> None:
        note[source] -= part
        note[target] += part

    def give_back(self, item: Record, amount: int, source: str, *, to_notes: bool = True) -> None:
        """C8: last drawn first, to the note while it lives, else to the issuer; order and quota fall with it."""
        wallet, left = (item["issuer"], item["firm"]), amount
        if item["policy"]["basis"] == "OFFSET":
            self.used[*wallet, item["year"]] -= amount
        while left:
            draw = item["draws"][-1]
            note, part = self.notes[draw[0]], min(draw[1], left)
            self.shift(note, part, source, "available" if to_notes and self.live(note) else "returned")
            if note["counted"] and not note["reserved"] + note["redeemed"]:
                self.used[*wallet, note["counted"]] -= note["face"]
                note["counted"] = 0
            draw[1] -= part
            left -= part
            if not draw[1]:
                item["draws"].pop()
        self.orders[item["lab"], item["order"]]["by"][item["issuer"]] -= amount
        item["subsidy"] -= amount

    # -- what is shown --------------------------------------------------------------------------------------------------------------

    def shown(self, key: str) -> Record:
        """A redemption as answers have it."""
        item = self.redemptions[key]
        names = ("state", "authorized", "subsidy", "refunded", "lines", "invoice", "delivered", "settled", "year", "ends")
        payee = "ENTERPRISE" if item["policy"]["mode"] == "POST" else "PROVIDER"
        draws = [tuple(draw) for draw in item["draws"]]
        return {**{name: item[name] for name in names}, "draws": draws, "payee": payee, "policy": item["policy"]["version"]}

    def payee(self, item: Record) -> str:
        return str(item["firm"] if item["policy"]["mode"] == "POST" else item["lab"])
