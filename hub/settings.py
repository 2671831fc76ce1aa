"""Settings, read once at start from the environment (`DELTAHUB_*`) and passed inward."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.divisions import province_codes


class Settings(BaseSettings):
    """All that a process of the hub can be told. Nothing here is a secret; secrets are files named here."""

    model_config = SettingsConfigDict(env_prefix="DELTAHUB_", extra="ignore")

    data_dir: Path = Field(default=Path("var"), description="Where the embedded parts, keys and adapters keep their files")
    database_url: str = Field(default="", description="postgresql://… of the ledger; empty starts the embedded server")
    kafka_bootstrap: str = Field(default="", description="host:port of Kafka; empty starts the embedded broker where a command needs one")
    kafka_config: dict[str, str | int] = Field(
        default_factory=dict, description="Further kafka-python client settings (SASL, TLS), as JSON"
    )
    topic_prefix: str = Field(default="yrd", description="First part of every topic name")
    grpc_address: str = Field(default="localhost:8443", description="Address of the gRPC server")
    web_address: str = Field(default="localhost:8080", description="Address of the HTTPS server")
    identity_dir: Path | None = Field(
        default=None, description="CA bundle, server certificate and token keys; empty uses a development identity in data_dir"
    )
    max_message_bytes: int = Field(default=4 * 1024 * 1024, description="Largest gRPC message accepted")
    token_issuer: str = Field(default="", description="Public URL of the token endpoint, where it is not https://web_address")
    token_ttl_seconds: int = Field(default=300, ge=1, le=300, description="Life of an access token")
    reflection: bool = Field(default=False, description="Serve gRPC reflection (development only)")
    metrics_address: str = Field(default="", description="host:port for Prometheus metrics of this process; empty serves none")
    provinces: list[str] = Field(
        default_factory=lambda: list(province_codes()),
        description="Province-level divisions that take part, as JSON; default: the division data file",
    )
    divisions_file: Path | None = Field(default=None, description="CSV of division codes and names; default: the one with the hub")
    partitions: int = Field(default=6, ge=1, description="Partitions of each topic the hub makes")
    make_topics: bool = Field(default=True, description="Make missing topics at start; off where the broker's operator makes them")
    sweep_seconds: float = Field(default=60.0, gt=0, description="Pause between runs of the expiry and TTL sweeps")
    credit_key_file: Path | None = Field(
        default=None,
        description="Key of the references of persons, 32 random bytes or more; default: credit.key of the identity directory",
    )
    credit_burst: int = Field(default=120, ge=20, description="How many credit questions a participant may ask at once")
    credit_per_hour: int = Field(default=600, ge=1, description="How many credit questions a participant may ask an hour")
    public_burst: int = Field(default=120, ge=1, description="How many requests an address may send at once to the public part")
    public_per_hour: int = Field(default=6_000, ge=1, description="How many requests an address may send an hour to the public part")
    outbox_days: int = Field(
        default=0, ge=0, description="Days for which events in Kafka stay in the outbox for those who subscribe; 0 keeps them for ever"
    )
    idempotency_days: int = Field(
        default=0,
        ge=0,
        description="Days for which a repeated request gets the very answer of the first time; after them, that it was answered and when. "
        "0 keeps answers for ever",
    )
    webhook_networks: list[str] = Field(
        default_factory=list,
        description="Networks (CIDR) that webhooks may lie in besides public addresses, as JSON, such as a government's own",
    )
    webhook_ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that a webhook's own may be of, besides those the machine trusts"
    )
    failpoints: dict[str, str] = Field(
        default_factory=dict,
        description='Places where a rehearsal makes the process die or fail, as JSON such as {"relay.after_mark": "kill:3"}; '
        "refused beside a production identity",
    )
    simulated_clock: datetime | None = Field(default=None, description="Start of a virtual clock; refused beside a production identity")

    @property
    def identity(self) -> Path:
        """Directory of certificates and keys."""
        return self.identity_dir or self.data_dir / "identity"

    @property
    def own_networks(self) -> list[str]:
        """Networks that webhooks may lie in besides public addresses: on one machine, all that are its own."""
        return [*self.webhook_networks, *(("127.0.0.0/8", "::1/128") if self.development else ())]

    @property
    def development(self) -> bool:
        """True while the hub runs on a development identity of its own making."""
        return self.identity_dir is None
