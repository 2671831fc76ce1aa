"""The client certificate of an HTTPS connection: uvicorn does not pass it on, and a bound token is worth nothing without it (RFC 8705)."""

from __future__ import annotations

import asyncio
import ssl

import uvicorn
from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from hub.security.trust import TrustStore

_STATE = "peer_certificate"


class PeerCertificateProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, but requests know what the client presented."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent narrows it
        """Keep what the client presented in the state of every request of this connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate:
            self.app_state = {**self.app_state, _STATE: ssl.DER_cert_to_PEM_cert(certificate).encode()}


def ask_client_certificates(config: uvicorn.Config, trust: TrustStore) -> None:
    """Have a TLS server ask for certificates of trusted CAs, without insisting: browsers and token requests bring none.

    Loads `config`; later changes to it have no effect.
    """
    config.load()
    assert config.ssl is not None, "certificates belong to TLS"
    config.http_protocol_class = PeerCertificateProtocol
    config.ssl.load_verify_locations(cadata=trust.bundle().decode())
    config.ssl.verify_mode = ssl.CERT_OPTIONAL


def peer_certificate(request: Request) -> bytes | None:
    """Return the client's certificate (PEM) where the TLS connection brought one."""
    certificate = getattr(request.state, _STATE, None)
    return certificate if isinstance(certificate, bytes) else None
