"""The bytes a fill stores as answers and events: one real authorization and capture, decided and encoded by the hub's own code.

Every row gets the same ones: what a benchmark needs of them is that they weigh what real ones weigh.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.cli.filling_parties import NOTE_FEN, NOTES, SME_NO, Firm, Lab
from hub.codec import answers, encode, events
from hub.domain.authorize import Authorize, decide_authorize
from hub.domain.caller import Caller, Role
from hub.domain.capture import Capture, decide_capture
from hub.domain.clock import local_date
from hub.domain.decision import Decision
from hub.domain.model import Enterprise, Line, Note, OrderKey, Provider, Redemption, Wallet, WalletKey
from hub.domain.policy import Category, EnterpriseKind, EvidenceKind, Policy
from hub.domain.snapshot import Snapshot

_FEE_FEN = 90_000


class Bodies(NamedTuple):
    """Serialised answers to an Authorize and a Capture, and the event that tells of the first."""

    authorized: bytes
    captured: bytes
    event_type: str
    event: bytes


def bodies(policy: Policy, firm: Firm, lab: Lab, order_no: str, now: datetime) -> Bodies:
    """Return what the hub would store for one order of `firm` at `lab`."""
    today = local_date(now)
    wallet_key, order_key = WalletKey(firm.issuer, firm.uscc), OrderKey(lab.uscc, order_no)
    notes = [
        Note(number, f"{firm.issuer}-{today.year}-{number:010d}", wallet_key, NOTE_FEN, NOTE_FEN, 0, 0, 0, today, today + timedelta(365))
        for number in range(NOTES)
    ]
    snapshot = Snapshot(
        enterprise=Enterprise(firm.uscc, "", firm.issuer, EnterpriseKind.TECH_SME, SME_NO),
        provider=Provider(lab.uscc, "", lab.home, (Category.RESEARCH,), policy.effective_from),
        policy=policy,
        wallet=Wallet(wallet_key, notes=notes),
    )
    caller = Caller("", lab.home, Role.PLATFORM)
    lines = (Line(Category.RESEARCH, _FEE_FEN),)
    granted = decide_authorize(snapshot, Authorize(wallet_key, order_key, lines, "00000000-0000-7000-8000-000000000000"), caller, now)
    redemption = _made(granted)
    captured = decide_capture(
        replace(snapshot, redemption=redemption, order=granted.order),
        Capture(redemption.redemption_id, f"I{order_no}", today, (EvidenceKind.INVOICE,)),
        caller,
        now,
    )
    first, steps = encode.redemption_field(redemption), encode.reasons(granted.reasons)
    event = events.redemption_changed(redemption, first, granted.cause, steps, now)[0]
    closing = answers.captured(encode.redemption_field(_made(captured)), captured, encode.reasons(captured.reasons))
    return Bodies(answers.authorized(first, granted, steps), closing, event.type, event.payload)


def _made(decision: Decision) -> Redemption:
    assert decision.redemption is not None, decision.refusal
    return decision.redemption
