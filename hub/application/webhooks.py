"""Webhooks of a province: registering, listing, deleting. What posts to them is `hub.messaging.webhooks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from hub.application import keyset
from hub.application.ids import time_ordered_uuid
from hub.application.subscribing import read_types, topics_of, write_cursor
from hub.application.transaction import Transaction, UseCase
from hub.codec.encode import timestamp
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, invalid_state
from hub.domain.webhooks import fault_of_url
from hub.ledger.exchange_tables import WebhookRow
from yrd.events.v1 import webhook_pb2 as pb

PER_DIVISION_MAX = 10
ACTIVE, DISABLED, DELETED = "ACTIVE", "DISABLED", "DELETED"

_STATES = {ACTIVE: pb.WEBHOOK_STATE_ACTIVE, DISABLED: pb.WEBHOOK_STATE_DISABLED}
_LAST = text("SELECT greatest((SELECT max(seq) FROM outbox), (SELECT until_seq FROM outbox_trim), 0)")


def message_of(row: Any) -> pb.Webhook:
    """Return a webhook as the contract has it; `row` has the columns of the table as attributes."""
    return pb.Webhook(
        webhook_id=str(row.webhook_id),
        division=row.division,
        url=row.url,
        types=row.types,
        state=_STATES[row.state],
        cursor=write_cursor(row.cursor),
        attempts=row.attempts,
        last_error=row.last_error,
        failing_since=timestamp(row.failing_since) if row.failing_since else None,
        registered_at=timestamp(row.registered_at),
    )


class Webhooks:
    """The use cases. `public_keys` are told to whoever verifies; `networks` are those allowed besides public addresses."""

    def __init__(self, public_keys: Callable[[], Sequence[str]], networks: Sequence[str]) -> None:
        self._public_keys = public_keys
        self._networks = networks

    def methods(self) -> dict[str, UseCase]:
        """Return the use cases by method."""
        service = "yrd.events.v1.WebhookService"
        return {f"{service}.RegisterWebhook": self.register, f"{service}.ListWebhooks": self.list, f"{service}.DeleteWebhook": self.delete}

    async def register(self, tx: Transaction, request: pb.RegisterWebhookRequest) -> pb.RegisterWebhookResponse | Refusal:
        """Register an address. INVALID_STATE where there are ten already, or where the operator gave the hub no key to sign with."""
        topics, keys, fields = topics_of(tx.caller), self._public_keys(), Fields()
        if isinstance(topics, Refusal):
            return topics
        types = read_types(request.types, fields)
        if fault := fault_of_url(request.url, self._networks):
            fields.wrong("url", fault)
        if fields.refusal is not None:
            return fields.refusal
        if not keys:
            return invalid_state("本枢纽未配置回调签名密钥", "this hub has no key to sign webhooks with; its operator can make one")
        await tx.session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('webhook'), :division)"), {"division": int(tx.caller.division)}
        )
        if len(await self._rows(tx)) >= PER_DIVISION_MAX:
            return invalid_state("回调地址已达上限", f"there are {PER_DIVISION_MAX} webhooks already; delete one first")
        row = WebhookRow(
            webhook_id=UUID(time_ordered_uuid(tx.now)),
            division=tx.caller.division,
            registered_by=tx.caller.participant_id,
            url=request.url,
            types=types,
            cursor=(await tx.session.execute(_LAST)).scalar_one(),
            state=ACTIVE,
            attempts=0,
            last_error="",
            registered_at=tx.now,
        )
        tx.session.add(row)
        await tx.session.flush()
        return pb.RegisterWebhookResponse(webhook=message_of(row), public_keys=keys)

    async def list(self, tx: Transaction, request: pb.ListWebhooksRequest) -> pb.ListWebhooksResponse | Refusal:
        """List the webhooks of the caller's province by id."""
        topics, page = topics_of(tx.caller), keyset.read_page(tx.caller, request, UUID)
        if isinstance(topics, Refusal):
            return topics
        if isinstance(page, Refusal):
            return page
        found = [row for row in await self._rows(tx) if page.after is None or row.webhook_id > page.after[0]]
        shown, token = page.cut(found[: page.fetch], lambda row: [str(row.webhook_id)])
        return pb.ListWebhooksResponse(webhooks=map(message_of, shown), next_page_token=token, public_keys=self._public_keys())

    async def delete(self, tx: Transaction, request: pb.DeleteWebhookRequest) -> pb.DeleteWebhookResponse | Refusal:
        """Delete a webhook. WEBHOOK_NOT_FOUND for one of another province, or one deleted before."""
        topics, fields = topics_of(tx.caller), Fields()
        number = fields.uuid("webhook_id", request.webhook_id)
        if isinstance(topics, Refusal):
            return topics
        if fields.refusal is not None:
            return fields.refusal
        statement = select(WebhookRow).where(
            WebhookRow.webhook_id == UUID(number), WebhookRow.division == tx.caller.division, WebhookRow.state != DELETED
        )
        row = (await tx.session.exec(statement.with_for_update())).first()
        if row is None:
            return Refusal(RefusalCode.WEBHOOK_NOT_FOUND)
        row.state, row.ended_at = DELETED, tx.now
        tx.session.add(row)
        return pb.DeleteWebhookResponse()

    async def _rows(self, tx: Transaction) -> Sequence[WebhookRow]:
        statement = select(WebhookRow).where(WebhookRow.division == tx.caller.division, WebhookRow.state != DELETED)
        return (await tx.session.exec(statement.order_by(col(WebhookRow.webhook_id)))).all()
