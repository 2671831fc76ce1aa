"""Watching a redemption: as it stands, then again whenever it has changed, until nothing can change it any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hub.application.preparing import parse
from hub.application.redemptions import get_redemption
from hub.application.runner import Runner
from hub.application.sessions import Session
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, refused
from hub.domain.refusals import Refusal
from yrd.clearing.v1 import clearing_pb2 as pb

FINAL = frozenset(
    (
        pb.REDEMPTION_STATE_VOIDED,
        pb.REDEMPTION_STATE_EXPIRED,
        pb.REDEMPTION_STATE_REJECTED,
        pb.REDEMPTION_STATE_REFUNDED,
    )
)
"""States after which a watch ends. SETTLED is none of them: what was paid may still be refunded (rules.md C7)."""

Changed = Callable[[], Awaitable[None]]
"""Waits until the redemption may have changed since the last wait."""


class Changes(Protocol):
    """Tells when redemptions change."""

    def of(self, redemption_id: str) -> AbstractAsyncContextManager[Changed]:
        """Follow one redemption while the context is open."""
        ...


class Watching:
    """Serves watches."""

    def __init__(self, runner: Runner, changes: Changes) -> None:
        self._runner = runner
        self._changes = changes

    async def serve(self, session: Session) -> AsyncIterator[Outcome]:
        """Yield the redemption each time it differs from what was sent last."""
        request = await _request(session)
        if isinstance(request, Refusal):
            yield refused(request)
            return
        async with self._changes.of(request.redemption_id) as changed:
            sent = b""
            while True:
                outcome = await self._look(session, request)
                if outcome.body != sent:
                    yield outcome
                    sent = outcome.body
                if not outcome.ok or _final(outcome):
                    return
                await changed()

    async def _look(self, session: Session, request: pb.GetRedemptionRequest) -> Outcome:
        # Asked anew each time: a token that has expired since shows nothing more.
        caller = session.caller()
        return refused(caller) if isinstance(caller, Refusal) else await self._runner.query(get_redemption, caller, request)


async def _request(session: Session) -> pb.GetRedemptionRequest | Refusal:
    """Return what is to be read for a watch. The answers of both are alike: `redemption = 1`."""
    message = await anext(session.messages(), b"")
    request = message if isinstance(message, Refusal) else parse(pb.WatchRedemptionRequest, message)
    if isinstance(request, Refusal):
        return request
    fields = Fields()
    redemption_id = fields.uuid("redemption_id", request.redemption_id)
    return fields.refusal or pb.GetRedemptionRequest(redemption_id=redemption_id)


def _final(outcome: Outcome) -> bool:
    """Say whether nothing can change any more. What was cleared, and refunded at once, has its window still to come."""
    redemption = pb.GetRedemptionResponse.FromString(outcome.body).redemption
    return redemption.state in FINAL and (redemption.state != pb.REDEMPTION_STATE_REFUNDED or bool(redemption.window_id))
