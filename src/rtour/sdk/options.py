"""What can be set per service and per handler, and how the manifest spells it (§1.2, §2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal


@dataclass(frozen=True)
class InvocationRetryPolicy:
    """How the server retries failed attempts; what is None is the server's choice.

    `max_attempts` counts the first attempt. `on_max_attempts`: pause the invocation (it can be
    resumed by hand) or kill it (it completes with the last failure).
    """

    initial_interval: timedelta | None = None
    exponentiation_factor: float | None = None
    max_interval: timedelta | None = None
    max_attempts: int | None = None
    on_max_attempts: Literal["pause", "kill"] | None = None


@dataclass(frozen=True)
class Options:
    """Options that services and handlers share; a handler's win over its service's."""

    description: str | None = None
    metadata: Mapping[str, str] | None = None
    inactivity_timeout: timedelta | None = None
    abort_timeout: timedelta | None = None
    journal_retention: timedelta | None = None
    idempotency_retention: timedelta | None = None
    workflow_retention: timedelta | None = None
    lazy_state: bool | None = None
    eager_state_keys: Sequence[str] | None = None
    ingress_private: bool | None = None
    retry_policy: InvocationRetryPolicy | None = None

    def manifest(self) -> dict[str, Any]:
        """The manifest's fields; what is not set is absent."""
        fields = {
            "documentation": self.description,
            "metadata": dict(self.metadata) if self.metadata is not None else None,
            "inactivityTimeout": _ms(self.inactivity_timeout),
            "abortTimeout": _ms(self.abort_timeout),
            "journalRetention": _ms(self.journal_retention),
            "idempotencyRetention": _ms(self.idempotency_retention),
            "workflowCompletionRetention": _ms(self.workflow_retention),
            "enableLazyState": self.lazy_state,
            "eagerStateKeysWhitelist": (
                list(self.eager_state_keys) if self.eager_state_keys is not None else None
            ),
            "ingressPrivate": self.ingress_private,
            **_retry_fields(self.retry_policy or InvocationRetryPolicy()),
        }
        return {name: value for name, value in fields.items() if value is not None}


def _retry_fields(policy: InvocationRetryPolicy) -> dict[str, Any]:
    last = policy.on_max_attempts
    return {
        "retryPolicyInitialInterval": _ms(policy.initial_interval),
        "retryPolicyExponentiationFactor": policy.exponentiation_factor,
        "retryPolicyMaxInterval": _ms(policy.max_interval),
        "retryPolicyMaxAttempts": policy.max_attempts,
        "retryPolicyOnMaxAttempts": last.upper() if last is not None else None,
    }


def _ms(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds() * 1000)
