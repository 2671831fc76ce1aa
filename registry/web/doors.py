"""Who is at the door: everybody within a rate at the public part, a certificate with its token at the providers' part."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from fastapi import Request

from hub.domain.caller import Caller, Role
from hub.domain.clock import Clock
from hub.domain.divisions import COORDINATION
from hub.domain.refusals import Refusal, RefusalCode
from hub.security.access import access_rules
from hub.security.failures import AuthFailure
from hub.security.guard import Guard
from hub.web.peer import peer_certificate
from hub.web.problems import refusal_of
from registry.credit.bucket import Level, Limits, full, take

EVERYBODY = Caller("public", COORDINATION, Role.PUBLIC)
"""The caller of the public part: no participant, no scope, of no division that anything belongs to."""

ADDRESSES_MAX = 50_000


class AddressRate:
    """So many requests at once and so many an hour for each address, in this process; an IPv6 address counts with its /64.

    Those that came longest ago are forgotten first, so that no crowd of addresses fills the memory.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._levels: OrderedDict[str, Level] = OrderedDict()

    def refusal(self, address: str) -> Refusal | None:
        """Take one request of an address, or return RATE_LIMITED with the seconds to wait."""
        key, now = _network(address), self._clock.now()
        taken = take(self._levels.pop(key) if key in self._levels else full(self._limits, now), 1, self._limits, now)
        self._levels[key] = taken.level
        if len(self._levels) > ADDRESSES_MAX:
            self._levels.popitem(last=False)
        if not taken.retry_seconds:
            return None
        seconds = str(taken.retry_seconds)
        return Refusal(
            RefusalCode.RATE_LIMITED,
            metadata=(("retry_after_seconds", seconds),),
            detail_zh=f"本地址的请求过多,请 {seconds} 秒后再试",
            detail_en=f"too many requests from this address; come back in {seconds} seconds",
        )


def _network(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(IPv6Address(int(known) >> 64 << 64)) if isinstance(known, IPv6Address) else address


class Doors:
    """Both doors. `clock` is the real one: certificates, tokens and rates live in real time, whatever clock the rules read."""

    def __init__(self, guard: Guard, clock: Clock, limits: Limits) -> None:
        self._guard = guard
        self._clock = clock
        self._rate = AddressRate(limits, clock)

    def everybody(self, request: Request) -> Caller | Refusal:
        """Admit anybody who does not ask too often."""
        return self._rate.refusal(request.client.host if request.client else "") or EVERYBODY

    def participant(self, request: Request, rpc: str) -> Caller | Refusal:
        """Admit whom the contract lets call the RPC."""
        service, _, method = rpc.rpartition(".")
        access = access_rules()[f"/{service}/{method}"]
        caller = self._guard.authenticate(peer_certificate(request), request.headers.get("authorization"), access, self._clock.now())
        return refusal_of(caller) if isinstance(caller, AuthFailure) else caller
