"""From a method's name and request bytes to a durable outcome: the one way in, for gRPC and for Kafka alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hub.application.batching import Batching
from hub.application.commands import LATER, Committer
from hub.application.methods import Alone, Batch, Ledger, Method, Mutation, Query, Special, Stream
from hub.application.preparing import digest, parse, prepare, request_id_of
from hub.application.runner import Runner
from hub.codec.events import Reply, command_outcome
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal


class Dispatcher:
    """Parses, checks the request id, and runs a method. It trusts the caller it is given: identity was checked before.

    `methods` take one request and give one answer; `streams` are the others, which run themselves.
    """

    def __init__(self, methods: Mapping[str, Method], committer: Committer, runner: Runner) -> None:
        self.methods = {name: method for name, method in methods.items() if not isinstance(method, Stream)}
        self.streams = {name: method for name, method in methods.items() if isinstance(method, Stream)}
        self._committer = committer
        self._runner = runner
        self._batching = Batching(committer)

    async def call(self, name: str, payload: bytes, caller: Caller, reply: Reply | None = None) -> Outcome:
        """Return the outcome of one call. Raises KeyError for a method that does not exist."""
        method = self.methods[name]
        request = parse(method.request, payload)
        if isinstance(request, Refusal):
            return await self._told(refused(request), reply)
        if isinstance(method, Ledger):
            # First and in this coroutine: most calls are these, and each coroutine more is one that every answer comes back through.
            item = prepare(method, request)
            if isinstance(item, Refusal):
                return await self._told(refused(item), reply, Fields().uuid("request_id", request.request_id))
            command, request_id, fingerprint = item
            return await self._committer.submit(command, caller, request_id=request_id, digest=fingerprint, reply=reply)
        if isinstance(method, Query):
            return await self._runner.query(method.use_case, caller, request)
        if isinstance(method, Special) and not method.access.mutation:
            return await method.handle(caller, request)
        return await self._mutate(method, request, caller, reply)

    async def _mutate(self, method: Method, request: Any, caller: Caller, reply: Reply | None) -> Outcome:
        request_id = request_id_of(request)
        if isinstance(request_id, Refusal):
            return await self._told(refused(request_id), reply, request.request_id)
        if isinstance(method, Special):
            return await method.handle(caller, request)
        if isinstance(method, Batch):
            return await self._told(await self._batching.run(method, request, caller, request_id), reply, request_id)
        assert isinstance(method, Mutation)
        fingerprint = digest(method.name, request)
        refusal = await self._first(method, request, caller, request_id)
        if refusal is not None:
            return await self._told(refusal, reply, request_id)
        once = partial(self._runner.mutate, method.use_case, caller, request, request_id=request_id, digest=fingerprint, reply=reply)
        return await self._committer.submit_alone(once) if isinstance(method, Alone) else await once()

    async def _first(self, method: Mutation, request: Any, caller: Caller, request_id: str) -> Outcome | None:
        """Do what has to be on the ledger before a mutation; return the refusal where it cannot be."""
        command = await self._runner.foresee(method.first, caller, request, request_id) if method.first is not None else None
        outcome = await self._committer.submit(command, caller) if command is not None else None
        return None if outcome is None or outcome.ok else outcome

    async def _told(self, outcome: Outcome, reply: Reply | None, request_id: str = "") -> Outcome:
        """Return an outcome that no transaction of its own told; who sent the command over Kafka is told all the same."""
        if reply is not None and outcome not in LATER:
            await self._runner.publish([command_outcome(reply, request_id, outcome)])
        return outcome
