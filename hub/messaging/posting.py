"""One event to one webhook: a signed CloudEvent in HTTP binary mode, to a machine that the hub may speak to and to no other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import httpx

from hub.application.subscribing import Row
from hub.domain.webhooks import address_is_open
from hub.security.webhook_keys import WebhookKeys

TIMEOUT_SECONDS = 10.0
GONE = "status 410"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host; raises OSError."""

# What CloudEvents leaves as it is in a header: printable ASCII but for the double quote and the percent sign.
_PLAIN = "!#$&'()*+,/:;<=>?@[\\]^_`{|}~-."


async def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host by the machine's resolver. Raises OSError."""
    return [str(found[4][0]) for found in await asyncio.get_running_loop().getaddrinfo(host, port)]


class Poster:
    """Posts events. Keep one per process, and `close` it."""

    def __init__(
        self,
        keys: WebhookKeys,
        source: str,
        networks: Sequence[str],
        *,
        authorities: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
    ) -> None:
        """`networks` are those allowed besides public addresses; `authorities` whom a receiver's certificate must be of."""
        self._keys, self._source, self._networks, self._resolve = keys, source, networks, resolver
        self._http = httpx.AsyncClient(
            verify=authorities or ssl.create_default_context(), timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post(self, url: str, row: Row, now: datetime) -> str:
        """Post one event; return what was wrong, or nothing where it was taken."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._post(url, row, now)
        except TimeoutError:
            return f"no answer within {TIMEOUT_SECONDS:.0f} s"
        except (httpx.HTTPError, OSError) as error:
            return f"{type(error).__name__}: {error}"[:300]

    async def _post(self, url: str, row: Row, now: datetime) -> str:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        addresses = await self._resolve(host, port)
        closed = [each for each in addresses if not address_is_open(each, self._networks)]
        if closed or not addresses:
            return f"{host} is not a public address"
        # The address that was looked at is the one spoken to: a name may mean another machine a moment later.
        target = httpx.URL(url).copy_with(host=addresses[0])
        headers = {"host": parts.netloc, **self._headers(row, now)}
        request = self._http.build_request("POST", target, content=row[5], headers=headers, extensions={"sni_hostname": host})
        response = await self._http.send(request, stream=True)
        # What it says besides its status is nothing to us, however long.
        await response.aclose()
        return "" if response.is_success else f"status {response.status_code}"

    def _headers(self, row: Row, now: datetime) -> dict[str, str]:
        number, _topic, key, type_, at, payload = row
        return {
            "content-type": "application/protobuf",
            "ce-specversion": "1.0",
            "ce-id": str(number),
            "ce-source": self._source,
            "ce-type": type_,
            "ce-time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce-partitionkey": quote(key, safe=_PLAIN),
            **self._keys.headers(f"evt_{number}", now, payload),
        }
