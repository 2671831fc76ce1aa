"""Webhooks: which addresses the hub speaks to, when it tries again, when it gives up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

URL_CHARS_MAX = 500
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)
"""A webhook that takes nothing for so long is disabled."""

# Addresses inside these name an IPv4 address that the packet ends up at; none of them is needed to reach a public server.
_TUNNELS = tuple(IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


def address_is_open(address: str, networks: Iterable[str]) -> bool:
    """Say whether the hub may speak to an IP address: a public one, or one of the `networks` (CIDR) that the operator named.

    Whoever registers a webhook must not have the hub speak to machines that only the hub can reach.
    """
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if any(found in network for network in map(ip_network, networks) if network.version == found.version):
        return True
    tunnelled = isinstance(found, IPv6Address) and any(found in each for each in _TUNNELS)
    return found.is_global and not found.is_multicast and not tunnelled


def fault_of_url(url: str, networks: Iterable[str]) -> str:
    """Return what is wrong with the address of a webhook, or nothing. Names are resolved at each attempt, not here."""
    if not url or len(url) > URL_CHARS_MAX or any(not 0x21 <= ord(each) <= 0x7E for each in url):
        return f"must have 1 to {URL_CHARS_MAX} printable ASCII characters and no space"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be an https address"
    if parts.scheme != "https" or not host:
        return "must be an https address"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must have no user, password or fragment"
    try:
        closed = not address_is_open(host, networks)
    except ValueError:
        closed = "." not in host.rstrip(".")
        if closed and not list(networks):
            return "must name a host with a public name"
        return ""
    return "must be a public address" if closed else ""


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many failed attempts in a row: 5 s, doubled each time, at most an hour."""
    factor: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_PAUSE * factor, LONGEST_PAUSE)


def given_up(failing_since: datetime, now: datetime) -> bool:
    """Say whether a webhook that failed since then is to be disabled."""
    return now - failing_since >= GIVE_UP_AFTER
