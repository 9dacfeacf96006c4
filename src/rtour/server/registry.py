"""Which deployments and services there are: read from stored documents, looked up by everyone.

The registry is a picture of what is committed. Changes are made by `registration`, which stores
documents first and shows them here afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from rtour.engine.commands import Document
from rtour.engine.model import DocumentKind, Target
from rtour.server.catalog import (
    Deployment,
    HandlerMeta,
    ServiceDefaults,
    ServiceMeta,
    ServiceRevision,
)
from rtour.server.service_config import handler_meta, retention, service_meta

_DECODER = msgspec.json.Decoder(Deployment)


def address(uri: str) -> str:
    """What makes two deployments the same: authority and path, the scheme does not count."""
    parts = urlsplit(uri)
    query = f"?{parts.query}" if parts.query else ""
    return parts.netloc.lower() + parts.path.rstrip("/") + query


class Registry:
    """Deployments by id and address; services by name, each at its highest revision."""

    def __init__(self, defaults: ServiceDefaults) -> None:
        self.defaults = defaults
        self.changes = 0
        """How often what is registered has changed."""
        self._deployments: dict[str, Deployment] = {}
        self._services: dict[str, ServiceMeta] = {}
        self._pinned: dict[tuple[str, str, str], HandlerMeta] = {}

    # --- what changes it -------------------------------------------------------------------------

    def load(self, documents: Iterable[Document]) -> None:
        """Take over what a storage recovered."""
        for document in documents:
            if document.kind is DocumentKind.DEPLOYMENT and document.json is not None:
                deployment = _DECODER.decode(document.json)
                self._deployments[deployment.id] = deployment
        self._rebuild()

    def put(self, deployment: Deployment) -> None:
        """Show a stored deployment, new or changed."""
        self._deployments[deployment.id] = deployment
        self._rebuild()

    def remove(self, deployment_id: str) -> None:
        """Forget a deployment that is no longer stored."""
        self._deployments.pop(deployment_id, None)
        self._rebuild()

    def _rebuild(self) -> None:
        self.changes += 1
        self._pinned.clear()
        self._services = {
            name: service_meta(deployment, service, self.defaults)
            for name, (deployment, service) in active(self._deployments.values()).items()
        }

    # --- what others ask -------------------------------------------------------------------------

    def deployments(self) -> list[Deployment]:
        return sorted(self._deployments.values(), key=lambda deployment: deployment.created_at)

    def deployment(self, deployment_id: str) -> Deployment | None:
        return self._deployments.get(deployment_id)

    def at_address(self, uri: str) -> Deployment | None:
        wanted = address(uri)
        for deployment in self._deployments.values():
            if address(deployment.uri) == wanted:
                return deployment
        return None

    def service_names(self) -> list[str]:
        return sorted(self._services)

    def service(self, name: str) -> ServiceMeta | None:
        """The active revision."""
        return self._services.get(name)

    def active_revision(self, name: str) -> tuple[Deployment, ServiceRevision] | None:
        """The active revision, as it is stored."""
        meta = self._services.get(name)
        if meta is None:
            return None
        deployment = self._deployments[meta.deployment_id]
        service = deployment.service(name)
        assert service is not None, f"{deployment.id} lost {name}"
        return deployment, service

    def resolve(self, service: str, handler: str) -> HandlerMeta | None:
        """A handler of the active revision."""
        meta = self._services.get(service)
        return None if meta is None else meta.handlers.get(handler)

    def handler_on(self, deployment_id: str, service: str, handler: str) -> HandlerMeta | None:
        """A handler as a certain deployment has it, for invocations bound to that one."""
        place = (deployment_id, service, handler)
        found = self._pinned.get(place)
        if found is None:
            found = self._find_on(*place)
            if found is not None:
                self._pinned[place] = found
        return found

    def _find_on(self, deployment_id: str, service: str, handler: str) -> HandlerMeta | None:
        deployment = self._deployments.get(deployment_id)
        revision = None if deployment is None else deployment.service(service)
        if deployment is None or revision is None:
            return None
        for candidate in revision.manifest.handlers:
            if candidate.name == handler:
                return handler_meta(deployment, revision, candidate, self.defaults)
        return None

    def latest_deployment(self, service: str) -> Deployment | None:
        """Where new invocations of a service go."""
        meta = self._services.get(service)
        return None if meta is None else self._deployments[meta.deployment_id]

    def callee(
        self, service: str, handler: str, key: str | None, idempotency_key: str | None
    ) -> tuple[Target, int, int] | None:
        """The target of a call with its completion and journal retention in ms."""
        meta = self.resolve(service, handler)
        if meta is None:
            return None
        keyed = self._services[service].keyed
        target = meta.target((key or "") if keyed else None)
        return target, *self.retention(meta, idempotency_key, target)

    def retention(
        self, meta: HandlerMeta, idempotency_key: str | None, target: Target
    ) -> tuple[int, int]:
        """How long the result and the journal of a new invocation are kept, in ms."""
        return retention(meta, idempotency_key, target)


def active(
    deployments: Iterable[Deployment],
) -> dict[str, tuple[Deployment, ServiceRevision]]:
    """Of each service the highest revision, and the deployment that has it."""
    found: dict[str, tuple[Deployment, ServiceRevision]] = {}
    for deployment in deployments:
        for service in deployment.services:
            other = found.get(service.name)
            if other is None or service.revision > other[1].revision:
                found[service.name] = (deployment, service)
    return found
