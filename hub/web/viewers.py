"""Who may see the overview. Nobody, unless composition says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from hub.domain.caller import Role
from hub.domain.clock import Clock
from hub.security.access import Access
from hub.security.failures import AuthFailure, not_permitted
from hub.security.guard import Guard
from hub.web.peer import peer_certificate

ViewerGuard = Callable[[Request], AuthFailure | None]
"""Says why a request may not see the overview, or None where it may."""

OVERVIEW_ACCESS = Access(scope="clearing.read", roles=frozenset({Role.COORDINATOR}), mutation=False)
"""The overview shows every region's flows, so it is the coordination group's alone."""


def nobody(_: Request) -> AuthFailure | None:
    """Refuse everyone."""
    return not_permitted("the overview is not open on this server", "本服务器未开放总览")


def anyone(_: Request) -> AuthFailure | None:
    """Admit everyone: for a hub that runs on a development identity, where nothing is real."""
    return None


def coordinators(guard: Guard, clock: Clock) -> ViewerGuard:
    """Admit the coordination group: its certificate on the TLS connection (see `peer`), and an access token bound to it.

    `clock` is the real one, as for every certificate and token.
    """

    def admit(request: Request) -> AuthFailure | None:
        verdict = guard.authenticate(peer_certificate(request), request.headers.get("authorization"), OVERVIEW_ACCESS, clock.now())
        return verdict if isinstance(verdict, AuthFailure) else None

    return admit
