"""The development authority: CAs, server certificate and token key that a hub makes for itself at first start.

Layout of an identity directory (production supplies all but `ca/` and `issued/`, and keeps `ca/` elsewhere):
`ca/<province>.{pem,key}` and `ca/hub.{pem,key}`; `trust/<province>.pem`; `server.{pem,key}`; `token.key`; `token.jwks`; `ca.pem`;
`issued/<division>-<system>.pem`, the latest certificate of each participant, for display.
Certificate times are real times: TLS peers check them against their own clocks, so a simulated clock has no place here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.domain.clock import Clock, SystemClock
from hub.domain.divisions import COORDINATION, province_of
from hub.security.certificates import Credential, key_pem, new_ca, new_client, new_key, new_server
from hub.security.files import exclusive, make_private_directory, write_private
from hub.security.keys import public_jwks
from hub.security.spiffe import SpiffeId, parse_spiffe_id

HUB_CA = "hub"
"""File name of the CA that signs the hub's server certificate; it signs no participant and is not in `trust/`."""

SERVER_DAYS = 397
LEAF_DAYS = 90
_RENEW_SERVER_BEFORE = timedelta(days=30)


class DevelopmentAuthority:
    """Makes whatever is missing in an identity directory and issues certificates of participants. Safe in several processes."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()

    def ensure(self, provinces: Iterable[str] = ()) -> None:
        """Make the CAs of `provinces` and of the coordination group, the server certificate and the token key, where missing.

        Renews the server certificate a month before it expires, or when the machine's name changed. Raises ValueError for a code
        that is no province.
        """
        with exclusive(self._directory / ".lock"):
            for province in (COORDINATION, *provinces):
                self._province_ca(province)
            self._ensure_server()
            self._ensure_token_key()

    def issue_leaf(self, identity: str, days: int = LEAF_DAYS) -> Credential:
        """Issue the certificate of `spiffe://<province>/<division>/<system>`; make that province's CA if there is none.

        Raises ValueError for an identity of another form, or whose division does not lie in its province.
        """
        parsed = parse_spiffe_id(identity)
        if parsed is None or not parsed.consistent:
            raise ValueError(f"{identity!r} is not spiffe://<province>/<division of it>/<system>")
        with exclusive(self._directory / ".lock"):
            return self._issue(parsed, days)

    def write_identity(self, division: str, system: str, out: Path, days: int = LEAF_DAYS) -> SpiffeId:
        """Issue and write a client's folder: `cert.pem` (leaf and CA), `key.pem`, `ca.pem` (to verify the hub). Raises ValueError."""
        identity = SpiffeId(province_of(division), division, system)
        if parse_spiffe_id(str(identity)) is None or not identity.consistent:
            raise ValueError(f"division {division!r} and system {system!r} make no identity")
        self.ensure([identity.province])
        with exclusive(self._directory / ".lock"):
            leaf = self._issue(identity, days)
            chain = leaf.certificate_pem + self._read_ca(identity.province).certificate_pem
            make_private_directory(out)
            write_private(out / "key.pem", leaf.key_pem)
            write_private(out / "cert.pem", chain)
            write_private(out / "ca.pem", self._read_ca(HUB_CA).certificate_pem)
        return identity

    def ensure_identity(self, division: str, system: str, out: Path, days: int = LEAF_DAYS) -> SpiffeId:
        """Write a client's folder unless it holds a good identity of that name that lives for a third of `days` or longer."""
        identity = SpiffeId(province_of(division), division, system)
        if self._holds(out, identity, timedelta(days=days) / 3):
            return identity
        return self.write_identity(division, system, out, days)

    def _holds(self, out: Path, identity: SpiffeId, rest: timedelta) -> bool:
        try:
            leaf = x509.load_pem_x509_certificate((out / "cert.pem").read_bytes())
            leaf.verify_directly_issued_by(self._read_ca(identity.province).certificate)
            hub_ca = self._read_ca(HUB_CA).certificate_pem
            same = _same_uri(leaf, str(identity)) and (out / "ca.pem").read_bytes() == hub_ca and (out / "key.pem").exists()
        except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            # Absent, unreadable, or of a CA that was made anew: whatever it is, a new one replaces it.
            return False
        return same and leaf.not_valid_after_utc - self._clock.now() >= rest

    def _issue(self, identity: SpiffeId, days: int) -> Credential:
        leaf = new_client(self._province_ca(identity.province), identity, self._clock.now(), days)
        make_private_directory(self._directory / "issued")
        write_private(self._directory / "issued" / f"{identity.division}-{identity.system}.pem", leaf.certificate_pem)
        return leaf

    def _province_ca(self, province: str) -> Credential:
        identity = SpiffeId(province, province, "ca")
        if parse_spiffe_id(str(identity)) is None or not identity.consistent:
            raise ValueError(f"{province!r} is not the code of a province")
        ca = self._ca(province, f"spiffe://{province}")
        anchor = self._directory / "trust" / f"{province}.pem"
        if not anchor.exists():
            make_private_directory(anchor.parent)
            write_private(anchor, ca.certificate_pem)
        return ca

    def _ca(self, name: str, uri: str) -> Credential:
        make_private_directory(self._directory / "ca")
        if not (self._directory / "ca" / f"{name}.pem").exists():
            made = new_ca(f"Innovation voucher development CA {name}", uri, self._clock.now())
            # The certificate comes last: while it is missing the pair counts as unmade, and a crash between the two is harmless.
            write_private(self._directory / "ca" / f"{name}.key", made.key_pem)
            write_private(self._directory / "ca" / f"{name}.pem", made.certificate_pem)
        return self._read_ca(name)

    def _read_ca(self, name: str) -> Credential:
        folder = self._directory / "ca"
        return _read_credential(folder / f"{name}.pem", folder / f"{name}.key")

    def _ensure_server(self) -> None:
        ca = self._ca(HUB_CA, f"spiffe://{COORDINATION}/{COORDINATION}/hub")
        _write_once(self._directory / "ca.pem", lambda: ca.certificate_pem)
        hosts = ("localhost", "127.0.0.1", "::1", *(name for name in (_hostname(),) if name != "localhost"))
        if self._server_is_good(hosts):
            return
        server = new_server(ca, hosts, self._clock.now(), SERVER_DAYS)
        write_private(self._directory / "server.key", server.key_pem)
        write_private(self._directory / "server.pem", server.certificate_pem + ca.certificate_pem)

    def _server_is_good(self, hosts: Sequence[str]) -> bool:
        try:
            server = _read_credential(self._directory / "server.pem", self._directory / "server.key")
        except (FileNotFoundError, ValueError):
            return False
        names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = {str(name) for kind in (x509.DNSName, x509.IPAddress) for name in names.get_values_for_type(kind)}
        return known >= set(hosts) and server.certificate.not_valid_after_utc - self._clock.now() > _RENEW_SERVER_BEFORE

    def _ensure_token_key(self) -> None:
        path = self._directory / "token.key"
        _write_once(path, lambda: key_pem(new_key()))
        _write_once(self._directory / "token.jwks", lambda: public_jwks(path))


def _write_once(path: Path, content: Callable[[], bytes]) -> None:
    if not path.exists():
        write_private(path, content())


def _read_credential(certificate: Path, key: Path) -> Credential:
    private = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key} is not an ECDSA key")
    return Credential(private, x509.load_pem_x509_certificate(certificate.read_bytes()))


def _hostname() -> str:
    """Return the machine's name where a certificate can carry it, else `localhost`."""
    name = socket.gethostname().lower()
    return name if name.isascii() and name else "localhost"


def _same_uri(leaf: x509.Certificate, uri: str) -> bool:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
