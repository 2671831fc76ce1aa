"""The tiny clearing house, second part: what comes after an authorization (C0-C10), windows and payments (T1-T3), and time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from tests.property.live_model import HOMES, Line, Model, No, Record, spent_on


class House(Model):
    """All commands."""

    def _found(self, who: str, target: str, callers: tuple[str, ...], *states: str) -> Record:
        """C0: caller, then state."""
        item = self.redemptions[target]
        if who not in callers:
            raise No("NOT_PERMITTED")
        if item["state"] not in states:
            raise No("INVALID_STATE")
        return item

    def capture(
        self, who: str, key: str, target: str, lines: tuple[Line, ...], invoice: str, delivered: date, evidence: tuple[str, ...]
    ) -> Record:
        del key
        item = self._found(who, target, (HOMES[self.redemptions[target]["lab"]],), "AUTHORIZED")
        policy, uses = item["policy"], self.invoices[item["lab"], invoice]
        if delivered > self.today:
            raise No("INVALID_ARGUMENT")
        if not set(policy["evidence"]) <= set(evidence):
            raise No("EVIDENCE_MISSING")
        if any(order != item["order"] or issuer == item["issuer"] for issuer, order, _ in uses):
            raise No("DUPLICATE_INVOICE")
        if policy["expiry"] == "CLAIM" and not all(self.live(self.notes[no]) for no, _ in item["draws"]):
            self._end(item, "EXPIRED")
            raise No("VOUCHER_EXPIRED")
        barred = [
            (self.since[party], code)
            for party, code in ((item["lab"], "PROVIDER_SUSPENDED"), (item["firm"], "ENTERPRISE_SANCTIONED"))
            if party in self.since
        ]
        for since, code in barred:
            if delivered >= since:
                self._end(item, "VOIDED")
                raise No(code)
        before = item["subsidy"]
        final = lines or item["lines"]
        amount = min(before, self._worth(item, final))
        if not amount:
            self._end(item, "VOIDED")
            return {**self.shown(target), "released": before, "forfeited": 0}
        self.give_back(item, before - amount, "reserved")
        self.orders[item["lab"], item["order"]]["lines"] = final
        uses.append((item["issuer"], item["order"], target))
        item.update(lines=final, back=[0] * len(final), invoice=invoice, delivered=delivered)
        forfeited = 0
        if barred:
            item["state"] = "HELD"
        elif policy["auto"] is not None and amount > policy["auto"]:
            item["state"] = "PENDING_REVIEW"
        else:
            forfeited = self._clear(target)
        return {**self.shown(target), "released": before - amount, "forfeited": forfeited}

    def _worth(self, item: Record, lines: tuple[Line, ...]) -> int:
        """C1, C7: the entitlement on these lines, and what the others on the order leave of their cost (O2)."""
        by = self.orders[item["lab"], item["order"]]["by"]
        entitled = self.entitled(item["policy"], lines, by[item["issuer"]] - item["subsidy"])[2]
        left: int = spent_on(lines) - (sum(by.values()) - item["subsidy"])
        return max(0, min(entitled, left))

    def _end(self, item: Record, state: str) -> int:
        released: int = item["subsidy"]
        self.give_back(item, released, "reserved")
        item["state"] = state
        return released

    def _clear(self, target: str) -> int:
        """Owe it to the payee; return what is forfeited."""
        item, forfeited = self.redemptions[target], 0
        item.update(state="CLEARED", number=self.number[item["issuer"]])
        self.moved[item["issuer"]].append((target, item["subsidy"]))
        for no, part in item["draws"]:
            note = self.notes[no]
            self.shift(note, part, "reserved", "redeemed")
            if item["policy"]["residual"] == "FORFEIT":
                forfeited += note["available"]
                self.shift(note, note["available"], "available", "returned")
        return forfeited

    def approve(self, who: str, key: str, target: str, fen: int) -> Record:
        del key
        item = self._found(who, target, ("province",), "PENDING_REVIEW", "HELD")
        if not 0 < fen <= item["subsidy"]:
            raise No("INVALID_ARGUMENT")
        released = item["subsidy"] - fen
        self.give_back(item, released, "reserved")
        forfeited = self._clear(target)
        return {**self.shown(target), "released": released, "forfeited": forfeited}

    def reject(self, who: str, key: str, target: str) -> Record:
        del key
        item = self._found(who, target, ("province",), "PENDING_REVIEW", "HELD")
        uses = self.invoices[item["lab"], item["invoice"]]
        uses[:] = [use for use in uses if use[2] != target]
        return {"released": self._end(item, "REJECTED"), **self.shown(target)}

    def void(self, who: str, key: str, target: str) -> Record:
        del key
        item = self._found(who, target, (HOMES[self.redemptions[target]["lab"]],), "AUTHORIZED")
        return {"released": self._end(item, "VOIDED"), **self.shown(target)}

    def refund(self, who: str, key: str, target: str, line: int | None, fee: int) -> Record:
        del key
        item = self._found(who, target, (HOMES[self.redemptions[target]["lab"]], "province"), "CLEARED", "SETTLED")
        lines, back = item["lines"], item["back"]
        if line is None and len(lines) == 1:
            line = 0
        if line is None or not 0 <= line < len(lines) or fee <= 0:
            raise No("INVALID_ARGUMENT")
        if fee > lines[line][1] - back[line]:
            raise No("REFUND_EXCEEDS_PAYMENT")
        back[line] += fee
        rest = tuple((category, amount - gone, flag) for (category, amount, flag), gone in zip(lines, back, strict=True))
        returned = item["subsidy"] - min(item["subsidy"], self._worth(item, rest))
        self.give_back(item, returned, "redeemed", to_notes=item["policy"]["refund"] == "TO_VOUCHER")
        item["refunded"] += returned
        if returned:
            self.moved[item["issuer"]].append((target, -returned))
        if not item["subsidy"]:
            item["state"] = "REFUNDED"
        return {**self.shown(target), "returned": returned}

    # -- settlement -----------------------------------------------------------------------------------------------------------------

    def close(self, who: str, key: str, issuers: tuple[str, ...]) -> Record:
        """T1, T2."""
        del who
        sums: dict[tuple[str, str], int] = defaultdict(int)
        positions: dict[str, int] = defaultdict(int)
        payees: set[str] = set()
        for issuer in issuers:
            for target, amount in self.moved[issuer]:
                item = self.redemptions[target]
                payee, policy = self.payee(item), item["policy"]
                payees.add(payee)
                net = policy["settlement"] == "NET" and policy["mode"] == "PRE"
                for funder, part in _split(policy["funding"] or ((issuer, 10_000),), issuer, amount):
                    sums[HOMES[item["lab"]] if net else funder, payee] += part
                    if net:
                        positions[funder] -= part
                        positions[HOMES[item["lab"]]] += part
        owed = {}
        for debt, amount in sums.items():
            total = amount + self.carried[debt]
            self.carried[debt] = min(total, 0)
            if total > 0:
                owed[debt] = total
        assert sum(positions.values()) == 0
        numbers = {issuer: self.number[issuer] for issuer in issuers}
        self.windows[key] = {"numbers": numbers, "owed": owed, "paid": set()}
        for issuer in issuers:
            self.moved[issuer] = []
            self.number[issuer] += 1
        for payee in payees - {to for _, to in owed}:
            self._settle(key, payee)
        return {"owed": owed, "positions": {division: fen for division, fen in positions.items() if fen}}

    def _settle(self, window: str, payee: str) -> int:
        """T3."""
        numbers, settled = self.windows[window]["numbers"], 0
        for item in self.redemptions.values():
            if item["state"] == "CLEARED" and self.payee(item) == payee and numbers.get(item["issuer"]) == item["number"]:
                item.update(state="SETTLED", settled=self.today)
                settled += 1
        return settled

    def pay(self, who: str, key: str, window: str, debtor: str, creditor: str, fen: int) -> Record:
        del key
        if who != ("abroad" if debtor == "abroad" else "province"):
            raise No("NOT_PERMITTED")
        closed, debt = self.windows[window], (debtor, creditor)
        if debt in closed["paid"]:
            raise No("INVALID_STATE")
        if fen != closed["owed"][debt]:
            raise No("AMOUNT_MISMATCH")
        closed["paid"].add(debt)
        open_still = any(to == creditor and (by, to) not in closed["paid"] for by, to in closed["owed"])
        return {"settled": 0 if open_still else self._settle(window, creditor)}

    # -- time -----------------------------------------------------------------------------------------------------------------------

    def advance(self, days: int) -> tuple[int, int]:
        """C6, V2: authorizations that outlived their days, then notes past their validity; return how many of each."""
        self.today = date.fromordinal(self.today.toordinal() + days)
        late = [item for item in self.redemptions.values() if item["state"] == "AUTHORIZED" and item["ends"] <= self.today]
        for item in late:
            self._end(item, "EXPIRED")
        past = [note for note in self.notes if note["available"] and not self.live(note)]
        for note in past:
            self.shift(note, note["available"], "available", "returned")
        return len(late), len(past)


def _split(funding: Any, issuer: str, amount: int) -> list[tuple[str, int]]:
    """T1: by share, floored in magnitude, the rest to the issuer."""
    sign = 1 if amount > 0 else -1
    parts: dict[str, int] = defaultdict(int)
    for funder, bp in funding:
        parts[funder] += abs(amount) * bp // 10_000
    parts[issuer] += abs(amount) - sum(parts.values())
    return [(funder, sign * part) for funder, part in parts.items() if part]
