"""The daily rating: once a Shanghai day, by whichever scheduler comes first."""

from __future__ import annotations

import hashlib
from datetime import date
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.runner import Runner
from hub.codec.outcome import refusal_of
from hub.domain.caller import Caller
from hub.domain.clock import Clock, local_date
from registry.quality import store
from registry.quality.rating import rate_pool
from yrd.registry.v1 import quality_pb2 as pb

_NAMESPACE = UUID("5d0f3c1e-2a76-4c0b-9a0b-6f1f5a1c7e20")


class DailyRating:
    """Rates the pool as the coordination group's own scheduler."""

    def __init__(self, engine: AsyncEngine, runner: Runner, clock: Clock, caller: Caller) -> None:
        self._engine = engine
        self._runner = runner
        self._clock = clock
        self._caller = caller

    async def run_if_due(self) -> pb.RatePoolResponse | None:
        """Rate the pool if that was not done today; return what changed, None where it was done."""
        today = local_date(self._clock.now())
        async with AsyncSession(self._engine) as session:
            last = await store.last_run(session)
        return None if last is not None and last >= today else await self._rate(today)

    async def _rate(self, today: date) -> pb.RatePoolResponse:
        # The same id for the same day: of two schedulers that come at once, one rates and the other gets its answer.
        request_id = str(uuid5(_NAMESPACE, today.isoformat()))
        digest = hashlib.sha256(request_id.encode()).digest()
        request = pb.RatePoolRequest(request_id=request_id)
        outcome = await self._runner.mutate(rate_pool, self._caller, request, request_id=request_id, digest=digest)
        if not outcome.ok:
            raise RuntimeError(f"the pool was not rated: {refusal_of(outcome).en}")
        return pb.RatePoolResponse.FromString(outcome.body)
