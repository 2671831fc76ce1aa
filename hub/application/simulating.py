"""The virtual clock of rehearsals."""

from __future__ import annotations

from datetime import UTC

from hub.application.sweeping import Sweeper
from hub.codec.encode import timestamp
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller
from hub.domain.clock import SimulatedClock
from hub.domain.refusals import invalid
from yrd.simulation.v1 import simulation_pb2 as pb


class Simulation:
    """Moves the clock and runs what is due by then. Built only for a hub that was started with a virtual clock."""

    def __init__(self, clock: SimulatedClock, sweeper: Sweeper) -> None:
        self._clock = clock
        self._sweeper = sweeper

    async def advance(self, caller: Caller, request: pb.AdvanceClockRequest) -> Outcome:
        """Set the clock forward, sweep, and answer with the new time."""
        del caller
        try:
            self._clock.advance_to(request.now.ToDatetime(tzinfo=UTC))
        except ValueError:
            return refused(invalid("now", "must be a time not before the present one"))
        swept = await self._sweeper.sweep()
        return answer(
            pb.AdvanceClockResponse(
                now=timestamp(self._clock.now()), authorizations_expired=swept.authorizations, vouchers_expired=swept.vouchers
            )
        )
