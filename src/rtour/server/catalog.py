"""Deployments and services as values: what is stored of them, and what they come to.

A deployment's document is the one truth: what its manifest said, at which revisions, and what was
changed by hand since. Everything else is computed from it and the server's defaults.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from rtour.engine.model import HandlerType, ServiceType, Target
from rtour.protocol import discovery
from rtour.protocol.discovery import InputRules, OutputRules, ProtocolMode
from rtour.server.retries import RetryPolicy
from rtour.server.transport import Endpoint

HttpVersion = Literal["HTTP/1.1", "HTTP/2.0"]


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a stored document."""


class Changes(Stored, frozen=True, kw_only=True):
    """What an operator changed of a service; None leaves the manifest's word standing.

    They last until the service is registered again.
    """

    public: bool | None = None
    idempotency_retention_ms: int | None = None
    workflow_completion_retention_ms: int | None = None
    journal_retention_ms: int | None = None
    inactivity_timeout_ms: int | None = None
    abort_timeout_ms: int | None = None


class ServiceRevision(Stored, frozen=True, kw_only=True):
    """A service as one deployment serves it."""

    revision: int
    manifest: discovery.Service
    changes: Changes = Changes()

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def service_type(self) -> ServiceType:
        return ServiceType(self.manifest.ty.value.lower())

    @property
    def public(self) -> bool:
        if self.changes.public is not None:
            return self.changes.public
        return not self.manifest.ingress_private


class Deployment(Stored, frozen=True, kw_only=True):
    """A registered endpoint. `created_at` is milliseconds since the epoch.

    `uri` is a URL or a Lambda function's ARN. `also_http1` says that a complete request may as well
    be sent in HTTP/1.1.
    """

    id: str
    uri: str
    http_version: HttpVersion
    protocol_mode: ProtocolMode
    min_protocol_version: int
    max_protocol_version: int
    created_at: int
    additional_headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    sdk_version: str | None = None
    also_http1: bool = False
    assume_role_arn: str | None = None
    zstd: bool = False
    services: tuple[ServiceRevision, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.uri, self.http_version, self.assume_role_arn, self.zstd)

    def service(self, name: str) -> ServiceRevision | None:
        return next((service for service in self.services if service.name == name), None)


class ServiceDefaults(msgspec.Struct, frozen=True):
    """What holds where neither handler nor service says anything."""

    retry: RetryPolicy = RetryPolicy()
    inactivity_timeout_ms: int = 60_000
    abort_timeout_ms: int = 600_000
    idempotency_retention_ms: int = 86_400_000
    workflow_completion_retention_ms: int = 86_400_000
    journal_retention_ms: int = 86_400_000


class HandlerMeta(msgspec.Struct, frozen=True):
    """All that the server must know of a handler to call it."""

    service: str
    handler: str
    service_type: ServiceType
    handler_type: HandlerType | None
    deployment_id: str
    revision: int
    public: bool
    idempotency_retention_ms: int
    workflow_completion_retention_ms: int
    journal_retention_ms: int
    inactivity_timeout_ms: int
    abort_timeout_ms: int
    lazy_state: bool
    retry: RetryPolicy
    input: InputRules
    output: OutputRules

    def target(self, key: str | None) -> Target:
        return Target(self.service, self.handler, key, self.service_type, self.handler_type)


class ServiceMeta(msgspec.Struct, frozen=True):
    """The active revision of a service."""

    name: str
    service_type: ServiceType
    public: bool
    deployment_id: str
    revision: int
    handlers: dict[str, HandlerMeta]

    @property
    def keyed(self) -> bool:
        return self.service_type is not ServiceType.SERVICE
