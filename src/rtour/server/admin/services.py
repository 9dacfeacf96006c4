"""`/services`: what is registered, its settings, and the state of its objects."""

from __future__ import annotations

import msgspec

from rtour.engine.commands import PatchState
from rtour.engine.model import ServiceType, StatePatch
from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, ServiceBody
from rtour.server.admin.models import (
    Handlers,
    ServiceMetadata,
    Services,
    handler_metadata,
    service_metadata,
)
from rtour.server.admin.replies import ok
from rtour.server.catalog import Changes, Deployment, ServiceRevision
from rtour.server.openapi import service_openapi
from rtour.server.registration import Registration, type_name
from rtour.server.registry import Registry
from rtour.server.requests import Requests
from rtour.server.web import Reply, Request


class ServiceEndpoints:
    def __init__(
        self,
        registry: Registry,
        registration: Registration,
        requests: Requests,
        ingress_url: str,
    ) -> None:
        self._registry = registry
        self._registration = registration
        self._requests = requests
        self._ingress_url = ingress_url

    async def list_services(self, _request: Request, _version: int) -> Reply:
        names = self._registry.service_names()
        return ok(Services(services=[self._metadata(name) for name in names]))

    async def get_service(self, _request: Request, _version: int, name: str) -> Reply:
        return ok(self._metadata(name))

    async def modify_service(self, request: Request, _version: int, name: str) -> Reply:
        body = bodies.read(request, bodies.SERVICE)
        changes = _changes(body)
        if changes != Changes():
            await self._registration.change_service(name, changes)
        return ok(self._metadata(name))

    async def list_service_handlers(self, _request: Request, _version: int, name: str) -> Reply:
        _, service = self._find(name)
        handlers = [handler_metadata(service, one) for one in service.manifest.handlers]
        return ok(Handlers(handlers=handlers))

    async def get_service_handler(
        self, _request: Request, _version: int, name: str, handler: str
    ) -> Reply:
        _, service = self._find(name)
        for one in service.manifest.handlers:
            if one.name == handler:
                return ok(handler_metadata(service, one))
        raise AdminError(
            404, f"The requested handler '{handler}' on service '{name}' does not exist"
        )

    async def get_service_openapi(self, _request: Request, _version: int, name: str) -> Reply:
        _, service = self._find(name)
        return ok(service_openapi(service, self._ingress_url))

    async def modify_service_state(self, request: Request, _version: int, name: str) -> Reply:
        body = bodies.read(request, bodies.STATE)
        entries = bodies.state_entries(body)
        service = self._registry.service(name)
        if service is None:
            if entries:  # what a removed service left behind can still be cleared
                raise _unknown(name)
        elif service.service_type is ServiceType.SERVICE:
            kind = type_name(service.service_type)
            raise AdminError(400, f"Cannot modify state for service type {kind}")
        patch = StatePatch(entries, body.version)
        await self._requests.ask(lambda number: PatchState(name, body.object_key, patch, number))
        return Reply(202, [])

    def _find(self, name: str) -> tuple[Deployment, ServiceRevision]:
        found = self._registry.active_revision(name)
        if found is None:
            raise _unknown(name)
        return found

    def _metadata(self, name: str) -> ServiceMetadata:
        deployment, service = self._find(name)
        return service_metadata(deployment, service, self._registry.defaults)


def _unknown(name: str) -> AdminError:
    return AdminError(404, f"The requested service '{name}' does not exist")


def _changes(body: ServiceBody) -> Changes:
    durations = {
        f"{field}_ms": bodies.duration(body, field)
        for field in msgspec.structs.asdict(body)
        if field != "public"
    }
    return Changes(public=body.public, **durations)
