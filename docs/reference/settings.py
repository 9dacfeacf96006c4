"""Write reference/settings.md from the server's settings.

    python docs/reference/settings.py

tests/docs/test_settings_page.py fails while the page is not what this prints.
"""

from __future__ import annotations

from pathlib import Path

from rtour.cli.foreground import SWITCHES, VALUES
from rtour.server.durations import friendly
from rtour.server.settings import OFFICIAL, Limits, Settings

PAGE = Path(__file__).with_suffix(".md")

HEAD = """\
# Settings of the server

<!-- Written by docs/reference/settings.py from src/rtour/server/settings.py: do not edit. -->

A flag wins over its `RTOUR_*` variable, that over the official server's variable of the same
meaning, that over the TOML file named by `--config` or `RTOUR_CONFIG` (keys as in the first
column), and that over the default. Durations are written like `500ms`, `10s`, `1h 30m`, or in
ISO 8601. The official `RESTATE_INGRESS__BIND_ADDRESS`, `RESTATE_ADMIN__BIND_ADDRESS`
(`host:port`) and `RESTATE_BIND_IP` are understood too.

Deployments at `https://` addresses need a certificate that the machine trusts. `SSL_CERT_FILE` or
`SSL_CERT_DIR`, as everywhere with OpenSSL, name other authorities, or a self-signed certificate;
`deployment_ca_file` does so for this server alone. What the tokens, names and origins are for is
in [Security](../security.md).

| setting | default | what it does | flag | official variable |
|---|---|---|---|---|
"""

MEANING = {
    "data": "folder of everything durable; one server at a time",
    "ephemeral": "keep nothing: a temporary folder, no waiting for the disk",
    "check_data": "when a large data file is checked: `beside` the server, `first`, or `never`",
    "dev_clock": "let `rtour time` skip and stop the server's clock; for development only",
    "host": "address to listen on",
    "ingress_host": "address of the ingress port, if another",
    "admin_host": "address of the admin port, if another",
    "ingress_port": "port for clients of services",
    "admin_port": "port for operators, CLI and UI",
    "pg_port": "port for psql and other PostgreSQL clients; `off` for none",
    "admin_token": "bearer token of the admin port, and password of the psql port",
    "admin_token_file": "file with such tokens, one a line",
    "ingress_token": "bearer token of the ingress port",
    "ingress_token_file": "file with such tokens, one a line",
    "allow_unauthenticated": "listen beyond loopback without tokens",
    "allowed_hosts": "names that clients without a token may use for this server; `*` for any",
    "ingress_origins": "web origins that may call the ingress; `*` for any",
    "tls_cert": "PEM file: certificate chain of the ingress, admin and psql ports",
    "tls_key": "PEM file: the certificate's private key",
    "deployment_ca_file": "PEM file: authorities for `https://` deployments, not the machine's",
    "redacted_headers": "further headers whose values no log may show",
    "log_level": "debug (every step), info, warn, error or off, and by subject: "
    "`info,rtour.kafka=debug`; see [logs](../logs.md)",
    "log_format": "human or json",
    "retry_initial_interval": "wait after the first failed attempt",
    "retry_exponentiation_factor": "by which each wait is longer than the one before",
    "retry_max_interval": "longest wait, or `unlimited`",
    "retry_max_attempts": "attempts, the first one counted, or `unlimited`",
    "retry_on_max_attempts": "then pause, or kill",
    "inactivity_timeout": "silence after which a service is asked to suspend; 0 asks at once",
    "abort_timeout": "further silence after which an attempt is broken off",
    "idempotency_retention": "how long results are kept for repeated requests",
    "workflow_completion_retention": "how long a workflow's result, state and promises are kept",
    "journal_retention": "how long journals are kept after the end; 0 keeps none",
    "cleanup_interval": "how often what is past its retention is removed",
    "disable_eager_state": "send no state with an attempt; handlers ask for each key",
    "protocol_v7": "speak service protocol 7 with deployments that do, instead of 6",
    "request_identity_key_file": "ed25519 private key (PKCS#8 PEM) that signs calls to services",
    "lambda_endpoint": "where AWS Lambda is, for deployments that are ARNs: `rtour lambda-local`, "
    "or another URL of Lambda's; see [functions](../functions.md)",
    "tracing_endpoint": "where spans go: `http://host:4317` for OTLP over gRPC, `otlp+http://` or "
    "`otlp+json+http://` for HTTP; see [tracing](../tracing.md)",
    "tracing_headers": "headers for the collector, `name=value,name=value`, values percent-encoded",
    "tracing_sample_ratio": "share of new traces to record, 0 to 1; clients' decisions are kept",
    "tracing_resource_attributes": "who the spans are from, `service.name=…,…`",
    "kafka_clusters": 'Kafka clusters, `[{name="main",brokers=["localhost:9092"]}]`; in the '
    "file, tables `[[ingress.kafka-clusters]]`; see [Kafka](../kafka.md)",
    "query_timeout": "longest time an SQL statement may run",
    "query_rows_max": "most rows an SQL statement may return",
    "shutdown_timeout": "how long running requests and attempts may take to end on a stop",
    "message_bytes_max": "largest request body, and message of a service",
    "eager_state_bytes_max": "most state sent with an attempt; the rest is asked for",
    "concurrent_attempts": "attempts of a deployment that run at once; more wait as `ready`",
    "pending_requests": "requests that wait for an answer at once; more get a 429",
    "outgoing_bytes_max": "state and journals on their way to services, all together; half of it "
    "for one deployment",
    "unread_replies_bytes_max": "replies that the clients of a port have not read, all together; "
    "beyond it large ones get a 503",
    "incoming_bytes_max": "messages of services that are being received, all together; half of it "
    "for one deployment",
}


def page() -> str:
    """The whole page."""
    flags = {name: flag for flag, name in {**VALUES, **SWITCHES}.items()}
    rows = []
    for field in Settings.__struct_fields__:
        if field == "limits":
            continue
        default = getattr(Settings(), field)
        shown = friendly(default) if field.endswith("_ms") and default is not None else default
        official = OFFICIAL.get(field)
        rows.append(_row(field.removesuffix("_ms"), shown, flags.get(field), official))
    rows += [
        _row(field, getattr(Limits(), field), None, None, inside="limits.")
        for field in Limits.__struct_fields__
    ]
    return HEAD + "".join(rows)


def _row(
    name: str, default: object, flag: str | None, official: str | None, inside: str = ""
) -> str:
    shown = "" if default is None or default == () else f"`{str(default).lower()}`"
    cells = [f"`{inside}{name}`", shown, MEANING[name]]
    cells += [f"`{cell}`" if cell else "" for cell in (flag, official)]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
