"""Any history of a record ends with the hub holding what its last edition means, or with the record in quarantine; never twice.

Commands are lost on the way and sent again, arrive twice and late, editions come again and out of order, other people act in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.runtime import commands
from adapters.runtime.edition import Before, Done, Edition, Send, Wait
from adapters.runtime.effects import CLOSED, gone_already, held_after, packed, spent_after, state_after
from adapters.runtime.follow import next_step
from adapters.runtime.identity import request_id, source_of
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.row import Reject
from tests.fixtures.correcting import ModelHub
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.registry.v1 import registry_pb2 as registry

FIRM, OTHER, LAB, OTHER_LAB = "91330522MA2B12343A", "91310118MA1JTERT16", "12310104425001236Q", "12320000466000000X"
EDITIONS = 4


def mapped_of(kind: Kind, version: int, redemption: str) -> Mapped:
    """Return one of a few contents of a record."""
    if kind is Kind.ENTERPRISE:
        return commands.register(
            "r1", uscc=FIRM, name="甲", division="330522", kind="TEAM", sme_no="", sme_from="", sme_until="", staff=version
        )
    if kind is Kind.PROVIDER:
        uscc = LAB if version < 3 else OTHER_LAB
        return commands.admit("r1", uscc=uscc, name="乙", home="330000", categories=["RESEARCH"], admitted_on="2026-01-01", rating=version)
    if kind is Kind.RECOGNITION:
        until = ["2026-04-01", "2026-02-01", "", "2027-01-01"][version]
        provider = LAB if version < 3 else OTHER_LAB
        return commands.recognize("r1", issuer="330000", provider=provider, valid_from="2026-01-01", valid_until=until, agreement=False)
    if kind is Kind.VOUCHER:
        numbers = ("q1", "q2") if version % 2 else ()
        firm = FIRM if version < 3 else OTHER
        return commands.issue("r1", issuer="330000", enterprise=firm, face_fen=100 * (version + 1), count=2, voucher_nos=numbers)
    if kind is Kind.AUTHORIZATION:
        lines = [commands.line("RESEARCH", 1000 - version)]
        return commands.authorize("r1", issuer="330000", enterprise=FIRM, provider=LAB, order_no="o1", lines=lines, lines_field="mx")
    amounts = [(60, 40), (50, 40), (30, 40), (30, 50)][version]
    captured = commands.capture(
        "r1",
        authorization="a1",
        authorization_field="sq",
        enterprise=FIRM,
        invoice_no="i1",
        delivered_on="2026-02-03",
        documents=[],
        lines=[commands.line("RESEARCH", each) for each in amounts],
    )
    assert isinstance(captured.request, clearing.CaptureRequest)
    captured.request.redemption_id = redemption
    return captured


@dataclass
class Exchange:
    """An adapter's memory of one record, a lossy line, and a hub."""

    kind: Kind
    hub: ModelHub = field(default_factory=ModelHub)
    before: Before | None = None
    identity: str = ""
    request: bytes = b""
    key: str = ""
    parked: Edition | None = None
    last: Edition | None = None
    quarantined: str = ""
    line: list[tuple[str, str, bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.kind is Kind.CAPTURE:
            order = mapped_of(Kind.AUTHORIZATION, 0, "")
            self.hub.handle("a1", commands.AUTHORIZE, packed(order.request))

    def edition(self, version: int, *, deleted: bool) -> Edition:
        mapped = mapped_of(self.kind, version, "a1")
        digest = f"{version}{'-' if deleted else '+'}"
        return Edition(self.kind, "r1", digest, deleted, "id", mapped.method, mapped.key, packed(mapped.request))

    def deliver(self, edition: Edition, *, retry: bool = False) -> None:
        """An edition comes; what was parked of an older one is void."""
        self.last, self.quarantined = edition, ""
        self._follow(edition, retry=retry)

    def _follow(self, edition: Edition, *, retry: bool = False) -> None:
        match next_step(edition, self._before(), retry=retry):
            case Send() as step:
                self._send(edition, step)
            case Wait():
                self.parked = edition
                self.again()
            case Done(settled=settled):
                self.parked = None
                if settled:
                    known = self.before or Before("", 0, "OK")
                    self.before = replace(known, digest=edition.digest, outcome="OK")
            case Reject() as reject:
                self.parked, self.quarantined = None, reject.code

    def _before(self) -> Before | None:
        """Events tell the adapter how its redemption stands; they may be late, but here they are not."""
        if self.before is None or not self.before.redemption_id:
            return self.before
        return replace(self.before, state=self.hub.deals[self.before.redemption_id].state)

    def _send(self, edition: Edition, step: Send) -> None:
        source = source_of("zhejiang", edition.kind, edition.native_id, edition.digest, step.attempt, step.step)
        known = self.before or Before("", 0, "")
        self.before = replace(known, digest=edition.digest, attempt=step.attempt, outcome="", method=step.method)
        self.identity, self.request, self.parked = request_id(source), step.request, edition
        self.again()

    def again(self) -> None:
        """Send the last command, for the first time or again under its own id."""
        assert self.before is not None
        self.line.append((self.identity, self.before.method, self.request))

    def carry(self, *, twice: bool, lost: bool) -> None:
        """The line hands the first command over, or loses it, or hands it over twice."""
        if not self.line:
            return
        command = self.line.pop(0)
        for _ in range(0 if lost else 2 if twice else 1):
            self.hub.handle(*command)
            self.answers.append(command[0])

    def hear(self) -> None:
        """The adapter reads the first answer; one of an earlier command no longer matters."""
        if not self.answers:
            return
        identity = self.answers.pop(0)
        known = self.before
        if known is None or identity != self.identity or known.outcome:
            return
        code, response = self.hub.answers[identity]
        if gone_already(known.method, code, (self._before() or known).state):
            code = "OK"
            known = replace(known, spent=known.spent or known.method == commands.CANCEL)
        if code == "OK":
            held = held_after(known.method, self.request, known.held, response)
            known = replace(known, held=held, ever=known.ever or bool(held), spent=known.spent or spent_after(known.method, response))
            if known.method in (commands.AUTHORIZE, commands.CAPTURE):
                redemption = identity if known.method == commands.AUTHORIZE else "a1"
                known = replace(known, redemption_id=redemption, state=state_after(known.method, response))
        self.before = replace(known, outcome=code)
        waiting = self.parked
        if waiting is None:
            return
        if code != "OK" and waiting.digest == known.digest:
            self.parked, self.quarantined = None, "CORRECTION_REFUSED"
            return
        self._follow(waiting)

    def settle(self) -> None:
        """Everything arrives at last."""
        for _ in range(60):
            if self.before is not None and not self.before.outcome and not self.line and not self.answers:
                self.again()
            self.carry(twice=False, lost=False)
            self.hear()
            if not self.line and not self.answers and (self.before is None or self.before.outcome):
                return
        raise AssertionError("the exchange does not come to rest")


def means(exchange: Exchange) -> None:
    """Check that the hub holds what the last edition means."""
    edition, hub = exchange.last, exchange.hub
    assert edition is not None and exchange.before is not None
    wanted = b"" if edition.deleted else edition.request
    if exchange.kind is Kind.ENTERPRISE:
        assert hub.firms.get(FIRM, b"") == wanted
    elif exchange.kind is Kind.PROVIDER:
        assert list(hub.providers.values()) == ([wanted] if wanted else [])
    elif exchange.kind is Kind.RECOGNITION:
        given = registry.RecognizeProviderRequest.FromString(wanted).recognition
        for day in ("2026-03-02", "2026-05-01", "2028-01-01"):
            due = bool(wanted) and (not given.valid_until or day < given.valid_until)
            assert hub.recognised(day) == ({(given.issuer, given.provider)} if due else set()), day
    elif exchange.kind is Kind.VOUCHER:
        _notes(hub, edition)
    elif exchange.kind is Kind.AUTHORIZATION:
        standing = [hub.deals[each].order for each in hub.open_deals()]
        closed = [deal for deal in hub.deals.values() if deal.state == "EXPIRED" and deal.order == wanted]
        assert standing == ([wanted] if wanted else []) or (not standing and closed)
    else:
        amounts = tuple(line.amount_fen for line in clearing.CaptureRequest.FromString(wanted).lines) if wanted else ()
        deal = hub.deals["a1"]
        assert deal.amounts == amounts if wanted else deal.state in (*CLOSED, "AUTHORIZED")


def _notes(hub: ModelHub, edition: Edition) -> None:
    live = [note for note in hub.notes.values() if not note.cancelled]
    if edition.deleted:
        assert not live
        return
    assert not any(note.cancelled and note.used for note in hub.notes.values()), "issued again beside what had been used"
    mapped: Any = mapped_of(Kind.VOUCHER, int(edition.digest[:-1]), "").request
    item = mapped.items[0]
    assert [(note.enterprise, note.face) for note in live] == [(item.enterprise, item.face_fen)] * 2


def once(exchange: Exchange) -> None:
    """Check that nothing stands twice, at any moment."""
    hub = exchange.hub
    assert len(hub.open_deals()) <= 1
    assert len([note for note in hub.notes.values() if not note.cancelled]) <= 2
    assert len(hub.providers) <= 1


ACTIONS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(0, EDITIONS - 1), st.sampled_from([False, False, True])),
    st.tuples(st.just("carry"), st.booleans(), st.sampled_from([False, False, True])),
    st.tuples(st.just("hear"), st.none(), st.none()),
    st.tuples(st.just("again"), st.none(), st.none()),
    st.tuples(st.just("use"), st.none(), st.none()),
    st.tuples(st.just("expire"), st.none(), st.none()),
    st.tuples(st.just("officer"), st.none(), st.none()),
)


