"""What is known while a scenario plays: the time, and the real things behind local names."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from hub.cli.scenario.acting import Cast
from hub.cli.scenario.hubs import HubProcess
from hub.cli.scenario.model import Scenario
from hub.cli.scenario.names import Names, unknown_id
from hub.domain.clock import local_date
from hub.domain.divisions import COORDINATION
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import types_pb2
from yrd.policy.v1 import policy_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2


@dataclass
class Stage:
    """One scenario in play."""

    scenario: Scenario
    names: Names
    hub: HubProcess
    cast: Cast
    now: datetime
    redemptions: dict[str, clearing_pb2.Redemption] = field(default_factory=dict)
    windows: dict[str, settlement_pb2.Window] = field(default_factory=dict)
    top_ups: dict[str, voucher_pb2.VoucherApplication] = field(default_factory=dict)
    policies: dict[tuple[str, str], policy_pb2.Policy] = field(default_factory=dict)
    notes: dict[str, voucher_pb2.Voucher] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    """Provider's local name of each order that a step has named."""
    _notes_of: Counter[str] = field(default_factory=Counter)

    @property
    def today(self) -> str:
        """The virtual date in Asia/Shanghai."""
        return local_date(self.now).isoformat()

    def home(self, provider: str) -> str | None:
        """Return the home division of a provider's local name, or None where nobody declared it."""
        known = self.scenario.providers.get(provider)
        return known.home if known is not None else None

    def somebody(self) -> str:
        """Return a division that may ask about things of nobody: the first that publishes a policy or is home to a provider."""
        for issuer in (*(policy.issuer for policy in self.scenario.policies), *(p.home for p in self.scenario.providers.values())):
            return issuer
        return COORDINATION

    def redemption(self, name: str) -> clearing_pb2.Redemption:
        """Return what is known of a redemption; an id of nothing for a name that no step has given."""
        known = self.redemptions.get(name)
        if known is not None:
            return known
        nobody = self.somebody()
        return clearing_pb2.Redemption(redemption_id=unknown_id(name), issuer=nobody, acquirer=nobody)

    def evidence_of(self, redemption: clearing_pb2.Redemption) -> list[types_pb2.EvidenceKind.ValueType]:
        """Return what the pinned policy asks a capture to carry (an invoice where it says nothing)."""
        policy = self.policies.get((redemption.issuer, redemption.policy_version))
        return list(policy.evidence) if policy is not None and policy.evidence else [types_pb2.EVIDENCE_KIND_INVOICE]

    def issued(self, enterprise: str, notes: list[voucher_pb2.Voucher]) -> None:
        """Remember notes by their numbers, and by `<enterprise>-1`, `<enterprise>-2`, … in the order they were issued."""
        for note in notes:
            self._notes_of[enterprise] += 1
            self.notes[f"{enterprise}-{self._notes_of[enterprise]}"] = note
        # A number that the file gives comes before a name made here.
        self.notes.update((note.voucher_no, note) for note in notes)


def new_request_id() -> str:
    """Return a request id of its own."""
    return str(uuid.uuid4())
