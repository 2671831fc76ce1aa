"""The settings of one adapter: a YAML file, and over it the environment (`DELTAHUB_ADAPTER_*`). Secrets are named, never written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from adapters.runtime.engine import Limits
from adapters.runtime.given import SecretRef, slips
from adapters.runtime.retrying import RetryRules
from adapters.runtime.source import SourceFault

PREFIX = "DELTAHUB_ADAPTER_"
"""First part of every variable that overrides the file; parts of a section follow after two underscores, as in `…KAFKA__BOOTSTRAP`."""


class SettingsError(ValueError):
    """Settings that cannot be used; the text names every key at fault and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """The broker, and the province's own identity there."""

    bootstrap: str = Field(default="", description="host:port of Kafka; several separated by commas")
    prefix: str = Field(default="yrd", min_length=1, description="First part of every topic name, as the hub has it")
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How the broker is spoken to"
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(default="SCRAM-SHA-512", description="SASL mechanism")
    username: str = Field(default="", description="SASL user: the province's own")
    password: SecretRef | None = Field(default=None, description="Where the SASL password is: {env: NAME} or {file: PATH}")
    ca_file: Path | None = Field(default=None, description="Certificates (PEM) that the broker's own may be of")
    certificate_file: Path | None = Field(default=None, description="The province's own certificate (PEM), for mutual TLS")
    key_file: Path | None = Field(default=None, description="Its key (PEM)")
    key_password: SecretRef | None = Field(default=None, description="Where the key's password is")
    further: dict[str, str | int] = Field(default_factory=dict, description="Further kafka-python settings")

    @model_validator(mode="after")
    def _whole(self) -> KafkaSettings:
        if self.security.startswith("SASL") and not (self.username and self.password):
            raise ValueError(f"security {self.security} needs username and password")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together")
        for name in ("ca_file", "certificate_file", "key_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{name}: there is no file {path}")
        return self

    def config(self) -> dict[str, str | int]:
        """Return the settings as kafka-python takes them, secrets read. Raises SettingsError where a secret is not there."""
        files = {"ssl_cafile": self.ca_file, "ssl_certfile": self.certificate_file, "ssl_keyfile": self.key_file}
        found: dict[str, str | int] = {"security_protocol": self.security}
        found |= {name: str(path) for name, path in files.items() if path is not None}
        try:
            if self.key_password is not None:
                found["ssl_password"] = self.key_password.read()
            if self.security.startswith("SASL") and self.password is not None:
                found |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.username}
                found["sasl_plain_password"] = self.password.read()
        except SourceFault as error:
            raise SettingsError(f"kafka: {error}") from None
        return {**found, **self.further}


class RetrySettings(_Section):
    """When refusals that another province's data can cure are tried again, and commands that got no answer."""

    first_seconds: float = Field(default=60.0, gt=0, description="Pause before the first new attempt")
    factor: float = Field(default=4.0, ge=1, description="By how much each pause is longer than the one before")
    seconds_max: float = Field(default=86_400.0, gt=0, description="Longest pause")
    times: int = Field(default=8, ge=0, le=100, description="New attempts at most; 0 makes none")
    unheard_seconds: float = Field(default=3600.0, gt=0, description="After how long a command without an answer is sent again")


class AdapterSettings(BaseSettings):
    """All that a province's adapter can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    work_dir: Path | None = Field(default=None, description="The province's own folder: memory, landed files, results. One process uses it")
    kafka: KafkaSettings = Field(default_factory=KafkaSettings, description="The broker")
    poll_seconds: float = Field(default=30.0, gt=0, description="Pause between looks at the province's system when there is nothing more")
    queue_limit: int = Field(default=50_000, ge=1000, description="Commands that may wait on disk; more stays in the landed files")
    chunk_rows: int = Field(default=500, ge=1, le=10_000, description="Rows taken in at once: one transaction of the memory")
    gate_seconds: float = Field(default=120.0, ge=0, description="How long a later phase waits for an unanswered command of an earlier one")
    results_seconds: float = Field(default=60.0, gt=0, description="Least pause between two writings of the result files")
    results_days: int = Field(default=0, ge=0, description="Result files hold what changed in so many days; 0: all there is")
    keep_days: int = Field(default=90, ge=0, description="Days for which landed files are kept after they were taken; 0: for ever")
    backoff_seconds_max: float = Field(default=60.0, gt=0, description="Longest pause before an unreachable system is tried again")
    metrics_address: str = Field(default="", description="host:port for /healthz, /readyz and /metrics; empty serves none")
    retry: RetrySettings = Field(default_factory=RetrySettings, description="What is tried again by itself")
    source: dict[str, Any] | None = Field(
        default=None, description="The way to the province's own system; the province's README lists its keys"
    )
    failpoints: dict[str, str] = Field(
        default_factory=dict, description="Places where a rehearsal makes the process die; refused beside a broker with credentials"
    )

    @model_validator(mode="after")
    def _rehearsal(self) -> AdapterSettings:
        if self.failpoints and (self.kafka.security != "PLAINTEXT" or self.kafka.further):
            raise ValueError("failpoints are for rehearsals: they stand only beside a broker without credentials")
        if self.metrics_address and not self.metrics_address.rpartition(":")[2].isdecimal():
            raise ValueError("metrics_address: host:port is expected, such as 0.0.0.0:9464")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes over the file."""
        return env_settings, init_settings

    def limits(self) -> Limits:
        """Return the bounds of the exchange."""
        return Limits(
            queue_limit=self.queue_limit,
            chunk_rows=self.chunk_rows,
            gate_seconds=self.gate_seconds,
            poll_seconds=self.poll_seconds,
            results_seconds=self.results_seconds,
            results_days=self.results_days,
            keep_days=self.keep_days,
            backoff_seconds_max=self.backoff_seconds_max,
            retry=RetryRules(**self.retry.model_dump()),
        )


def load_settings(path: Path | None, defaults: Mapping[str, Any] | None = None) -> AdapterSettings:
    """Return the settings of a file over `defaults`, and the environment over both. Raises SettingsError naming every key at fault."""
    given = _over(dict(defaults or {}), _read(path) if path is not None else {})
    try:
        return AdapterSettings(**given)
    except ValidationError as error:
        raise SettingsError(f"{path or 'settings'}: {'; '.join(slips(error))}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name the adapter's settings file with --settings") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML in UTF-8: {' '.join(str(error).split())}") from None
    if found is not None and not isinstance(found, dict):
        raise SettingsError(f"{path}: a mapping of settings is expected, such as `poll_seconds: 30`")
    return found or {}


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return one mapping laid over another, section by section."""
    both = dict(below)
    for key, value in above.items():
        inner = both.get(key)
        both[key] = _over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both