def act(exchange: Exchange, action: str, one: Any, two: Any) -> None:
    hub = exchange.hub
    if action == "deliver":
        exchange.deliver(exchange.edition(one, deleted=two))
    elif action == "carry":
        exchange.carry(twice=one, lost=two)
    elif action == "hear":
        exchange.hear()
    elif action == "again" and exchange.before is not None and not exchange.before.outcome:
        exchange.again()
    elif action == "use" and (live := [number for number, note in hub.notes.items() if not note.cancelled]):
        hub.use(live[0])
    elif action == "expire" and exchange.kind is Kind.AUTHORIZATION:
        for each in [each for each in hub.open_deals() if hub.deals[each].state == "AUTHORIZED"]:
            hub.turn(each, "EXPIRED")
    elif action == "officer":
        # The issuer's officer decides what is under review; somebody removes the provider by hand.
        for each in [each for each in hub.open_deals() if hub.deals[each].state == "PENDING_REVIEW"]:
            hub.turn(each, "CLEARED")


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(sorted(set(Kind) - {Kind.POLICY})),
    review=st.booleans(),
    history=st.lists(ACTIONS, max_size=25),
    version=st.integers(0, EDITIONS - 1),
    deleted=st.booleans(),
)
def test_the_last_edition_counts_and_nothing_counts_twice(
    kind: Kind, review: bool, history: list[tuple[str, Any, Any]], version: int, deleted: bool
) -> None:
    exchange = Exchange(kind)
    exchange.hub.review = review
    for step in history:
        act(exchange, *step)
        once(exchange)
    exchange.deliver(exchange.edition(version, deleted=deleted), retry=True)
    once(exchange)
    exchange.settle()
    once(exchange)
    if not exchange.quarantined:
        means(exchange)
    before = (exchange.hub, len(exchange.hub.answers))
    exchange.deliver(exchange.edition(version, deleted=deleted))
    exchange.settle()
    assert len(exchange.hub.answers) == before[1], "the same edition again has no effect"
