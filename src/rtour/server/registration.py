"""How deployments come, change and go (http-api.md B5, server-semantics.md §9).

One change at a time: what is decided from the registry must still hold when it is stored. Endpoints
are asked before that, so that one which does not answer holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from rtour import ids
from rtour.clock import Clock
from rtour.engine.commands import Document, StoreDocuments
from rtour.engine.model import DocumentKind, ServiceType
from rtour.errors import RtourError
from rtour.protocol import discovery
from rtour.server.catalog import Changes, Deployment, HttpVersion, ServiceRevision
from rtour.server.discoverer import Discovered
from rtour.server.registry import Registry, active
from rtour.server.requests import Requests
from rtour.server.transport import Endpoint

log = logging.getLogger("rtour.admin")


class RegistrationError(RtourError):
    """A change that was refused: the admin API's status, text and code."""

    def __init__(self, status: int, message: str, restate_code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.restate_code = restate_code


class NewDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /deployments` says. `uri` may be a Lambda function's ARN."""

    uri: str
    assume_role_arn: str | None = None
    additional_headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    use_http_11: bool = False
    breaking: bool = False
    force: bool = False
    dry_run: bool = False


class DeploymentUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What `PATCH /deployments/{id}` says; None leaves things as they are."""

    uri: str | None = None
    assume_role_arn: str | None = None
    additional_headers: dict[str, str] | None = None
    use_http_11: bool | None = None
    overwrite: bool = False
    dry_run: bool = False


class Discoverer(Protocol):
    """Asks an endpoint what it serves."""

    async def discover(self, endpoint: Endpoint, headers: dict[str, str]) -> Discovered: ...


class Registration:
    """Changes the registry, and what is stored of it."""

    def __init__(
        self,
        registry: Registry,
        requests: Requests,
        discoverer: Discoverer,
        clock: Clock,
        random: Random,
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._discoverer = discoverer
        self._clock = clock
        self._random = random
        self._one_at_a_time = asyncio.Lock()

    async def register(self, new: NewDeployment) -> tuple[Deployment, bool]:
        """The deployment at an address, and whether it is new there.

        A known address is not asked again, unless forced.
        """
        uri = normal_uri(new.uri)
        known = self._registry.at_address(uri)
        if known is not None and not new.force:
            return known, False
        http_version: HttpVersion = "HTTP/1.1" if new.use_http_11 else "HTTP/2.0"
        endpoint = Endpoint(uri, http_version, new.assume_role_arn)
        found = await self._discoverer.discover(endpoint, new.additional_headers)
        async with self._one_at_a_time:
            known = self._registry.at_address(uri)
            if known is not None and not new.force:  # it was registered while we asked
                return known, False
            deployment = self._deployment(new, uri, http_version, found, known)
            if not new.dry_run:
                await self._store(deployment)
            return deployment, known is None

    def _deployment(
        self,
        new: NewDeployment,
        uri: str,
        http_version: HttpVersion,
        found: Discovered,
        known: Deployment | None,
    ) -> Deployment:
        now = self._clock.now_ms()
        if known is None:
            id_ = ids.deployment_id(ids.ulid(now, self._random.randbytes(10)))
        else:
            id_ = known.id
        allow_breaking = new.breaking or new.force
        return Deployment(
            id=id_,
            uri=uri,
            http_version=http_version,
            assume_role_arn=new.assume_role_arn,
            additional_headers=new.additional_headers,
            metadata=new.metadata,
            created_at=now,
            services=self._next_revisions(found.manifest, allow_breaking=allow_breaking),
            **_announced(found),
        )

    def _next_revisions(
        self, manifest: discovery.Manifest, *, allow_breaking: bool
    ) -> tuple[ServiceRevision, ...]:
        revisions = []
        for service in manifest.services:
            current = self._registry.service(service.name)
            if current is not None and not allow_breaking:
                _refuse_new_type(service, current.service_type)
            number = 1 if current is None else current.revision + 1
            revisions.append(ServiceRevision(revision=number, manifest=service))
        return tuple(revisions)

    async def update(self, deployment_id: str, update: DeploymentUpdate) -> Deployment:
        """Move a deployment, or ask it again what it serves."""
        moved = self._moved(deployment_id, update)
        if update == DeploymentUpdate(dry_run=update.dry_run):
            return moved
        found = await self._discoverer.discover(moved.endpoint, moved.additional_headers)
        async with self._one_at_a_time:
            current = self._existing(deployment_id)
            moved = self._moved(deployment_id, update)
            _refuse_other_versions(current, found.manifest)
            updated = replace(moved, sdk_version=found.sdk_version, also_http1=found.also_http1)
            if update.overwrite:
                updated = replace(
                    updated,
                    services=self._overwritten(current, found.manifest),
                    **_announced(found),
                )
            if not update.dry_run:
                await self._store(updated)
            return updated

    def _moved(self, deployment_id: str, update: DeploymentUpdate) -> Deployment:
        """The deployment at its new address, which no other may have."""
        moved = _moved(self._existing(deployment_id), update)
        other = self._registry.at_address(moved.uri)
        if other is not None and other.id != deployment_id:
            raise RegistrationError(
                409, f"Conflict: deployment {other.id} already has the address {moved.uri}"
            )
        return moved

    def _overwritten(
        self, current: Deployment, manifest: discovery.Manifest
    ) -> tuple[ServiceRevision, ...]:
        """Other contents at the same revisions; what is new here gets its next one."""
        fresh = self._next_revisions(manifest, allow_breaking=True)
        kept = {service.name: service.revision for service in current.services}
        return tuple(replace(one, revision=kept.get(one.name, one.revision)) for one in fresh)

    async def remove(self, deployment_id: str) -> None:
        """Forget a deployment; its services fall back to the revision before."""
        async with self._one_at_a_time:
            if self._registry.deployment(deployment_id) is None:
                raise RegistrationError(
                    404,
                    f"not found in the schema registry: deployment with id '{deployment_id}'",
                )
            left = [d for d in self._registry.deployments() if d.id != deployment_id]
            gone = Document(DocumentKind.DEPLOYMENT, deployment_id, None)
            await self._commit([gone, *self._service_documents(left)])
            self._registry.remove(deployment_id)
            log.info("Deployment %s was removed", deployment_id)

    async def change_service(self, name: str, changes: Changes) -> None:
        """Change settings of a service's active revision."""
        async with self._one_at_a_time:
            found = self._registry.active_revision(name)
            if found is None:
                raise RegistrationError(
                    404, f"not found in the schema registry: service with name '{name}'"
                )
            deployment, service = found
            if (
                changes.workflow_completion_retention_ms is not None
                and service.service_type is not ServiceType.WORKFLOW
            ):
                raise RegistrationError(
                    400,
                    f"modifying retention time for service type "
                    f"{type_name(service.service_type)} is unsupported",
                )
            changed = replace(service, changes=_merged(service.changes, changes))
            services = tuple(changed if one is service else one for one in deployment.services)
            await self._store(replace(deployment, services=services))

    def _existing(self, deployment_id: str) -> Deployment:
        deployment = self._registry.deployment(deployment_id)
        if deployment is None:
            raise RegistrationError(
                404, f"The requested deployment '{deployment_id}' does not exist"
            )
        return deployment

    # --- storing ---------------------------------------------------------------------------------

    async def _store(self, deployment: Deployment) -> None:
        others = [d for d in self._registry.deployments() if d.id != deployment.id]
        document = Document(DocumentKind.DEPLOYMENT, deployment.id, msgspec.json.encode(deployment))
        await self._commit([document, *self._service_documents([*others, deployment])])
        self._registry.put(deployment)
        services = ", ".join(f"{one.name} {one.revision}" for one in deployment.services)
        log.info("Deployment %s at %s serves %s", deployment.id, deployment.uri, services)

    async def _commit(self, documents: Sequence[Document]) -> None:
        await self._requests.ask(lambda number: StoreDocuments(tuple(documents), number))

    def _service_documents(self, deployments: Sequence[Deployment]) -> list[Document]:
        """The active services in short, for SQL; nothing reads them back."""
        services = active(deployments)
        documents = []
        for name, (deployment, service) in services.items():
            summary = {
                "name": name,
                "revision": service.revision,
                "public": service.public,
                "ty": service.service_type.value,
                "deployment_id": deployment.id,
            }
            document = Document(DocumentKind.SERVICE, name, msgspec.json.encode(summary))
            documents.append(document)
        gone = [name for name in self._registry.service_names() if name not in services]
        return documents + [Document(DocumentKind.SERVICE, name, None) for name in gone]


def normal_uri(uri: str) -> str:
    """An absolute URI with a path, as the official server writes it; an ARN as it is."""
    if uri.startswith("arn:"):
        return uri
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise RegistrationError(
            400, f"The request field 'uri' is invalid. Reason: {uri} is no URI: {error}"
        ) from error
    if not parts.scheme or not parts.netloc:
        raise RegistrationError(
            400,
            f"The request field 'uri' is invalid. Reason: The provided uri {uri} is not "
            "absolute, only absolute URIs can be used.",
        )
    if parts.scheme not in {"http", "https"}:
        raise RegistrationError(
            400,
            f"The request field 'uri' is invalid. Reason: expected http:// or https://, "
            f"got {parts.scheme}://",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))


def type_name(service_type: ServiceType) -> str:
    """`VirtualObject`, as the admin API spells it."""
    return "".join(word.capitalize() for word in service_type.value.split("_"))


def _announced(found: Discovered) -> dict[str, Any]:
    """The fields of a deployment that its manifest decides."""
    manifest = found.manifest
    assert manifest.protocol_mode is not None, "parse_manifest requires a mode"
    return {
        "protocol_mode": manifest.protocol_mode,
        "min_protocol_version": manifest.min_protocol_version,
        "max_protocol_version": manifest.max_protocol_version,
        "sdk_version": found.sdk_version,
        "also_http1": found.also_http1,
        "zstd": manifest.lambda_compression == "zstd",
    }


def _refuse_new_type(service: discovery.Service, current: ServiceType) -> None:
    new = ServiceType(service.ty.value.lower())
    if new is not current:
        raise RegistrationError(
            409,
            f"[META0006] The service '{service.name}' is a {type_name(current)}, the deployment "
            f"says {type_name(new)}: register with 'breaking' if that is meant",
            "META0006",
        )


def _refuse_other_versions(current: Deployment, manifest: discovery.Manifest) -> None:
    had = (current.min_protocol_version, current.max_protocol_version)
    has = (manifest.min_protocol_version, manifest.max_protocol_version)
    if had != has:
        raise RegistrationError(
            400,
            f"[META0016] an update must keep the protocol versions {list(had)}, the endpoint "
            f"now has {list(has)}: register it as a new deployment",
            "META0016",
        )


def _moved(current: Deployment, update: DeploymentUpdate) -> Deployment:
    moved = current
    if update.uri is not None:
        moved = replace(moved, uri=normal_uri(update.uri))
    if update.assume_role_arn is not None:
        moved = replace(moved, assume_role_arn=update.assume_role_arn)
    if update.additional_headers is not None:
        moved = replace(moved, additional_headers=update.additional_headers)
    if update.use_http_11 is not None:
        moved = replace(moved, http_version="HTTP/1.1" if update.use_http_11 else "HTTP/2.0")
    return moved


def _merged(old: Changes, new: Changes) -> Changes:
    given = {
        field: value
        for field in Changes.__struct_fields__
        if (value := getattr(new, field)) is not None
    }
    return replace(old, **given)
