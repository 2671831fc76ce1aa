"""TLS of the hub's own servers, from the files of an identity directory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc

from hub.security.trust import TrustStore


class _Certificates:
    """Serves each new connection with the files as they are, so that a renewed certificate or a new province needs no restart."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._trust = TrustStore.load(directory / "trust")
        self._seen = self._modified()
        self._lock = threading.Lock()

    def _modified(self) -> tuple[int, int]:
        return (self._directory / "server.pem").stat().st_mtime_ns, (self._directory / "server.key").stat().st_mtime_ns

    def read(self) -> grpc.ServerCertificateConfiguration:
        pair = ((self._directory / "server.key").read_bytes(), (self._directory / "server.pem").read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], self._trust.bundle())

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        with self._lock:
            try:
                modified = self._modified()
                if not self._trust.refresh() and modified == self._seen:
                    return None
                configuration = self.read()
                self._seen = modified
                return configuration
            except OSError:
                # Files in the middle of being replaced: go on with those read before, look again at the next connection.
                return None


def server_credentials(directory: Path) -> grpc.ServerCredentials:
    """Return credentials of a gRPC server that requires a client certificate of a trusted CA. Raises OSError or ValueError."""
    certificates = _Certificates(directory)
    # None means "no change" to gRPC, as its documentation says; its type stubs forgot that.
    fetch = cast(Callable[[], grpc.ServerCertificateConfiguration], certificates.fetch)
    return grpc.dynamic_ssl_server_credentials(certificates.read(), fetch, require_client_authentication=True)
