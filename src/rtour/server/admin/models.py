"""What the admin API answers (http-api.md B4). UNSET fields are left out, None is null."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from rtour.engine.model import HandlerType, ServiceType
from rtour.protocol import discovery
from rtour.protocol.discovery import OnMaxAttempts, ProtocolMode
from rtour.server.catalog import Deployment, ServiceDefaults, ServiceRevision
from rtour.server.durations import friendly
from rtour.server.instants import rfc3339_nanos
from rtour.server.kafka.reader import Reading
from rtour.server.registration import type_name
from rtour.server.retries import RetryPolicy
from rtour.server.service_config import handler_type, merge_retry, service_setting

_PROTOCOL_TYPES = {
    ProtocolMode.BIDI_STREAM: "BidiStream",
    ProtocolMode.REQUEST_RESPONSE: "RequestResponse",
}


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


class ErrorDescription(Model, frozen=True, kw_only=True):
    message: str
    restate_code: str | None = None


class ServiceRetryPolicy(Model, frozen=True, kw_only=True):
    initial_interval: str
    exponentiation_factor: float
    max_attempts: int | None
    max_interval: str | UnsetType = UNSET
    on_max_attempts: str


class HandlerRetryPolicy(Model, frozen=True, kw_only=True):
    """Only what the handler says itself."""

    initial_interval: str | UnsetType = UNSET
    exponentiation_factor: float | UnsetType = UNSET
    max_attempts: int | None = None
    max_interval: str | UnsetType = UNSET
    on_max_attempts: str | UnsetType = UNSET


class HandlerMetadata(Model, frozen=True, kw_only=True):
    name: str
    ty: str | UnsetType = UNSET
    documentation: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    idempotency_retention: str | UnsetType = UNSET
    workflow_completion_retention: str | UnsetType = UNSET
    journal_retention: str | UnsetType = UNSET
    inactivity_timeout: str | UnsetType = UNSET
    abort_timeout: str | UnsetType = UNSET
    enable_lazy_state: bool | UnsetType = UNSET
    public: bool
    input_description: str
    output_description: str
    input_json_schema: Any = UNSET
    output_json_schema: Any = UNSET
    retry_policy: HandlerRetryPolicy


class ServiceMetadata(Model, frozen=True, kw_only=True):
    name: str
    ty: str
    handlers: list[HandlerMetadata]
    documentation: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    deployment_id: str
    revision: int
    public: bool
    idempotency_retention: str
    workflow_completion_retention: str | UnsetType = UNSET
    journal_retention: str
    inactivity_timeout: str
    abort_timeout: str
    enable_lazy_state: bool
    retry_policy: ServiceRetryPolicy


class ServiceNameRevision(Model, frozen=True, kw_only=True):
    name: str
    revision: int


class DeploymentFields(Model, frozen=True, kw_only=True):
    id: str
    uri: str | UnsetType = UNSET
    arn: str | UnsetType = UNSET
    assume_role_arn: str | UnsetType = UNSET
    compression: str | UnsetType = UNSET
    protocol_type: str | UnsetType = UNSET
    http_version: str | UnsetType = UNSET
    additional_headers: dict[str, str] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    created_at: str
    min_protocol_version: int
    max_protocol_version: int
    sdk_version: str | UnsetType = UNSET


class DeploymentSummary(DeploymentFields, frozen=True, kw_only=True):
    services: list[ServiceNameRevision]


class DeploymentDetail(DeploymentFields, frozen=True, kw_only=True):
    services: list[ServiceMetadata]


class Deployments(Model, frozen=True, kw_only=True):
    deployments: list[DeploymentSummary]


class Registered(Model, frozen=True, kw_only=True):
    id: str
    services: list[ServiceMetadata]
    min_protocol_version: int
    max_protocol_version: int
    sdk_version: str | UnsetType = UNSET


class Services(Model, frozen=True, kw_only=True):
    services: list[ServiceMetadata]


class Handlers(Model, frozen=True, kw_only=True):
    handlers: list[HandlerMetadata]


class ClockReading(Model, frozen=True, kw_only=True):
    """A clock that is or could be driven. `mode` is `running`, `auto`, `frozen`, or `off` where
    there is only the machine's.
    """

    mode: str
    now: str
    offset_ms: int


class DueNext(Model, frozen=True, kw_only=True):
    """What is waited for next: a `sleep`, a `start` of a delayed invocation, or a `retry`."""

    at: str
    in_ms: int
    what: str
    invocation_id: str


class TimeInformation(ClockReading, frozen=True, kw_only=True):
    next: DueNext | None


class TimeMoved(TimeInformation, frozen=True, kw_only=True):
    """After a change: how far it moved the clock, and how many timers and retries it made due."""

    moved_ms: int
    timers: int
    retries: int


class VersionInformation(Model, frozen=True, kw_only=True):
    version: str
    min_admin_api_version: int
    max_admin_api_version: int
    ingress_endpoint: str | UnsetType = UNSET
    features: dict[str, bool]
    clock: ClockReading | UnsetType = UNSET


class Restarted(Model, frozen=True, kw_only=True):
    new_invocation_id: str


class RestartedOne(Model, frozen=True, kw_only=True):
    old_invocation_id: str
    new_invocation_id: str


class FailedOne(Model, frozen=True, kw_only=True):
    invocation_id: str
    error: str


class BatchResult(Model, frozen=True, kw_only=True):
    succeeded: list[Any]
    failed: list[FailedOne]


class SubscriptionReadings(Model, frozen=True, kw_only=True):
    readings: list[Reading]


# --- from the catalog ----------------------------------------------------------------------------


def deployment_summary(deployment: Deployment) -> DeploymentSummary:
    services = [
        ServiceNameRevision(name=service.name, revision=service.revision)
        for service in deployment.services
    ]
    return DeploymentSummary(**_fields(deployment), services=services)


def deployment_detail(deployment: Deployment, defaults: ServiceDefaults) -> DeploymentDetail:
    return DeploymentDetail(**_fields(deployment), services=_services(deployment, defaults))


def registered(deployment: Deployment, defaults: ServiceDefaults) -> Registered:
    return Registered(
        id=deployment.id,
        services=_services(deployment, defaults),
        min_protocol_version=deployment.min_protocol_version,
        max_protocol_version=deployment.max_protocol_version,
        sdk_version=deployment.sdk_version or UNSET,
    )


def _fields(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        **_address(deployment),
        "additional_headers": deployment.additional_headers or UNSET,
        "metadata": deployment.metadata or UNSET,
        "created_at": rfc3339_nanos(deployment.created_at),
        "min_protocol_version": deployment.min_protocol_version,
        "max_protocol_version": deployment.max_protocol_version,
        "sdk_version": deployment.sdk_version or UNSET,
    }


def _address(deployment: Deployment) -> dict[str, Any]:
    if deployment.endpoint.is_lambda:
        return {
            "arn": deployment.uri,
            "assume_role_arn": _or_unset(deployment.assume_role_arn),
            "compression": "Zstd" if deployment.zstd else UNSET,
        }
    return {
        "uri": deployment.uri,
        "protocol_type": _PROTOCOL_TYPES[deployment.protocol_mode],
        "http_version": deployment.http_version,
    }


def _services(deployment: Deployment, defaults: ServiceDefaults) -> list[ServiceMetadata]:
    return [service_metadata(deployment, one, defaults) for one in deployment.services]


def service_metadata(
    deployment: Deployment, service: ServiceRevision, defaults: ServiceDefaults
) -> ServiceMetadata:
    manifest = service.manifest

    def setting(name: str) -> str:
        return friendly(service_setting(service, defaults, f"{name}_ms"))

    is_workflow = service.service_type is ServiceType.WORKFLOW
    return ServiceMetadata(
        name=service.name,
        ty=type_name(service.service_type),
        handlers=[handler_metadata(service, handler) for handler in manifest.handlers],
        documentation=_or_unset(manifest.documentation),
        metadata=manifest.metadata or UNSET,
        deployment_id=deployment.id,
        revision=service.revision,
        public=service.public,
        idempotency_retention=setting("idempotency_retention"),
        workflow_completion_retention=_workflow_retention(service, defaults)
        if is_workflow
        else UNSET,
        journal_retention=setting("journal_retention"),
        # Request/response never has an open request to be inactive in.
        inactivity_timeout=setting("inactivity_timeout")
        if deployment.protocol_mode is ProtocolMode.BIDI_STREAM
        else "0s",
        abort_timeout=setting("abort_timeout"),
        enable_lazy_state=bool(manifest.enable_lazy_state),
        retry_policy=_service_retry(merge_retry(defaults.retry, manifest)),
    )


def _workflow_retention(service: ServiceRevision, defaults: ServiceDefaults) -> str:
    """What the workflow handler says, or else the service."""
    for handler in service.manifest.handlers:
        if handler_type(service, handler) is HandlerType.WORKFLOW:
            own = handler.workflow_completion_retention_ms
            if own is not None:
                return friendly(own)
    return friendly(service_setting(service, defaults, "workflow_completion_retention_ms"))


def _service_retry(policy: RetryPolicy) -> ServiceRetryPolicy:
    longest = policy.max_interval_ms
    return ServiceRetryPolicy(
        initial_interval=friendly(policy.initial_interval_ms),
        exponentiation_factor=policy.exponentiation_factor,
        max_attempts=policy.max_attempts,
        max_interval=UNSET if longest is None else friendly(longest),
        on_max_attempts="Pause" if policy.pause_on_max else "Kill",
    )


def handler_metadata(service: ServiceRevision, handler: discovery.Handler) -> HandlerMetadata:
    kind = handler_type(service, handler)
    return HandlerMetadata(
        name=handler.name,
        ty=UNSET if kind is None else kind.value.capitalize(),
        documentation=_or_unset(handler.documentation),
        metadata=handler.metadata or UNSET,
        idempotency_retention=_friendly(handler.idempotency_retention_ms),
        workflow_completion_retention=_friendly(handler.workflow_completion_retention_ms),
        journal_retention=_friendly(handler.journal_retention_ms),
        inactivity_timeout=_friendly(handler.inactivity_timeout_ms),
        abort_timeout=_friendly(handler.abort_timeout_ms),
        enable_lazy_state=_or_unset(handler.enable_lazy_state),
        public=service.public and not handler.ingress_private,
        input_description=discovery.input_description(handler),
        output_description=discovery.output_description(handler),
        input_json_schema=_schema(handler.input),
        output_json_schema=_schema(handler.output),
        retry_policy=_handler_retry(handler),
    )


def _handler_retry(handler: discovery.Handler) -> HandlerRetryPolicy:
    at_end = handler.retry_policy_on_max_attempts
    return HandlerRetryPolicy(
        initial_interval=_friendly(handler.retry_policy_initial_interval_ms),
        exponentiation_factor=_or_unset(handler.retry_policy_exponentiation_factor),
        max_attempts=handler.retry_policy_max_attempts,
        max_interval=_friendly(handler.retry_policy_max_interval_ms),
        on_max_attempts=UNSET
        if at_end is None
        else ("Pause" if at_end is OnMaxAttempts.PAUSE else "Kill"),
    )


def _schema(payload: discovery.InputPayload | discovery.OutputPayload | None) -> Any:
    return UNSET if payload is None or payload.json_schema is None else payload.json_schema


def _friendly(ms: int | None) -> str | UnsetType:
    return UNSET if ms is None else friendly(ms)


def _or_unset(value: Any) -> Any:
    return UNSET if value is None else value
