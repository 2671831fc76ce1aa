"""Every RPC and what answers it. Access rules come from the contract; a method without one is not built (deny by default)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from hub.application import issuing, redeeming
from hub.application.commands import LedgerCommand
from hub.application.ids import time_ordered_uuid
from hub.application.sessions import Session
from hub.application.transaction import Foresee, UseCase
from hub.codec import requests
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.clock import Clock
from hub.domain.model import WalletKey
from hub.domain.refusals import Refusal
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import access_pb2
from yrd.voucher.v1 import voucher_pb2

Decode = Callable[[Any], LedgerCommand | Refusal]
Handle = Callable[[Caller, Any], Awaitable[Outcome]]
Serve = Callable[[Session], AsyncIterator[Outcome]]
"""Answers of a stream, in order; the first that is a refusal ends it."""

_CLEARING = "yrd.clearing.v1.ClearingService"
_BATCHES = {f"{_CLEARING}.BatchAuthorize": f"{_CLEARING}.Authorize", f"{_CLEARING}.BatchCapture": f"{_CLEARING}.Capture"}
"""Each batch and the method that its items are requests of."""
_ALONE = frozenset(f"yrd.settlement.v1.SettlementService.{name}" for name in ("CloseWindow", "ConfirmPayment"))
"""Changes of the ledger that are set-based over more rows than a batch should hold (docs/adr/0007-settlement-windows.md)."""


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC: its full name, request class and access rule."""

    name: str
    request: type[Message]
    access: access_pb2.AccessRule


@dataclass(frozen=True, slots=True)
class Ledger(Method):
    """A mutation of the ledger, run by the group committer."""

    decode: Decode


@dataclass(frozen=True, slots=True)
class Mutation(Method):
    """Any other mutation, run in a transaction of its own. `first` is what has to be on the ledger before it."""

    use_case: UseCase
    first: Foresee | None = None


@dataclass(frozen=True, slots=True)
class Alone(Mutation):
    """A mutation of the ledger in a transaction of its own, which the group committer runs as a batch by itself."""


@dataclass(frozen=True, slots=True)
class Query(Method):
    """A read."""

    use_case: UseCase


@dataclass(frozen=True, slots=True)
class Special(Method):
    """A method with a handler of its own: the quote, the simulated clock."""

    handle: Handle


@dataclass(frozen=True, slots=True)
class Batch(Method):
    """Many requests of one ledger method in one call."""

    item: Ledger


@dataclass(frozen=True, slots=True)
class Stream(Method):
    """A method with a stream of answers."""

    serve: Serve


def build_methods(
    services: Iterable[ServiceDescriptor],
    ledger: Mapping[str, Decode],
    use_cases: Mapping[str, UseCase],
    special: Mapping[str, Handle],
    streams: Mapping[str, Serve],
    first: Mapping[str, Foresee],
) -> dict[str, Method]:
    """Return the methods of all services. `first` are the ledger commands that some mutations need done before them.

    Raises LookupError for an RPC without an access rule or without a handler.
    """
    methods: dict[str, Method] = {}
    for service in services:
        for rpc in service.methods:
            name, head = rpc.full_name, _head(rpc)
            if name in ledger:
                methods[name] = Ledger(*head, ledger[name])
            elif name in use_cases:
                use_case = use_cases[name]
                mutation = Alone if name in _ALONE else Mutation
                methods[name] = mutation(*head, use_case, first.get(name)) if head[2].mutation else Query(*head, use_case)
            elif name in special:
                methods[name] = Special(*head, special[name])
            elif name in _BATCHES:
                methods[name] = Batch(*head, ledger_method(_BATCHES[name], ledger))
            elif name in streams:
                methods[name] = Stream(*head, streams[name])
            else:
                raise LookupError(f"nothing answers {name}")
    return methods


def ledger_method(name: str, ledger: Mapping[str, Decode]) -> Ledger:
    """Return one ledger method by name. Raises KeyError for one that is none, LookupError for one without an access rule."""
    return Ledger(*_head(descriptor_pool.Default().FindMethodByName(name)), ledger[name])


def _head(rpc: MethodDescriptor) -> tuple[str, type[Message], access_pb2.AccessRule]:
    access = rpc.GetOptions().Extensions[access_pb2.access]
    if not access.scope or not access.roles:
        raise LookupError(f"{rpc.full_name} declares no access rule")
    return rpc.full_name, GetMessageClass(rpc.input_type), access


def ledger_methods(clock: Clock) -> dict[str, Decode]:
    """Return the decoders of the ledger's mutations. `clock` dates the ids of new redemptions."""
    vouchers = "yrd.voucher.v1.VoucherService"
    return {
        f"{_CLEARING}.Authorize": lambda request: _authorize(request, clock),
        f"{_CLEARING}.Capture": _read(requests.read_capture, redeeming.capture_command),
        f"{_CLEARING}.Approve": _read(requests.read_approve, redeeming.approve_command),
        f"{_CLEARING}.Reject": _read(requests.read_reject, redeeming.reject_command),
        f"{_CLEARING}.Void": _read(requests.read_void, redeeming.void_command),
        f"{_CLEARING}.Refund": _read(requests.read_refund, redeeming.refund_command),
        f"{vouchers}.IssueVouchers": _issue,
        f"{vouchers}.ApproveApplication": _approve_application,
        f"{vouchers}.CancelVoucher": _cancel,
    }


def _read(read: Callable[[Any, Fields], Any], build: Callable[[Any], LedgerCommand]) -> Decode:
    def decode(request: Any) -> LedgerCommand | Refusal:
        fields = Fields()
        command = read(request, fields)
        return fields.refusal or build(command)

    return decode


def _authorize(request: clearing_pb2.AuthorizeRequest, clock: Clock) -> LedgerCommand | Refusal:
    fields = Fields()
    command = requests.read_authorization(request.input, fields, time_ordered_uuid(clock.now()))
    return fields.refusal or redeeming.AuthorizeCommand(command)


def _issue(request: voucher_pb2.IssueVouchersRequest) -> LedgerCommand | Refusal:
    fields = Fields()
    issuer = fields.division("issuer", request.issuer)
    items = requests.read_issue_items(request, fields)
    issued_on = fields.optional_date("issued_on", request.issued_on)
    return fields.refusal or issuing.IssueCommand(issuer, items, issued_on)


def _approve_application(request: voucher_pb2.ApproveApplicationRequest) -> LedgerCommand | Refusal:
    fields = Fields()
    application_id = fields.uuid("application_id", request.application_id)
    approved = fields.positive_fen("approved_fen", request.approved_fen)
    return fields.refusal or issuing.ApproveApplicationCommand(application_id, approved)


def _cancel(request: voucher_pb2.CancelVoucherRequest) -> LedgerCommand | Refusal:
    fields = Fields()
    wallet = WalletKey(fields.division("issuer", request.issuer), fields.uscc("enterprise", request.enterprise))
    number = fields.number("voucher_no", request.voucher_no)
    fields.text("reason", request.reason, requests.REASON_CHARS_MAX, required=False)
    return fields.refusal or issuing.CancelCommand(wallet, number)
