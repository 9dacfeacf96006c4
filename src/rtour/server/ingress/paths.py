"""The grammar of ingress paths: segments are compared as sent, only keys are decoded."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from rtour.server.catalog import ServiceMeta
from rtour.server.ingress.replies import IngressError
from rtour.server.registry import Registry

SLASHES: Final = range(2, 8)

CLASSIC_FORM: Final = (
    "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler"
)
NEW_FORM: Final = (
    "bad path, expected /restate/call/:service/:handler, /restate/send/:service/:handler, "
    "/restate/scope/:scope/call/:service/:handler, /restate/attach/:invocation_id, "
    "/restate/output/:invocation_id, or /restate/lookup"
)
INVOCATION_FORM: Final = (
    "bad path, expected either /restate/invocation/:invocation_id/output or "
    "/restate/invocation/:invocation_id/attach or "
    "/restate/invocation/:invocation_target/:idempotency_key/output or "
    "/restate/invocation/:invocation_target/:idempotency_key/attach"
)
WORKFLOW_FORM: Final = (
    "bad path, expected either /restate/workflow/:workflow_name/:workflow_key/output or "
    "/restate/workflow/:workflow_name/:workflow_key/attach"
)
AWAKEABLE_FORM: Final = (
    "bad path, expected either /restate/awakeables/:id/resolve or /restate/awakeables/:id/reject"
)


def segments(path: str) -> list[str]:
    """The parts between the slashes."""
    trimmed = path.rstrip("/")
    if trimmed.count("/") not in SLASHES and not trimmed.startswith("/restate/health"):
        raise IngressError(400, f"bad path: {path}")
    return trimmed.split("/")[1:]


def service_at(registry: Registry, name: str) -> ServiceMeta:
    service = registry.service(name)
    if service is None:
        raise IngressError(
            404, f"service '{name}' not found, make sure to register the service before calling it."
        )
    return service


def decode_key(segment: str) -> str:
    """A key from its percent-encoded form; the refusal is worded as Rust words it."""
    if "%" not in segment:
        return segment
    raw = unquote_to_bytes(segment)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        length = (
            "None"
            if error.reason == "unexpected end of data"
            else f"Some({error.end - error.start})"
        )
        raise IngressError(
            400,
            f"bad path, cannot decode key: FromUtf8Error {{ bytes: {list(raw)}, error: "
            f"Utf8Error {{ valid_up_to: {error.start}, error_len: {length} }} }}",
        ) from error
