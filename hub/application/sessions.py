"""What a stream is to a use case: messages that come in one after the other, and a caller who may lose the right to go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from hub.domain.caller import Caller
from hub.domain.refusals import Refusal


class Session(Protocol):
    """An open stream, seen from inside."""

    def caller(self) -> Caller | Refusal:
        """Return who calls, if certificate and token are still good at this moment; a stream outlives tokens."""
        ...

    def messages(self) -> AsyncIterator[bytes | Refusal]:
        """Yield the messages as they come; a refusal, such as of one too large, is the last."""
        ...
