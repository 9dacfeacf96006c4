"""Discovery's public face: manifests to bytes and back, and who speaks which version (§1).

A server asks `GET /discover` with `accept_header()` and reads the answer with `parse_manifest`; an
SDK picks a version with `choose_manifest_version` and answers with `encode_manifest`. Both agree on
a protocol version with `choose_protocol_version`. No I/O here.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from rtour.errors import ManifestError
from rtour.protocol.manifest import (
    SINCE,
    Handler,
    HandlerType,
    InputPayload,
    Manifest,
    OnMaxAttempts,
    Options,
    OutputPayload,
    ProtocolMode,
    Service,
    ServiceType,
    resolve_handler_type,
    wire_name,
)
from rtour.protocol.manifest_checks import (
    MAX_PROTOCOL_VERSION,
    MIN_PROTOCOL_VERSION,
    check_protocol,
    check_service,
)
from rtour.protocol.payload_rules import InputRules, OutputRules
from rtour.unreadable import UNREADABLE

__all__ = [
    "MANIFEST_VERSIONS",
    "MAX_PROTOCOL_VERSION",
    "MIN_PROTOCOL_VERSION",
    "Handler",
    "HandlerType",
    "InputPayload",
    "InputRules",
    "Manifest",
    "OnMaxAttempts",
    "OutputPayload",
    "OutputRules",
    "ProtocolMode",
    "Service",
    "ServiceType",
    "accept_header",
    "choose_manifest_version",
    "choose_protocol_version",
    "encode_manifest",
    "input_description",
    "invocation_content_type",
    "invocation_version",
    "manifest_content_type",
    "output_description",
    "parse_manifest",
    "resolve_handler_type",
]

MANIFEST_VERSIONS: Final = range(1, 6)
_INVOCATION_PREFIX: Final = "application/vnd.restate.invocation.v"
_OptionsT = TypeVar("_OptionsT", bound=Options)
_DECODER: Final = msgspec.json.Decoder(Manifest)


# --- versions and their names ------------------------------------------------------------------


def manifest_content_type(version: int) -> str:
    return f"application/vnd.restate.endpointmanifest.v{version}+json"


def accept_header(highest: int = MANIFEST_VERSIONS[-1]) -> str:
    """What a server offers to read, oldest first."""
    return ", ".join(manifest_content_type(version) for version in range(1, highest + 1))


def choose_manifest_version(accept: str | None) -> int | None:
    """The version an SDK answers with: the highest offered; None: nothing in common (415).

    Without an Accept header Restate's Python SDK takes version 2, so do we.
    """
    if not accept:
        return 2
    offered = [v for v in MANIFEST_VERSIONS if manifest_content_type(v) in accept]
    return max(offered, default=None)


def choose_protocol_version(
    minimum: int, maximum: int, highest: int = MAX_PROTOCOL_VERSION
) -> int | None:
    """The highest version both sides speak; `highest` is the server's configured limit."""
    version = min(maximum, highest)
    return version if version >= max(minimum, MIN_PROTOCOL_VERSION) else None


def invocation_content_type(version: int) -> str:
    return f"{_INVOCATION_PREFIX}{version}"


def invocation_version(content_type: str | None) -> int | None:
    """The protocol version of an invocation's content type; None: none that we speak (415)."""
    for version in range(MIN_PROTOCOL_VERSION, MAX_PROTOCOL_VERSION + 1):
        if content_type == invocation_content_type(version):
            return version
    return None


# --- the server reads --------------------------------------------------------------------------


def parse_manifest(
    body: bytes, content_type: str | None, sdk: str | None = None, highest: int = 5
) -> Manifest:
    """A deployment's answer to discovery, valid; ManifestError says what is wrong with it.

    `sdk` is the answer's `x-restate-server`, `highest` the version that was offered.
    """
    if content_type not in {manifest_content_type(v) for v in range(1, highest + 1)}:
        raise ManifestError(
            f"bad discovery response: content-type {content_type!r} is none of "
            f"{accept_header(highest)}",
            "META0013",
        )
    try:
        manifest = _DECODER.decode(body)
    except UNREADABLE as error:
        raise ManifestError(f"cannot decode the manifest: {error}") from error
    check_protocol(manifest, sdk)
    for service in manifest.services:
        check_service(service)
    services = {service.name: _normal_service(service) for service in manifest.services}
    return msgspec.structs.replace(manifest, services=tuple(services.values()))


def _normal_service(service: Service) -> Service:
    """Of two handlers with one name the last wins, as of two services."""
    handlers = {handler.name: _normal_attempts(handler) for handler in service.handlers}
    return msgspec.structs.replace(_normal_attempts(service), handlers=tuple(handlers.values()))


def _normal_attempts(options: _OptionsT) -> _OptionsT:
    """The first attempt is counted, so there is no fewer than one."""
    if options.retry_policy_max_attempts == 0:
        return msgspec.structs.replace(options, retry_policy_max_attempts=1)
    return options


def input_description(handler: Handler) -> str:
    """A handler's input, as the admin API words it."""
    return InputRules.of(handler.input).description


def output_description(handler: Handler) -> str:
    """A handler's output, as the admin API words it."""
    return OutputRules.of(handler.output).description


# --- the SDK writes ----------------------------------------------------------------------------


def encode_manifest(manifest: Manifest, version: int) -> bytes:
    """The body of an SDK's answer; ManifestError if it says what that version cannot."""
    for service in manifest.services:
        _refuse_newer(service, f"service '{service.name}'", version)
        for handler in service.handlers:
            _refuse_newer(handler, f"handler '{service.name}/{handler.name}'", version)
    if version < 4:  # an offer, not a demand: an older server loses nothing
        manifest = msgspec.structs.replace(manifest, lambda_compression=None)
    return msgspec.json.encode(manifest)


def _refuse_newer(options: Options, owner: str, version: int) -> None:
    for since, fields in SINCE.items():
        for field in fields:
            if since > version and getattr(options, field, None) is not None:
                raise ManifestError(
                    f"{owner} sets {wire_name(field)}, which needs discovery version {since}; "
                    f"the server asked for {version}: upgrade it or leave the option out"
                )
