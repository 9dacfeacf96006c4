"""The answer to discovery: what services there are, in the oldest form that says all (§1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from rtour.sdk.services import AnyService

MIN_PROTOCOL: Final = 5
MAX_PROTOCOL: Final = 7
VERSIONS: Final = (5, 4, 3, 2)

_SINCE: Final = {
    "inactivityTimeout": 3,
    "abortTimeout": 3,
    "journalRetention": 3,
    "idempotencyRetention": 3,
    "workflowCompletionRetention": 3,
    "enableLazyState": 3,
    "ingressPrivate": 3,
    "retryPolicyInitialInterval": 4,
    "retryPolicyExponentiationFactor": 4,
    "retryPolicyMaxInterval": 4,
    "retryPolicyMaxAttempts": 4,
    "retryPolicyOnMaxAttempts": 4,
    "eagerStateKeysWhitelist": 5,
}

Mode = Literal["bidi", "request_response"]
_MODES: Final = {"bidi": "BIDI_STREAM", "request_response": "REQUEST_RESPONSE"}


class UnsupportedOptionError(Exception):
    """An option is used that this server does not know."""


def content_type(version: int) -> str:
    return f"application/vnd.restate.endpointmanifest.v{version}+json"


def negotiate(accept: str | None) -> int | None:
    """The newest manifest version the server takes; None when we share none."""
    if not accept:
        return 2
    if "*/*" in accept:  # a person with curl
        return VERSIONS[0]
    return next((version for version in VERSIONS if content_type(version) in accept), None)


def build(services: Iterable[AnyService], version: int, mode: Mode) -> bytes:
    """The manifest as JSON; UnsupportedOptionError when an option needs a newer version."""
    manifest = {
        "protocolMode": _MODES[mode],
        "minProtocolVersion": MIN_PROTOCOL,
        "maxProtocolVersion": MAX_PROTOCOL,
        "services": [service.manifest() for service in services],
    }
    for place, field in _options(manifest):
        if _SINCE.get(field, 0) > version:
            raise UnsupportedOptionError(
                f"{place} sets {field}, which needs discovery protocol v{_SINCE[field]}; this "
                f"server speaks v{version}: update the server, or leave the option out."
            )
    return json.dumps(manifest).encode()


def _options(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for service in manifest["services"]:
        yield from ((service["name"], field) for field in service)
        for handler in service["handlers"]:
            place = f"{service['name']}/{handler['name']}"
            yield from ((place, field) for field in handler)
