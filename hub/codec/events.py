"""Events for Kafka: (topic, key, type, payload) rows of the outbox. A province is told only what concerns it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from google.protobuf.message import Message

from hub.codec import encode
from hub.codec.outcome import Outcome, refusal_of
from hub.codec.splice import fields, written
from hub.domain.divisions import province_of
from hub.domain.model import Note, Redemption
from yrd.events.v1 import events_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

POOL = "pool"

_Changed = events_pb2.RedemptionChanged
_CHANGED: Final[str] = _Changed.DESCRIPTOR.full_name
_REASONS: Final[int] = _Changed.REASONS_FIELD_NUMBER


class Event(NamedTuple):
    """A row of the outbox. `topic` is `<division>.out` or `pool`; `key` orders: the voucher's enterprise where there is one."""

    topic: str
    key: str
    type: str
    payload: bytes


def out(division: str) -> str:
    """Return the logical out-topic of the province that `division` belongs to."""
    return f"{province_of(division)}.out"


def event(topic: str, key: str, message: Message) -> Event:
    """Return a row for one message on one topic."""
    return Event(topic, key, message.DESCRIPTOR.full_name, written(message))


def redemption_changed(item: Redemption, told: bytes, cause: str, steps: list[bytes], now: datetime) -> list[Event]:
    """Tell the issuer's and the acquirer's province of a redemption. `told` is it as field 1, serialised, `steps` are the reasons."""
    issuer, enterprise = item.wallet
    payload = told + _cause(cause) + fields(_REASONS, steps) + _occurred_at(now)
    topic, other = out(issuer), out(item.acquirer)
    if topic == other:
        return [Event(topic, enterprise, _CHANGED, payload)]
    if topic > other:
        topic, other = other, topic
    return [Event(topic, enterprise, _CHANGED, payload), Event(other, enterprise, _CHANGED, payload)]


@lru_cache(maxsize=64)
def _cause(cause: str) -> bytes:
    return written(_Changed(cause=cause))


@lru_cache(maxsize=8)
def _occurred_at(now: datetime) -> bytes:
    """All events of a batch are of one instant."""
    return written(_Changed(occurred_at=encode.timestamp(now)))


def vouchers_issued(notes: list[Note], now: datetime) -> Event:
    """Tell the issuer's province of new notes of one enterprise."""
    body = events_pb2.VouchersIssued(vouchers=[encode.voucher(note) for note in notes], occurred_at=encode.timestamp(now))
    wallet = notes[0].wallet
    return event(out(wallet.issuer), wallet.enterprise, body)


def voucher_returned(note: Note, amount: int, cause: str, now: datetime) -> Event:
    """Tell the issuer's province that value on a note went back to it."""
    body = events_pb2.VoucherReturned(voucher=encode.voucher(note), returned_fen=amount, cause=cause, occurred_at=encode.timestamp(now))
    return event(out(note.wallet.issuer), note.wallet.enterprise, body)


class Reply(NamedTuple):
    """Where the outcome of a command goes that came in over Kafka."""

    division: str
    method: str
    source_id: str
    key: str = ""


def command_outcome(reply: Reply, request_id: str, outcome: Outcome) -> Event:
    """Tell the province what became of its command."""
    body = events_pb2.CommandOutcome(request_id=request_id, method=reply.method, source_id=reply.source_id)
    if outcome.ok:
        body.response = outcome.body
    else:
        body.refusal.CopyFrom(refusal_of(outcome))
    return event(out(reply.division), reply.key, body)


def application_changed(message: voucher_pb2.VoucherApplication, now: datetime) -> Event:
    """Tell the issuer's province of an application."""
    body = events_pb2.ApplicationChanged(application=message, occurred_at=encode.timestamp(now))
    return event(out(message.issuer), message.enterprise, body)


def window_closed(province: str, window: settlement_pb2.Window) -> Event:
    """Tell one province of a closed window; the caller has cut it to what concerns that province."""
    return event(out(province), window.window_id, events_pb2.WindowClosed(window=window))


def obligation_paid(province: str, window_id: str, obligation: settlement_pb2.Obligation, now: datetime) -> Event:
    """Tell one province of a payment."""
    body = events_pb2.ObligationPaid(window_id=window_id, obligation=obligation, occurred_at=encode.timestamp(now))
    return event(out(province), obligation.creditor, body)
