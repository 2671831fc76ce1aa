"""The client certificate of an HTTPS connection: uvicorn does not pass it on, and a bound token is worth nothing without it (RFC 8705)."""

from __future__ import annotations

import asyncio
import ssl

from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

_STATE = "peer_certificate"


class PeerCertificateProtocol(H11Protocol):
    """For `uvicorn.Config(http=PeerCertificateProtocol, ssl_cert_reqs=ssl.CERT_OPTIONAL, ssl_ca_certs=…)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent narrows it
        """Keep what the client presented in the state of every request of this connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate:
            self.app_state = {**self.app_state, _STATE: ssl.DER_cert_to_PEM_cert(certificate).encode()}


def peer_certificate(request: Request) -> bytes | None:
    """Return the client's certificate (PEM) where the TLS connection brought one."""
    certificate = getattr(request.state, _STATE, None)
    return certificate if isinstance(certificate, bytes) else None
