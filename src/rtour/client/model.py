"""What the admin API and SQL answer, as frozen structs.

Field names are Restate's own (JSON keys and `sys_*` column names), so that what the command line
prints with `-o json` is what the server's documentation describes. Unknown fields are ignored and
absent ones have defaults: a newer or older server must not break a client.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """A clock that is driven. `mode` is `running`, `auto`, `frozen`, or `off` where it cannot be.

    `offset_ms` is how far it is ahead of the server's machine.
    """

    mode: str
    now: datetime
    offset_ms: int


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /version`. Only a development server of rtour tells of a clock."""

    version: str
    min_admin_api_version: int
    max_admin_api_version: int
    ingress_endpoint: str | None = None
    features: dict[str, Any] = {}
    clock: ClockReading | None = None


class ServiceRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A service as a deployment lists it."""

    name: str
    revision: int


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A handler of a service; `ty` is absent for handlers of plain services."""

    name: str
    ty: str | None = None
    documentation: str | None = None
    metadata: dict[str, str] = {}
    public: bool = True
    input_description: str = "none"
    output_description: str = "none"
    input_json_schema: Any = None
    output_json_schema: Any = None
    idempotency_retention: str | None = None
    workflow_completion_retention: str | None = None
    journal_retention: str | None = None
    inactivity_timeout: str | None = None
    abort_timeout: str | None = None
    enable_lazy_state: bool | None = None
    retry_policy: dict[str, Any] = {}


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service at its latest revision; `ty` is `Service`, `VirtualObject` or `Workflow`."""

    name: str
    ty: str
    revision: int
    deployment_id: str
    handlers: list[Handler] = []
    documentation: str | None = None
    metadata: dict[str, str] = {}
    public: bool = True
    idempotency_retention: str | None = None
    workflow_completion_retention: str | None = None
    journal_retention: str | None = None
    inactivity_timeout: str | None = None
    abort_timeout: str | None = None
    enable_lazy_state: bool | None = None
    retry_policy: dict[str, Any] = {}

    @property
    def keyed(self) -> bool:
        """Whether a call needs a key."""
        return self.ty != "Service"

    def handler(self, name: str) -> Handler | None:
        """The handler of that name."""
        return next((handler for handler in self.handlers if handler.name == name), None)


class _DeploymentFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment has in every answer; a Lambda has `arn` in place of `uri`."""

    id: str
    uri: str | None = None
    arn: str | None = None
    assume_role_arn: str | None = None
    protocol_type: str | None = None
    http_version: str | None = None
    additional_headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    created_at: datetime
    min_protocol_version: int
    max_protocol_version: int
    sdk_version: str | None = None

    @property
    def endpoint(self) -> str:
        """Where it lives."""
        return self.uri or self.arn or ""


class Deployment(_DeploymentFields, frozen=True, kw_only=True):
    """One row of `GET /deployments`."""

    services: list[ServiceRevision] = []


class DeploymentDetail(_DeploymentFields, frozen=True, kw_only=True):
    """`GET /deployments/{id}`: services in full, at the revision this deployment has."""

    services: list[Service] = []


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `POST /deployments`; `created` is false when it was known already."""

    id: str
    services: list[Service] = []
    min_protocol_version: int = 0
    max_protocol_version: int = 0
    sdk_version: str | None = None
    created: bool = True


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `sys_invocation`."""

    id: str
    target: str
    target_service_name: str
    target_service_key: str | None = None
    target_handler_name: str
    target_service_ty: str
    status: str
    created_at: datetime
    modified_at: datetime | None = None
    # The official server fills `scheduled_start_at` only where `scheduled_at` is asked for too.
    scheduled_at: datetime | None = None
    scheduled_start_at: datetime | None = None
    running_at: datetime | None = None
    completed_at: datetime | None = None
    idempotency_key: str | None = None
    invoked_by: str | None = None
    invoked_by_id: str | None = None
    invoked_by_target: str | None = None
    restarted_from: str | None = None
    pinned_deployment_id: str | None = None
    last_attempt_deployment_id: str | None = None
    last_attempt_server: str | None = None
    retry_count: int | None = None
    last_start_at: datetime | None = None
    next_retry_at: datetime | None = None
    last_failure: str | None = None
    last_failure_error_code: str | None = None
    last_failure_related_entry_index: int | None = None
    completion_result: str | None = None
    completion_failure: str | None = None
    suspended_waiting_for_completions: list[int] = []
    suspended_waiting_for_signals: list[int] = []
    trace_id: str | None = None
    journal_size: int | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status == "completed"

    @property
    def outcome(self) -> str:
        """The status, and for a completed one how it ended."""
        return "failed" if self.done and self.completion_result == "failure" else self.status


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `sys_journal`, before its JSON is read (see `rtour.client.journal`)."""

    index: int
    entry_type: str
    name: str | None = None
    version: int | None = None
    entry_json: str | None = None
    head: str | None = None
    appended_at: datetime | None = None
    completed: bool | None = None
    invoked_id: str | None = None
    invoked_target: str | None = None
    sleep_wakeup_at: datetime | None = None
    promise_name: str | None = None


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `sys_journal_events`: a failed attempt, a pause."""

    after_journal_entry_index: int
    appended_at: datetime | None = None
    event_type: str
    event_json: str | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a key of a virtual object or workflow."""

    service_name: str
    service_key: str
    invocation_id: str


class StateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the state of a key; `value` is raw bytes, `digest` is of all of them."""

    service_name: str
    service_key: str
    key: str
    value: bytes
    digest: str | None = None


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's durable promise."""

    service_name: str
    service_key: str
    key: str
    completed: bool
    completion_failure: str | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a one-way call."""

    invocation_id: str
    status: str
    execution_time: datetime | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request-response call: raw bytes and what they are."""

    body: bytes
    content_type: str | None = None
    invocation_id: str | None = None


class Operated(msgspec.Struct, frozen=True, kw_only=True):
    """An operation the server took on; `complete` is false while it only promised to do it."""

    complete: bool
    new_invocation_id: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A flow control rule; `concurrency` is None where there is no limit."""

    pattern: str
    concurrency: int | None = None
    description: str | None = None
    disabled: bool = False
    version: int
    last_modified: datetime | None = None


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A Kafka topic that feeds a handler."""

    id: str
    source: str
    sink: str
    options: dict[str, str] = {}


class SubscriptionReading(msgspec.Struct, frozen=True, kw_only=True):
    """How rtour's server gets on with a subscription.

    `state` is reading, failing or ended; `taken` counts records since the server started. `lag` is
    in records, by partition; `held` says of a partition why its next record cannot be delivered.
    """

    subscription_id: str
    state: str
    error: str | None = None
    taken: int = 0
    lag: dict[str, int] = {}
    held: dict[str, str] = {}


class ExportReading(msgspec.Struct, frozen=True, kw_only=True):
    """How rtour's server gets on with the export of spans: off, exporting, or failing and why."""

    state: str
    endpoint: str | None = None
    error: str | None = None
    exported: int = 0
    lost: int = 0
    waiting: int = 0


class KafkaCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A Kafka cluster that subscriptions read from."""

    name: str
    properties: dict[str, str] = {}
    subscriptions: list[Subscription] = []
