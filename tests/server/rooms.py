"""The front rooms over a scripted processor, and a client that needs no sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import httpx
import msgspec

from rtour.engine.actions import Accepted, Finished, Outcome, Respond, Response, Verdict
from rtour.engine.commands import (
    Attach,
    Command,
    Document,
    GetOutput,
    Invoke,
    Signal,
    StoreDocuments,
)
from rtour.engine.model import DocumentKind, Invocation, RequestSink
from rtour.protocol.discovery import Manifest
from rtour.protocol.messages import Value
from rtour.server.admin import Admin
from rtour.server.admin.app import About
from rtour.server.catalog import ServiceDefaults
from rtour.server.discoverer import Discovered
from rtour.server.ingress import Ingress
from rtour.server.kafka.catalog import Cluster
from rtour.server.kafka.client import RdKafkaClient
from rtour.server.kafka.subscriptions import OpenClient, Subscriptions
from rtour.server.registration import NewDeployment, Registration
from rtour.server.registry import Registry
from rtour.server.requests import Requests
from rtour.server.transport import Endpoint
from rtour.server.web import App, Reply, Request

NOW = 1_795_486_876_154  # 2026-11-24T02:21:16.154Z
URI = "http://127.0.0.1:9080/"
JSON_IN = {"contentType": "application/json", "jsonSchema": {"type": "string"}}
JSON_OUT = {"contentType": "application/json", "jsonSchema": {"type": "string"}}
MANIFEST = {
    "protocolMode": "BIDI_STREAM",
    "minProtocolVersion": 5,
    "maxProtocolVersion": 7,
    "services": [
        {
            "name": "Greeter",
            "ty": "SERVICE",
            "handlers": [
                {"name": "greet", "input": JSON_IN, "output": JSON_OUT},
                {"name": "none", "input": {}, "output": {}},
                {"name": "any"},
                {"name": "text", "input": {"contentType": "text/*"}},
                {"name": "hidden", "ingressPrivate": True},
                {"name": "brief", "idempotencyRetention": 5000, "retryPolicyMaxAttempts": 3},
            ],
        },
        {
            "name": "Counter",
            "ty": "VIRTUAL_OBJECT",
            "handlers": [
                {"name": "add", "input": JSON_IN, "output": JSON_OUT},
                {"name": "get", "ty": "SHARED", "input": {}, "output": JSON_OUT},
            ],
        },
        {
            "name": "Flow",
            "ty": "WORKFLOW",
            "handlers": [
                {"name": "run", "ty": "WORKFLOW", "input": JSON_IN, "output": JSON_OUT},
                {"name": "peek", "ty": "SHARED", "input": {}, "output": JSON_OUT},
            ],
        },
        {
            "name": "Secret",
            "ty": "SERVICE",
            "ingressPrivate": True,
            "handlers": [{"name": "tell"}],
        },
    ],
}


def manifest(**changes: object) -> Manifest:
    return msgspec.convert(MANIFEST | changes, Manifest)


class FixedClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = NOW

    def now_ms(self) -> int:
        return self.now


class ScriptedProcessor:
    """Remembers commands; `answers` says what comes back, None that nothing does."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.documents: dict[tuple[DocumentKind, str], bytes] = {}
        self.answers: Callable[[Command], Response | None] = usual_answer
        self.resolve: Callable[[Respond], None] = lambda respond: None

    def propose(self, command: Command) -> None:
        self.commands.append(command)
        if isinstance(command, StoreDocuments):
            self._store(command)
        response = self.answers(command)
        if response is not None:
            respond = Respond(request_id(command), response)
            asyncio.get_running_loop().call_soon(self.resolve, respond)

    def _store(self, command: StoreDocuments) -> None:
        for document in command.documents:
            place = (document.kind, document.id)
            if document.json is None:
                self.documents.pop(place, None)
            else:
                self.documents[place] = document.json

    def recovered(self) -> list[Document]:
        return [Document(kind, id_, data) for (kind, id_), data in self.documents.items()]


