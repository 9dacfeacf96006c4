"""Settings of the server, and where they come from.

Flags win over `RTOUR_*` variables, those over the official server's `RESTATE_*` variables that mean
the same, those over the configuration file (TOML, keys as here; `RTOUR_CONFIG` if no flag names
it), and that over the defaults. Durations are written like `500ms`, `10s`, `1h 30m`, or ISO 8601.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from rtour.errors import RtourError
from rtour.server import log_levels
from rtour.server.durations import DurationError, parse_duration
from rtour.server.kafka import configured
from rtour.server.kafka.catalog import Cluster
from rtour.server.tokens import Secret


class ConfigError(RtourError):
    """A setting that cannot be used; the message says where it came from."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every queue and size has a limit."""

    message_bytes_max: int = 32 << 20
    eager_state_bytes_max: int = 32 << 20
    concurrent_attempts: int = 1000
    pending_requests: int = 100_000
    outgoing_bytes_max: int = 256 << 20
    incoming_bytes_max: int = 256 << 20
    unread_replies_bytes_max: int = 512 << 20


class Settings(msgspec.Struct, frozen=True):
    """What can be set. Times ending in `_ms` are milliseconds.

    `ingress_host` and `admin_host` are for ports that listen elsewhere than `host` says.
    """

    data: str = "rtour-data"
    ephemeral: bool = False
    check_data: str = "beside"
    dev_clock: bool = False
    host: str = "127.0.0.1"
    ingress_host: str | None = None
    admin_host: str | None = None
    ingress_port: int = 8080
    admin_port: int = 9070
    pg_port: int | None = 9071
    admin_token: Secret | None = None
    admin_token_file: str | None = None
    ingress_token: Secret | None = None
    ingress_token_file: str | None = None
    allow_unauthenticated: bool = False
    allowed_hosts: tuple[str, ...] = ()
    ingress_origins: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    deployment_ca_file: str | None = None
    redacted_headers: tuple[str, ...] = ()
    log_level: str = "info"
    log_format: str = "human"
    retry_initial_interval_ms: int = 500
    retry_exponentiation_factor: float = 2.0
    retry_max_interval_ms: int | None = 60_000
    retry_max_attempts: int | None = 70
    retry_on_max_attempts: str = "pause"
    inactivity_timeout_ms: int = 60_000
    abort_timeout_ms: int = 600_000
    idempotency_retention_ms: int = 86_400_000
    workflow_completion_retention_ms: int = 86_400_000
    journal_retention_ms: int = 86_400_000
    cleanup_interval_ms: int = 3_600_000
    disable_eager_state: bool = False
    protocol_v7: bool = False
    request_identity_key_file: str | None = None
    lambda_endpoint: str | None = None
    tracing_endpoint: str | None = None
    tracing_headers: Secret | None = None
    tracing_sample_ratio: float = 1.0
    tracing_resource_attributes: str | None = None
    kafka_clusters: tuple[Cluster, ...] = ()
    query_timeout_ms: int = 60_000
    query_rows_max: int = 10_000_000
    shutdown_timeout_ms: int = 5_000
    limits: Limits = Limits()


# Setting → the official server's variable of the same meaning.
OFFICIAL: dict[str, str] = {
    "data": "RESTATE_BASE_DIR",
    "log_level": "RESTATE_LOG_FILTER",
    "log_format": "RESTATE_LOG_FORMAT",
    "retry_initial_interval_ms": "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL",
    "retry_exponentiation_factor": "RESTATE_DEFAULT_RETRY_POLICY__EXPONENTIATION_FACTOR",
    "retry_max_interval_ms": "RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL",
    "retry_max_attempts": "RESTATE_DEFAULT_RETRY_POLICY__MAX_ATTEMPTS",
    "retry_on_max_attempts": "RESTATE_DEFAULT_RETRY_POLICY__ON_MAX_ATTEMPTS",
    "inactivity_timeout_ms": "RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT",
    "abort_timeout_ms": "RESTATE_WORKER__INVOKER__ABORT_TIMEOUT",
    "idempotency_retention_ms": "RESTATE_DEFAULT_IDEMPOTENCY_RETENTION",
    "workflow_completion_retention_ms": "RESTATE_DEFAULT_WORKFLOW_COMPLETION_RETENTION",
    "journal_retention_ms": "RESTATE_DEFAULT_JOURNAL_RETENTION",
    "cleanup_interval_ms": "RESTATE_WORKER__CLEANUP_INTERVAL",
    "disable_eager_state": "RESTATE_WORKER__INVOKER__DISABLE_EAGER_STATE",
    "protocol_v7": "RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7",
    "request_identity_key_file": "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE",
    "lambda_endpoint": "AWS_ENDPOINT_URL_LAMBDA",  # AWS's own, which the official server heeds
    "tracing_endpoint": "RESTATE_TRACING_ENDPOINT",
    "tracing_resource_attributes": "OTEL_RESOURCE_ATTRIBUTES",
    "kafka_clusters": "RESTATE_INGRESS__KAFKA_CLUSTERS",
}
# The official server binds each port by an address of its own, `host:port`.
OFFICIAL_ADDRESSES = {
    "ingress": "RESTATE_INGRESS__BIND_ADDRESS",
    "admin": "RESTATE_ADMIN__BIND_ADDRESS",
}
# Settings that can be none, and the words for it.
_NOTHING: dict[str, tuple[str, ...]] = {
    "retry_max_attempts": ("unlimited", "none"),
    "retry_max_interval_ms": ("unlimited", "none"),
    "pg_port": ("off", "none"),
}


