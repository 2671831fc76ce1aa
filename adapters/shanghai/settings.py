"""The `source` section of Shanghai's adapter, as `adapter.yaml` shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.runtime.given import Given, SecretRef


def _https(text: str) -> str:
    # A token or a record in the clear is no setting that anybody should be able to choose.
    if not text.startswith("https://") or len(text) <= len("https://"):
        raise ValueError("must begin with https://")
    return text.rstrip("/")


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("must be host:port, such as 0.0.0.0:8443")
    return text


class WebhookGiven(Given):
    """Where the platform posts what changed. `certificate` and `key` are PEM files; several `secrets` while one is replaced."""

    listen: Annotated[str, AfterValidator(_address)]
    certificate: Path
    key: Path
    secrets: list[SecretRef] = Field(min_length=1, max_length=5)
    body_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864)


class ShanghaiGiven(Given):
    """How the platform is reached. `ca_file` is whom its certificate must be of, where that is none of the machine's authorities."""

    base_url: Annotated[str, AfterValidator(_https)]
    client_id: str = Field(min_length=1)
    client_secret: SecretRef
    ca_file: Path | None = None
    page_size: int = Field(default=500, ge=1, le=1000)
    page_bytes_max: int = Field(default=33_554_432, ge=1_024, le=268_435_456)
    timeout_seconds: float = Field(default=20, gt=0, le=300)
    webhook: WebhookGiven | None = None
