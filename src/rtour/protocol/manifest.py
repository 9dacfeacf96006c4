"""The endpoint manifest as structs: what a deployment says it serves (service-protocol §1.2).

Shapes and single values are checked here, by their types; what several fields say together is
`manifest_checks`' business. One schema serves all manifest versions: the version only tells an
SDK which fields the server understands.

Every optional field is None when absent; on the wire null means the same.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, dataclass_transform

import msgspec
from msgspec import Meta

from rtour.errors import ManifestError

# \Z and not $, which would let a trailing newline through
ServiceName = Annotated[str, Meta(pattern=r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9._-]*\Z")]
HandlerName = Annotated[str, Meta(pattern=r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*\Z")]
Unsigned = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class ProtocolMode(enum.Enum):
    BIDI_STREAM = "BIDI_STREAM"
    REQUEST_RESPONSE = "REQUEST_RESPONSE"


class ServiceType(enum.Enum):
    SERVICE = "SERVICE"
    VIRTUAL_OBJECT = "VIRTUAL_OBJECT"
    WORKFLOW = "WORKFLOW"


class HandlerType(enum.Enum):
    EXCLUSIVE = "EXCLUSIVE"
    SHARED = "SHARED"
    WORKFLOW = "WORKFLOW"


class OnMaxAttempts(enum.Enum):
    PAUSE = "PAUSE"
    KILL = "KILL"


def wire_name(field: str) -> str:
    """`inactivity_timeout_ms` is `inactivityTimeout` on the wire."""
    first, *rest = field.removesuffix("_ms").split("_")
    return first + "".join(word.capitalize() for word in rest)


# mypy knows msgspec's structs as plain dataclasses: tell it what the options below mean
@dataclass_transform(frozen_default=True, kw_only_default=True)
class ManifestStruct(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename=wire_name,
):
    """A part of the manifest: strict to read, terse to write."""


class InputPayload(ManifestStruct, kw_only=True):
    """What a handler takes; without any field set, nothing at all."""

    required: bool | None = None
    content_type: str | None = None
    json_schema: Any = None


class OutputPayload(ManifestStruct, kw_only=True):
    """What a handler returns; without a content type, the response has none."""

    content_type: str | None = None
    set_content_type_if_empty: bool | None = None
    json_schema: Any = None


class Options(ManifestStruct, kw_only=True):
    """What services and handlers can both set; the handler's word goes first."""

    documentation: str | None = None
    metadata: dict[str, str] | None = None
    inactivity_timeout_ms: Unsigned | None = None
    abort_timeout_ms: Unsigned | None = None
    journal_retention_ms: Unsigned | None = None
    idempotency_retention_ms: Unsigned | None = None
    enable_lazy_state: bool | None = None
    ingress_private: bool | None = None
    retry_policy_initial_interval_ms: Unsigned | None = None
    retry_policy_max_interval_ms: Unsigned | None = None
    retry_policy_max_attempts: Unsigned | None = None
    retry_policy_exponentiation_factor: float | None = None
    retry_policy_on_max_attempts: OnMaxAttempts | None = None
    eager_state_keys_whitelist: tuple[str, ...] | None = None


class Handler(Options, kw_only=True):
    name: HandlerName
    ty: HandlerType | None = None
    input: InputPayload | None = None
    output: OutputPayload | None = None
    workflow_completion_retention_ms: Unsigned | None = None


class Service(Options, kw_only=True):
    name: ServiceName
    ty: ServiceType
    handlers: tuple[Handler, ...]


class Manifest(ManifestStruct, kw_only=True):
    protocol_mode: ProtocolMode | None = None
    min_protocol_version: Positive
    max_protocol_version: Positive
    services: tuple[Service, ...]
    lambda_compression: Literal["zstd"] | None = None


SINCE: dict[int, tuple[str, ...]] = {
    2: ("documentation", "metadata"),
    3: (
        "inactivity_timeout_ms",
        "abort_timeout_ms",
        "journal_retention_ms",
        "idempotency_retention_ms",
        "workflow_completion_retention_ms",
        "enable_lazy_state",
        "ingress_private",
    ),
    4: (
        "retry_policy_initial_interval_ms",
        "retry_policy_max_interval_ms",
        "retry_policy_max_attempts",
        "retry_policy_exponentiation_factor",
        "retry_policy_on_max_attempts",
    ),
    5: ("eager_state_keys_whitelist",),
}
"""The options a server of an older manifest version would refuse to read."""

_HANDLER_TYPES: dict[tuple[ServiceType, HandlerType | None], HandlerType | None] = {
    (ServiceType.SERVICE, None): None,
    (ServiceType.SERVICE, HandlerType.SHARED): None,
    (ServiceType.VIRTUAL_OBJECT, None): HandlerType.EXCLUSIVE,
    (ServiceType.VIRTUAL_OBJECT, HandlerType.EXCLUSIVE): HandlerType.EXCLUSIVE,
    (ServiceType.VIRTUAL_OBJECT, HandlerType.SHARED): HandlerType.SHARED,
    # Restate's schema text says WORKFLOW here, its server takes it as SHARED
    (ServiceType.WORKFLOW, None): HandlerType.SHARED,
    (ServiceType.WORKFLOW, HandlerType.SHARED): HandlerType.SHARED,
    (ServiceType.WORKFLOW, HandlerType.WORKFLOW): HandlerType.WORKFLOW,
}


def resolve_handler_type(service: ServiceType, handler: HandlerType | None) -> HandlerType | None:
    """What a handler is in its kind of service; None for those of plain services."""
    pair = service, handler
    if pair not in _HANDLER_TYPES:
        kind = "no type" if handler is None else handler.value
        raise ManifestError(f"a {service.value} cannot have a handler of {kind}", status=400)
    return _HANDLER_TYPES[pair]
