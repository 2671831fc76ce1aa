"""Who is at the other end of a call or stream, and what comes in from there."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode
from hub.security.access import Access
from hub.security.failures import AuthFailure
from hub.security.guard import Guard


def authenticate(guard: Guard, access: Access, context: Any, metadata: Iterable[tuple[str, Any]]) -> Caller | Refusal:
    """Return the verified caller of a gRPC call with that metadata, as of now, or why it may not call."""
    pem = context.auth_context().get("x509_pem_cert", [None])[0]
    authorization = None
    for key, value in metadata:
        if key == "authorization":
            authorization = value
            break
    # Certificates and tokens live in real time, whatever clock the rules read.
    caller = guard.authenticate(pem, authorization, access, datetime.now(UTC))
    if not isinstance(caller, AuthFailure):
        return caller
    return Refusal(
        RefusalCode(caller.code),
        metadata=tuple(sorted(caller.metadata.items())),
        detail_zh=caller.detail_zh,
        detail_en=caller.detail_en,
    )


def too_large(bytes_max: int) -> Refusal:
    """Return the refusal of a message larger than `bytes_max`."""
    return Refusal(RefusalCode.MESSAGE_TOO_LARGE, metadata=(("bytes_max", str(bytes_max)),))


class Held:
    """How many bytes of requests this process holds that are not answered yet, and how many it may."""

    __slots__ = ("bytes", "bytes_max")

    def __init__(self, bytes_max: int) -> None:
        self.bytes = 0
        self.bytes_max = bytes_max


class Places:
    """Places for calls or streams, so many for each participant: what one of them leaves lying takes none from the others."""

    __slots__ = ("_all", "_all_max", "_by_participant", "_each_max")

    def __init__(self, each_max: int, all_max: int) -> None:
        """Have `each_max` places for a participant, `all_max` for all together."""
        self._each_max = each_max
        self._all_max = all_max
        self._all = 0
        self._by_participant: dict[str, int] = {}

    def enter(self, participant: str) -> bool:
        """Take a place for `participant`, or say False where there is none."""
        count = self._by_participant.get(participant, 0)
        if count >= self._each_max or self._all >= self._all_max:
            return False
        self._by_participant[participant] = count + 1
        self._all += 1
        return True

    def leave(self, participant: str) -> None:
        """Give back a place that was taken."""
        count = self._by_participant.pop(participant) - 1
        if count:
            self._by_participant[participant] = count
        self._all -= 1


class GrpcSession:
    """An open stream: implements `hub.application.sessions.Session`. What it read is held until `answered` or `close`."""

    def __init__(self, guard: Guard, access: Access, requests: Any, context: Any, message_bytes_max: int, held: Held) -> None:
        self._held = held
        self._sizes: deque[int] = deque()
        self._guard = guard
        self._access = access
        self._requests = requests
        self._context = context
        self._message_bytes_max = message_bytes_max

    def caller(self) -> Caller | Refusal:
        """Return who calls, as of now."""
        return authenticate(self._guard, self._access, self._context, self._context.invocation_metadata())

    async def messages(self) -> AsyncIterator[bytes | Refusal]:
        """Yield the messages as they come, the last of them a refusal where one is too large."""
        async for payload in self._requests:
            checked = self._checked(payload)
            yield checked
            if isinstance(checked, Refusal):
                return

    def answered(self) -> None:
        """Hold the oldest message no longer."""
        if self._sizes:
            self._held.bytes -= self._sizes.popleft()

    def close(self) -> None:
        """Hold nothing any more."""
        self._held.bytes -= sum(self._sizes)
        self._sizes.clear()

    def _checked(self, payload: bytes) -> bytes | Refusal:
        size = len(payload)
        if size > self._message_bytes_max:
            return too_large(self._message_bytes_max)
        if self._held.bytes + size > self._held.bytes_max:
            return Refusal(RefusalCode.OVERLOADED)
        self._held.bytes += size
        self._sizes.append(size)
        return payload
