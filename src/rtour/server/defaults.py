"""Parts of the settings, in the shape of the rooms that go by them."""

from __future__ import annotations

from rtour.server.catalog import ServiceDefaults
from rtour.server.retries import RetryPolicy
from rtour.server.routes import RouteSettings
from rtour.server.settings import Settings


def defaults(settings: Settings) -> ServiceDefaults:
    """What holds for services that do not say otherwise."""
    return ServiceDefaults(
        retry=RetryPolicy(
            initial_interval_ms=settings.retry_initial_interval_ms,
            exponentiation_factor=settings.retry_exponentiation_factor,
            max_interval_ms=settings.retry_max_interval_ms,
            max_attempts=settings.retry_max_attempts,
            pause_on_max=settings.retry_on_max_attempts == "pause",
        ),
        inactivity_timeout_ms=settings.inactivity_timeout_ms,
        abort_timeout_ms=settings.abort_timeout_ms,
        idempotency_retention_ms=settings.idempotency_retention_ms,
        workflow_completion_retention_ms=settings.workflow_completion_retention_ms,
        journal_retention_ms=settings.journal_retention_ms,
    )


def route_settings(settings: Settings, cluster_name: str) -> RouteSettings:
    return RouteSettings(
        cluster_name=cluster_name,
        protocol_version=7 if settings.protocol_v7 else 6,
        eager_state=not settings.disable_eager_state,
    )
