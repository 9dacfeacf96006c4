"""The admin API as an app: one router, one shape of errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import msgspec
from msgspec import UNSET

from rtour.clock import Clock
from rtour.engine.model import Invocation
from rtour.errors import ManifestError
from rtour.server.admin import bodies
from rtour.server.admin.batches import BatchEndpoints
from rtour.server.admin.bodies import AdminError
from rtour.server.admin.deployments import DeploymentEndpoints
from rtour.server.admin.flow_control import FlowControlEndpoints
from rtour.server.admin.invocations import InvocationEndpoints, Operations
from rtour.server.admin.kafka import KafkaEndpoints
from rtour.server.admin.models import VersionInformation
from rtour.server.admin.openapi import admin_openapi
from rtour.server.admin.replies import ok, refusal
from rtour.server.admin.router import NEWEST, OLDEST, MethodNotAllowedError, Router
from rtour.server.admin.services import ServiceEndpoints
from rtour.server.admin.time import TimeEndpoints
from rtour.server.export_reading import ExportReading, off
from rtour.server.kafka.subscriptions import Subscriptions
from rtour.server.metrics import CONTENT_TYPE as METRICS_TYPE
from rtour.server.registration import Registration, RegistrationError
from rtour.server.registry import Registry
from rtour.server.requests import Overloaded, Requests, Unavailable
from rtour.server.time_control import TimeControl
from rtour.server.web import Reply, Request, text_reply

_log = logging.getLogger("rtour.admin")

# What clients may ask for by version; all of it is off here, but what `About` says.
_FEATURES: Final = dict.fromkeys(
    (
        "invoker_yield",
        "kafka_scope",
        "preflight_invocation_termination_retention",
        "protocol_v7",
        "scoped_promise_table_migration",
        "scoped_state_table_migration",
        "scoped_virtual_objects",
        "unique_random_seeds",
        "vqueue_obsolete_cleanup",
        "vqueues",
        "vqueues_async_refill",
        "vqueues_migration_skip_completed",
    ),
    False,
)
_NO_UI: Final = (
    "rtour's user interface is in the terminal: run `rtour ui`.\n"
    "For the same in a browser, run `rtour ui --web`, and open http://127.0.0.1:8000\n"
)


class About(msgspec.Struct, frozen=True):
    """What the server says of itself. The version is Restate's: clients choose by it."""

    version: str = "1.7.12"
    cluster_name: str = "localcluster"
    ingress_url: str = "http://127.0.0.1:8080/"
    protocol_v7: bool = False


class Query(Protocol):
    """SQL: the text and the Accept header in, a complete reply out."""

    async def __call__(self, sql: str, accept: str | None) -> Reply: ...


class Admin:
    """What operators, the command line and the terminal UI talk to."""

    def __init__(
        self,
        registry: Registry,
        registration: Registration,
        subscriptions: Subscriptions,
        requests: Requests,
        clock: Clock,
        random: Random,
        *,
        invocation: Callable[[str], Invocation | None],
        query: Query,
        about: About,
        metrics: Callable[[], bytes] = bytes,
        exporting: Callable[[], ExportReading] = off,
        time: TimeControl | None = None,
    ) -> None:
        driven = TimeEndpoints(clock, time)
        operations = Operations(registry, requests, invocation, clock, random)
        self._router = Router(
            [
                _ServerEndpoints(about, query, metrics, exporting, driven),
                driven,
                DeploymentEndpoints(registry, registration),
                ServiceEndpoints(registry, registration, requests, about.ingress_url),
                InvocationEndpoints(operations),
                BatchEndpoints(operations),
                KafkaEndpoints(registry, subscriptions),
                FlowControlEndpoints(),
            ]
        )

    async def __call__(self, request: Request) -> Reply:
        try:
            if request.path in {"/", "/ui"}:
                return Reply(308, [(b"location", b"/ui/")])
            if request.path.startswith("/ui/"):
                return text_reply(200, _NO_UI)
            found = self._router.find(request.method, request.path)
            return await found.endpoint(request, found.version, *found.parameters)
        except MethodNotAllowedError as error:
            answer = refusal(error)
            answer.headers.append((b"allow", error.allowed.encode()))
            return answer
        except AdminError as error:
            return refusal(error)
        except (RegistrationError, ManifestError) as error:
            return refusal(AdminError(error.status, error.message, error.restate_code))
        except Overloaded as error:
            answer = refusal(AdminError(429, str(error)))
            answer.headers.append((b"retry-after", b"1"))
            return answer
        except Unavailable as error:
            return refusal(AdminError(503, str(error)))
        except Exception:  # noqa: BLE001 - a bug costs one request, in the shape of all errors
            _log.exception("%s %s failed", request.method, request.path)
            return refusal(AdminError(500, "internal server error"))


class _ServerEndpoints:
    """The server itself, and SQL."""

    def __init__(
        self,
        about: About,
        query: Query,
        metrics: Callable[[], bytes],
        exporting: Callable[[], ExportReading],
        time: TimeEndpoints,
    ) -> None:
        self._about = about
        self._query = query
        self._metrics = metrics
        self._exporting = exporting
        self._time = time

    async def health(self, _request: Request, _version: int) -> Reply:
        return Reply(200, self._time.headers())

    async def metrics(self, _request: Request, _version: int) -> Reply:
        return Reply(200, [(b"content-type", METRICS_TYPE)], self._metrics())

    async def tracing_reading(self, _request: Request, _version: int) -> Reply:
        return ok(self._exporting())

    async def version(self, _request: Request, _version: int) -> Reply:
        return ok(
            VersionInformation(
                version=self._about.version,
                min_admin_api_version=OLDEST,
                max_admin_api_version=NEWEST,
                ingress_endpoint=self._about.ingress_url,
                features=_FEATURES | {"protocol_v7": self._about.protocol_v7},
                clock=self._time.reading() or UNSET,
            )
        )

    async def cluster_health(self, _request: Request, _version: int) -> Reply:
        health = {"members": [1]}
        return ok({"cluster_name": self._about.cluster_name, "metadata_cluster_health": health})

    async def openapi(self, _request: Request, _version: int) -> Reply:
        return ok(admin_openapi(self._about.version))

    async def query(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.QUERY)
        accept = request.header(b"accept")
        return await self._query(body.query, None if accept is None else accept.decode("latin-1"))
