"""What a handler's settings come to: handler over operator over service over server default."""

from __future__ import annotations

from rtour.engine.model import HandlerType, Target
from rtour.protocol import discovery
from rtour.protocol.discovery import InputRules, OnMaxAttempts, OutputRules, resolve_handler_type
from rtour.server.catalog import (
    Deployment,
    HandlerMeta,
    ServiceDefaults,
    ServiceMeta,
    ServiceRevision,
)
from rtour.server.retries import RetryPolicy

Options = discovery.Service | discovery.Handler


def service_setting(service: ServiceRevision, defaults: ServiceDefaults, name: str) -> int:
    """One of the settings in milliseconds that services and the server have."""
    for source in (service.changes, service.manifest):
        value = getattr(source, name, None)
        if value is not None:
            return int(value)
    return int(getattr(defaults, name))


def service_meta(
    deployment: Deployment, service: ServiceRevision, defaults: ServiceDefaults
) -> ServiceMeta:
    handlers = {
        handler.name: handler_meta(deployment, service, handler, defaults)
        for handler in service.manifest.handlers
    }
    return ServiceMeta(
        service.name,
        service.service_type,
        service.public,
        deployment.id,
        service.revision,
        handlers,
    )


def handler_meta(
    deployment: Deployment,
    service: ServiceRevision,
    handler: discovery.Handler,
    defaults: ServiceDefaults,
) -> HandlerMeta:
    def setting(name: str) -> int:
        own = getattr(handler, name, None)
        return service_setting(service, defaults, name) if own is None else int(own)

    lazy = handler.enable_lazy_state
    return HandlerMeta(
        service=service.name,
        handler=handler.name,
        service_type=service.service_type,
        handler_type=handler_type(service, handler),
        deployment_id=deployment.id,
        revision=service.revision,
        public=service.public and not handler.ingress_private,
        idempotency_retention_ms=setting("idempotency_retention_ms"),
        workflow_completion_retention_ms=setting("workflow_completion_retention_ms"),
        journal_retention_ms=setting("journal_retention_ms"),
        inactivity_timeout_ms=setting("inactivity_timeout_ms"),
        abort_timeout_ms=setting("abort_timeout_ms"),
        lazy_state=bool(service.manifest.enable_lazy_state if lazy is None else lazy),
        retry=merge_retry(merge_retry(defaults.retry, service.manifest), handler),
        input=InputRules.of(handler.input),
        output=OutputRules.of(handler.output),
    )


def handler_type(service: ServiceRevision, handler: discovery.Handler) -> HandlerType | None:
    resolved = resolve_handler_type(service.manifest.ty, handler.ty)
    return None if resolved is None else HandlerType(resolved.value.lower())


def merge_retry(policy: RetryPolicy, options: Options) -> RetryPolicy:
    """The policy with the fields that the options set."""
    factor = options.retry_policy_exponentiation_factor
    initial = options.retry_policy_initial_interval_ms
    longest = options.retry_policy_max_interval_ms
    attempts = options.retry_policy_max_attempts
    at_end = options.retry_policy_on_max_attempts
    return RetryPolicy(
        initial_interval_ms=policy.initial_interval_ms if initial is None else initial,
        exponentiation_factor=policy.exponentiation_factor if factor is None else factor,
        max_interval_ms=policy.max_interval_ms if longest is None else longest,
        max_attempts=policy.max_attempts if attempts is None else attempts,
        pause_on_max=policy.pause_on_max if at_end is None else at_end is OnMaxAttempts.PAUSE,
    )


def retention(meta: HandlerMeta, idempotency_key: str | None, target: Target) -> tuple[int, int]:
    """How long the result and the journal of a new invocation are kept, in ms (§5.3)."""
    journal_ms = meta.journal_retention_ms
    if target.is_workflow_run:
        completion_ms = meta.workflow_completion_retention_ms
    elif idempotency_key is not None:
        completion_ms = meta.idempotency_retention_ms
    else:
        return journal_ms, journal_ms
    return completion_ms, min(journal_ms, completion_ms)
