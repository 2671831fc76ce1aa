"""The redemptions that changed last, with the reasons of their decisions as the outbox holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import DecodeError
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.web.divisions import DivisionNames
from hub.web.labels import cause_label, division_label, masked, state_label, without_codes
from hub.web.overview import Decision, Fact, RecentRedemption, Step
from yrd.common.v1.refusal_pb2 import Reason
from yrd.events.v1.events_pb2 import RedemptionChanged

SHOWN_MAX = 20
DECISIONS_MAX = 4
EVENTS_MAX = 200
EVENTS_BACK_MAX = 2_000

# Bounded both ways: a bulk issue may put any number of other events on top.
_EVENTS = text(f"""
SELECT payload FROM outbox
WHERE type = :type AND seq > (SELECT coalesce(max(seq), 0) FROM outbox) - {EVENTS_BACK_MAX}
ORDER BY seq DESC LIMIT {EVENTS_MAX}""")

_REDEMPTIONS = text(f"""
SELECT r.redemption_id::text, r.issuer, r.acquirer, r.enterprise, coalesce(e.division, r.issuer), r.provider, p.version, r.state,
       r.authorized, r.subsidy, r.authorized_at
FROM redemption AS r LEFT JOIN enterprise AS e ON e.uscc = r.enterprise LEFT JOIN policy AS p ON p.policy_id = r.policy_id
WHERE r.redemption_id = ANY(:ids) OR r.redemption_id IN (
  SELECT redemption_id FROM redemption ORDER BY authorized_at DESC, redemption_id DESC LIMIT {SHOWN_MAX})""").bindparams(bindparam("ids"))


@dataclass(slots=True)
class _History:
    """Events of one redemption, newest first."""

    events: list[RedemptionChanged] = field(default_factory=list)

    @property
    def changed_at(self) -> datetime:
        return self.events[0].occurred_at.ToDatetime(tzinfo=UTC)

    def add(self, event: RedemptionChanged) -> None:
        # The same change goes to two provinces, one row after the other.
        if len(self.events) < DECISIONS_MAX and event not in self.events:
            self.events.append(event)


async def recent_redemptions(connection: AsyncConnection, names: DivisionNames, today: date) -> tuple[RecentRedemption, ...]:
    """Return the last redemptions that changed, newest first. What the outbox no longer tells is filled up by authorization date."""
    payloads = await connection.execute(_EVENTS, {"type": RedemptionChanged.DESCRIPTOR.full_name})
    histories = _histories(payload for (payload,) in payloads)
    ids = [UUID(key) for key in list(histories)[:SHOWN_MAX]]
    rows = [tuple(row) for row in await connection.execute(_REDEMPTIONS, {"ids": ids})]
    order = {key: index for index, key in enumerate(histories)}
    shown = [_redemption(row, histories.get(row[0]), names, today) for row in rows]
    # By time; within one batch, whose events share an instant, by the outbox's order.
    shown.sort(key=lambda item: (-item.changed_at.timestamp(), order.get(item.redemption_id, len(order)), item.redemption_id))
    return tuple(shown[:SHOWN_MAX])


def _histories(payloads: Iterable[bytes]) -> dict[str, _History]:
    histories: dict[str, _History] = {}
    for payload in payloads:
        try:
            event = RedemptionChanged.FromString(bytes(payload))
        except DecodeError:
            # Whatever wrote it, the page still shows the rest.
            continue
        histories.setdefault(event.redemption.redemption_id, _History()).add(event)
    return histories


def _redemption(row: tuple[Any, ...], history: _History | None, names: DivisionNames, today: date) -> RecentRedemption:
    key, issuer, acquirer, enterprise, enterprise_division, provider, version, state, authorized, subsidy, authorized_at = row
    return RecentRedemption(
        redemption_id=key,
        issuer=division_label(names, issuer, today),
        acquirer=division_label(names, acquirer, today),
        enterprise=masked(enterprise),
        enterprise_division=division_label(names, enterprise_division, today),
        provider=masked(provider),
        policy_version=version or "",
        state=state_label(state),
        authorized_fen=authorized,
        subsidy_fen=subsidy,
        changed_at=history.changed_at if history else authorized_at,
        decisions=tuple(_decision(event) for event in history.events) if history else (),
    )


def _decision(event: RedemptionChanged) -> Decision:
    return Decision(
        cause=cause_label(event.cause),
        at=event.occurred_at.ToDatetime(tzinfo=UTC),
        steps=tuple(_step(reason) for reason in event.reasons),
    )


def _step(reason: Reason) -> Step:
    return Step(
        rule=reason.rule,
        code=reason.code,
        clause=reason.clause,
        zh=without_codes(reason.zh),
        en=without_codes(reason.en),
        facts=tuple(Fact(name=fact.name, value=fact.value) for fact in reason.facts),
    )