def load(
    environment: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from all sources; a flag that is None was not given.

    Raises ConfigError for a value that does not parse, a key that does not exist, a missing file.
    """
    values: dict[str, Any] = {}
    if file is None and "RTOUR_CONFIG" in environment:
        file = Path(environment["RTOUR_CONFIG"])
    if file is not None:
        values |= _from_file(file)
    values |= _from_official(environment)
    for name in Settings.__struct_fields__:
        variable = f"RTOUR_{name.removesuffix('_ms').upper()}"
        if name != "limits" and variable in environment:
            values[name] = _parse(name, environment[variable], variable)
    for name, value in (flags or {}).items():
        if value is not None:
            flag = f"--{name.replace('_', '-')}"
            values[name] = _parse(name, value, flag) if isinstance(value, str) else value
    return _checked(replace(Settings(), **values))


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, value in _flattened(table, path).items():
        name = _setting(key)
        if name is None:
            known = ", ".join(field.removesuffix("_ms") for field in Settings.__struct_fields__)
            raise ConfigError(f"{path}: there is no setting '{key}'; there are: {known}")
        if name == "limits":
            values[name] = _limits(value, path)
        elif name == "kafka_clusters":
            values[name] = _clusters(configured.read, value, f"{path}: {key}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            values[name] = _parse(name, text, f"{path}: {key}")
    return values


def _flattened(table: dict[str, Any], path: Path) -> dict[str, Any]:
    """The file's keys; clusters may stand where the official server has them."""
    ingress = table.pop("ingress", {})
    clusters = ingress.pop("kafka-clusters", None) if isinstance(ingress, dict) else None
    if ingress:
        raise ConfigError(f"{path}: of [ingress], expected kafka-clusters alone")
    return table if clusters is None else {**table, "kafka_clusters": clusters}


def _clusters(
    read: Callable[[Any], tuple[Cluster, ...]], value: object, where: str
) -> tuple[Cluster, ...]:
    try:
        return read(value)
    except configured.BadClusters as error:
        raise ConfigError(f"{where}: {error}") from error


def _limits(value: object, path: Path) -> Limits:
    try:
        return msgspec.convert(value, Limits)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: limits: {error}") from error


def _setting(key: str) -> str | None:
    """The field for a key of the file, with or without its unit, with - or _."""
    key = key.replace("-", "_")
    for name in (key, f"{key}_ms"):
        if name in Settings.__struct_fields__:
            return name
    return None


def _from_official(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, variable in OFFICIAL.items():
        if variable in environment:
            text = environment[variable]
            if name == "log_format" and text in {"pretty", "compact"}:
                text = "human"
            values[name] = _parse(name, text, variable)
    if "RESTATE_BIND_IP" in environment:
        values["host"] = environment["RESTATE_BIND_IP"]
    for front, variable in OFFICIAL_ADDRESSES.items():
        if variable in environment:
            host, _, port = environment[variable].rpartition(":")
            values[f"{front}_port"] = _parse(f"{front}_port", port, variable)
            if host:
                values[f"{front}_host"] = host.strip("[]")
    return values


def _parse(name: str, text: str, where: str) -> Any:
    """A setting's value from text, by the type and unit of its field."""
    default = getattr(Settings(), name)
    text = text.strip()
    try:
        if text.lower() in _NOTHING.get(name, ()):
            return None
        if name.endswith("_ms"):
            return parse_duration(text)
        if name.endswith("_token") or name == "tracing_headers":
            return Secret(text) if text else None
        if name == "kafka_clusters":
            return _clusters(configured.parse, text, where)
        if isinstance(default, tuple):
            return tuple(part for part in text.replace(",", " ").split())
        if isinstance(default, bool):
            return _flag(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, int):
            return int(text)
    except (ValueError, DurationError) as error:
        raise ConfigError(f"{where}: cannot use '{text}' for {name}: {error}") from error
    return text


def _flag(text: str) -> bool:
    lowered = text.lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected true or false")


def _checked(settings: Settings) -> Settings:
    """The settings, if they make sense together."""
    for name in ("ingress_port", "admin_port", "pg_port"):
        port = getattr(settings, name)
        if port is not None and not 0 <= port <= 65535:
            raise ConfigError(f"{name}: {port} is no port, expected 0 to 65535")
    if not settings.retry_exponentiation_factor >= 0:  # as it is with NaN
        factor = settings.retry_exponentiation_factor
        raise ConfigError(f"retry_exponentiation_factor: expected 0 or more, got {factor:g}")
    if settings.retry_on_max_attempts not in {"pause", "kill"}:
        raise ConfigError(
            f"retry_on_max_attempts: expected pause or kill, got '{settings.retry_on_max_attempts}'"
        )
    if not 0 <= settings.tracing_sample_ratio <= 1:
        ratio = settings.tracing_sample_ratio
        raise ConfigError(f"tracing_sample_ratio: expected 0 to 1, got {ratio:g}")
    if settings.check_data not in {"beside", "first", "never"}:
        raise ConfigError(
            f"check_data: expected beside, first or never, got '{settings.check_data}'"
        )
    try:
        log_levels.parse(settings.log_level)
    except log_levels.BadLevels as error:
        raise ConfigError(f"log_level: {error}") from error
    if settings.log_format not in {"human", "json"}:
        raise ConfigError(f"log_format: expected human or json, got '{settings.log_format}'")
    return settings