def request_id(command: Command) -> int:
    if isinstance(command, Invoke) and command.sink is None:
        return command.accept_request_id
    if isinstance(command, Invoke | Attach | GetOutput):
        assert isinstance(command.sink, RequestSink)
        return command.sink.request_id
    return command.request_id  # type: ignore[union-attr]


def usual_answer(command: Command) -> Response:
    match command:
        case Invoke(sink=None):
            return Accepted(command.id, previously=False, execution_time=command.start_at)
        case Invoke() | Attach() | GetOutput():
            return Finished(command.id, Value(b'"hi"'))
        case Signal():
            return Outcome(Verdict.ACCEPTED)
    return Outcome(Verdict.DONE)


class FakeDiscoverer:
    """Endpoints by URI; what is not there raises what was set for it."""

    def __init__(self) -> None:
        self.found: dict[str, Manifest | Exception] = {}
        self.asked: list[tuple[Endpoint, dict[str, str]]] = []

    async def discover(self, endpoint: Endpoint, headers: dict[str, str]) -> Discovered:
        self.asked.append((endpoint, headers))
        found = self.found.get(endpoint.uri, manifest())
        if isinstance(found, Exception):
            raise found
        return Discovered(found, "restate-sdk-python/1.3.0")


class AppTransport(httpx.AsyncBaseTransport):
    """httpx straight into an app."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        body = await request.aread()
        reply = await self._app(Request(request.method, path, query, headers, body))
        assert isinstance(reply.body, bytes)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)


class Rooms:
    """Everything between HTTP and the processor."""

    def __init__(
        self,
        pending_max: int = 100,
        open_client: OpenClient = RdKafkaClient,
        kafka_clusters: tuple[Cluster, ...] = (),
    ) -> None:
        self.processor = ScriptedProcessor()
        self.requests = Requests(self.processor.propose, 1000, pending_max=pending_max)
        self.processor.resolve = self.requests.resolve
        self.clock = FixedClock()
        self.random = Random(1)
        self.registry = Registry(ServiceDefaults())
        self.discoverer = FakeDiscoverer()
        self.registration = Registration(
            self.registry, self.requests, self.discoverer, self.clock, self.random
        )
        self.subscriptions = Subscriptions(
            self.registry, self.requests, self.clock, self.random, open_client, kafka_clusters
        )
        self.invocations: dict[str, Invocation] = {}
        self.queries: list[tuple[str, str | None]] = []
        self.crowded: set[str] = set()
        ingress = Ingress(
            self.registry,
            self.requests,
            self.clock,
            self.random,
            lambda id_: self.invocations[id_].target if id_ in self.invocations else None,
            overloaded=self.crowded.__contains__,
        )
        self.admin_app = Admin(
            self.registry,
            self.registration,
            self.subscriptions,
            self.requests,
            self.clock,
            self.random,
            invocation=self.invocations.get,
            query=self._query,
            about=About(),
        )
        self.ingress = httpx.AsyncClient(
            transport=AppTransport(ingress), base_url="http://127.0.0.1:8080"
        )
        self.admin = httpx.AsyncClient(
            transport=AppTransport(self.admin_app), base_url="http://127.0.0.1:9070"
        )

    async def _query(self, sql: str, accept: str | None) -> Reply:
        self.queries.append((sql, accept))
        return Reply(200, [(b"content-type", b"application/json")], b'{"rows":[]}')

    async def registered(self) -> Rooms:
        await self.registration.register(NewDeployment(uri=URI))
        self.processor.commands.clear()
        return self

    def deployment_id(self, uri: str = URI) -> str:
        """The id of the deployment at an address."""
        deployment = self.registry.at_address(uri)
        assert deployment is not None
        return deployment.id

    @property
    def last(self) -> Command:
        return self.processor.commands[-1]
