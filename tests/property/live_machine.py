"""The real hub and the tiny model side by side: whatever is asked of both, they answer alike and hold the same balances afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.property import live_commands as given
from tests.property.live_afterwards import House
from tests.property.live_base import SideBySide
from tests.property.live_model import HOMES, ISSUERS, LABS, Answer, Record

LAB = st.sampled_from(LABS)

Item = tuple[str, str, Record]
"""A command in a batch or on a stream: kind, key, body."""

_SPAN_DAYS = 800
"""How far a world may get before its calendar differs from other worlds'."""


def _some(model: House, states: tuple[str, ...], lab: str) -> list[str]:
    """Redemptions, newest first, those in these states and of this laboratory, if one is said, before all others."""
    keys, items = list(reversed(model.redemptions)), model.redemptions
    return sorted(keys, key=lambda key: items[key]["state"] not in states or (lab != "" and items[key]["lab"] != lab))


class LiveLife(SideBySide):
    """The rules. Each step is one call, its outcome, and a look at everything."""

    # -- authorize ------------------------------------------------------------------------------------------------------------------

    @rule(body=given.AUTHORIZATIONS)
    def authorize(self, body: Record) -> None:
        self._ask("authorize", HOMES[body["lab"]], body)

    @precondition(lambda self: self.model.orders)
    @rule(which=given.PLACE, issuer=given.ISSUER, whole=st.booleans(), stranger=given.RARELY)
    def support_a_known_order(self, which: int, issuer: str, whole: bool, stranger: bool) -> None:
        """O2: another issuer, or the same once more, on a contract that some already support."""
        (lab, order), known = list(self.model.orders.items())[-1 - which % len(self.model.orders)]
        body = {"issuer": issuer, "firm": known["firm"], "lab": lab, "order": order, "lines": known["lines"], "whole": whole}
        self._ask("authorize", "stranger" if stranger else HOMES[lab], body)

    @rule(lab=LAB, bodies=st.lists(given.AUTHORIZATIONS, min_size=1, max_size=4), atomic=st.booleans(), again=given.AGAIN)
    def batch_authorize(self, lab: str, bodies: list[Record], atomic: bool, again: int | None) -> None:
        self._batch("authorize", HOMES[lab], [{**body, "lab": lab} for body in bodies], again, atomic=atomic)

    # -- afterwards -----------------------------------------------------------------------------------------------------------------

    def _capture(self, target: str, final: given.Final) -> Record:
        item = self.model.redemptions[target]
        lines = tuple((category, max(1, fee * final.part // 4), flag) for category, fee, flag in item["lines"])
        return {
            "target": target,
            "lines": () if final.part == 4 and not final.repeated else lines,
            "invoice": "FP" if final.shared else f"FP-{target}",
            "delivered": self.world.today - timedelta(days=final.days_ago),
            "evidence": () if final.bare else ("INVOICE", "CONTRACT"),
        }

    @precondition(lambda self: self._any("AUTHORIZED"))
    @rule(which=given.PLACE, final=given.FINALS, stranger=given.RARELY)
    def capture(self, which: int, final: given.Final, stranger: bool) -> None:
        target = self._target(which, "AUTHORIZED")
        home = HOMES[self.model.redemptions[target]["lab"]]
        self._ask("capture", "stranger" if stranger else home, self._capture(target, final))

    def _any(self, *states: str) -> bool:
        return any(item["state"] in states for item in self.model.redemptions.values())

    def _target(self, which: int, *states: str, lab: str = "") -> str:
        known = _some(self.model, states, lab)
        return known[which % len(known)]

    @precondition(lambda self: self._any("AUTHORIZED"))
    @rule(which=given.PLACE)
    def capture_as_authorized(self, which: int) -> None:
        """Nothing unusual, so that there is something to review, refund and settle."""
        target = self._target(which, "AUTHORIZED")
        body = self._capture(target, given.Final(part=4, repeated=False, shared=False, days_ago=0, bare=False))
        self._ask("capture", HOMES[self.model.redemptions[target]["lab"]], body)

    @precondition(lambda self: self.model.redemptions)
    @rule(lab=LAB, finals=st.lists(given.FINALS, min_size=1, max_size=4), atomic=st.booleans(), again=given.AGAIN)
    def batch_capture(self, lab: str, finals: list[given.Final], atomic: bool, again: int | None) -> None:
        targets = [self._target(place, "AUTHORIZED", lab=lab) for place in range(len(finals))]
        bodies = [self._capture(target, final) for target, final in zip(targets, finals, strict=True)]
        self._batch("capture", HOMES[lab], bodies, again, atomic=atomic)

    def _batch(self, kind: str, who: str, bodies: list[Record], again: int | None, *, atomic: bool) -> None:
        """In one call, an earlier command among them now and then."""
        items = [(self._key(), body) for body in bodies]
        before = [(key, body) for past, by, key, body, _ in reversed(self.asked) if (past, by) == (kind, who)]
        if again is not None and before:
            items.append(before[again % len(before)])
        name, key = f"{'atomic' if atomic else 'batch'} {kind}", self._key()
        self.steps.append(name)
        answer, raw = self._wait(self.world.batch(who, kind, key, items, atomic=atomic))
        if atomic:
            expected = self.model.ask("atomic", who, key, {"kind": kind, "items": items})
            assert (answer, raw) == self._wait(self.world.batch(who, kind, key, items, atomic=True)), "the same batch, another answer"
        else:
            expected = ("ok", self._each(who, [(kind, item, body) for item, body in items]))
        self._alike(name, expected, answer)
        self._same_balances()

    def _each(self, who: str, items: list[Item]) -> list[Answer]:
        answers = []
        for kind, key, body in items:
            answers.append(self.model.ask(kind, who, key, body))
            self.asked.append((kind, who, key, body, b""))
        return answers

    @precondition(lambda self: self._any("PENDING_REVIEW", "HELD"))
    @rule(which=given.PLACE, less=st.sampled_from([0, 1, 5_000, None, -1, 10**9]), stranger=given.RARELY)
    def review(self, which: int, less: int | None, stranger: bool) -> None:
        """Approve all, less, or more than there is; or reject."""
        target, who = self._target(which, "PENDING_REVIEW", "HELD"), "abroad" if stranger else "province"
        if less is None:
            self._ask("reject", who, {"target": target})
        else:
            self._ask("approve", who, {"target": target, "fen": max(self.model.redemptions[target]["subsidy"] - less, 0)})

    @precondition(lambda self: self.model.redemptions)
    @rule(which=given.PLACE, stranger=given.RARELY)
    def void(self, which: int, stranger: bool) -> None:
        target = self._target(which, "AUTHORIZED")
        self._ask("void", "stranger" if stranger else HOMES[self.model.redemptions[target]["lab"]], {"target": target})

    def _refund(self, target: str, line: int | None, part: int) -> Record:
        """Of a line: all that it still holds, the half, a third, or a fen too much."""
        item = self.model.redemptions[target]
        place = line if line is not None and line < len(item["lines"]) else 0
        held = item["lines"][place][1] - item["back"][place]
        return {"target": target, "line": line, "fee": held // part if part else held + 1}

    @precondition(lambda self: self._any("CLEARED", "SETTLED", "REFUNDED"))
    @rule(which=given.PLACE, line=st.sampled_from([None, 0, 1]), part=given.FEE_PARTS, home=st.booleans())
    def refund(self, which: int, line: int | None, part: int, home: bool) -> None:
        target = self._target(which, "CLEARED", "SETTLED")
        who = HOMES[self.model.redemptions[target]["lab"]] if home else "province"
        self._ask("refund", who, self._refund(target, line, part))

    @precondition(lambda self: self.model.redemptions)
    @rule(lab=LAB, commands=given.STREAMED)
    def stream(self, lab: str, commands: list[tuple[str, int, Any]]) -> None:
        """Several commands on a Clear stream, none waiting for the one before."""
        items = [(kind, self._key(), self._streamed(kind, place, more, lab)) for kind, place, more in commands]
        self.steps.append("stream")
        answers = self._wait(self.world.stream(HOMES[lab], items))
        self._alike("stream", ("ok", self._each(HOMES[lab], items)), ("ok", answers))
        self._same_balances()

    def _streamed(self, kind: str, place: int, more: Any, lab: str) -> Record:
        target = self._target(place, "CLEARED" if kind == "refund" else "AUTHORIZED", lab=lab)
        if kind == "authorize":
            return {**more, "lab": lab}
        if kind == "capture":
            return self._capture(target, more)
        return {"target": target} if kind == "void" else self._refund(target, None, more)

    # -- the same request id --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.asked)
    @rule(which=st.integers(0, 9), other=st.one_of(st.none(), given.AUTHORIZATIONS))
    def repeat(self, which: int, other: Record | None) -> None:
        """I1: the same bytes, and no second effect; another body under a request id that was used is refused."""
        # The coordination group may not authorize at all, and would be told that.
        known = [asked for asked in reversed(self.asked) if other is None or asked[1] != "group"]
        kind, who, key, body, before = known[which % len(known)]
        name = "repeat"
        if other is not None:
            name, kind, body, before = "reuse", "authorize", other, b""
        self.steps.append(name)
        answer, raw = self._wait(self.world.ask(kind, who, key, body))
        assert not before or raw == before, f"{kind} gets other bytes"
        self._alike(name, self.model.ask(kind, who, key, body), answer)
        self._same_balances()

    # -- issuers, standing, settlement, time ----------------------------------------------------------------------------------------

    @rule(issuer=given.ISSUER, items=given.ISSUES)
    def issue(self, issuer: str, items: list[tuple[str, int, int]]) -> None:
        self._ask("issue", "province", {"issuer": issuer, "items": items})

    @rule(issuer=given.ISSUER, special=given.POLICIES, ahead=st.sampled_from([0, 20]), until=st.sampled_from([None, 30]))
    def change_policy(self, issuer: str, special: given.Special, ahead: int, until: int | None) -> None:
        self._ask("publish", "province", self._policy(issuer, special, ahead, until))

    @precondition(lambda self: self.model.redemptions)
    @rule(party=st.sampled_from(["away", "firm"]), wrong=given.RARELY)
    def standing(self, party: str, wrong: bool) -> None:
        """Suspend a laboratory or sanction a firm; bring back one that is; now and then what it is already."""
        self._ask("unbar" if (party in self.model.since) != wrong else "bar", "group", {"party": party})

    @precondition(lambda self: any(self.model.moved.values()))
    @rule(issuers=st.sampled_from([ISSUERS, ("city",), ("county",)]), group=st.booleans())
    def close_window(self, issuers: tuple[str, ...], group: bool) -> None:
        """Windows are the issuer's own, and so are those of a world: none but its issuers' are closed."""
        self._ask("close", "group" if group else "province", {"issuers": issuers})

    @precondition(lambda self: any(window["owed"] for window in self.model.windows.values()))
    @rule(which=st.integers(0, 5), wrong=given.RARELY, again=given.RARELY)
    def mark_paid(self, which: int, wrong: bool, again: bool) -> None:
        windows = self.model.windows
        debts = [(key, debt) for key, window in windows.items() for debt in window["owed"] if again or debt not in window["paid"]]
        for key, (debtor, creditor) in debts[which % len(debts) :][:1] if debts else ():
            who = "abroad" if debtor == "abroad" else "province"
            fen = windows[key]["owed"][debtor, creditor] + wrong
            self._ask("pay", who, {"window": key, "debtor": debtor, "creditor": creditor, "fen": fen})

    @precondition(lambda self: self.model.redemptions)
    @rule(days=st.sampled_from([1, 1, 1, 12, 12, 40, 95, 200]))
    def advance(self, days: int) -> None:
        """The clock is everybody's, but what earlier worlds left ran out before this one began: the counts are this world's alone."""
        day = self.world.today + timedelta(days=days)
        if (day - self.first_day).days <= _SPAN_DAYS:
            self.steps.append("advance")
            answer = self._wait(self.world.advance(day))
            self._alike("advance", ("ok", self.model.advance(days)), ("ok", answer))
            self._same_balances()
