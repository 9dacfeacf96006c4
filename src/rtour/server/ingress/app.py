"""The ingress as an app: CORS around everything, one router, one shape of errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from rtour.clock import Clock
from rtour.engine.model import Target
from rtour.server.counts import IngressCounts
from rtour.server.ingress import awakeables
from rtour.server.ingress.calls import Calls
from rtour.server.ingress.paths import NEW_FORM, segments
from rtour.server.ingress.replies import (
    IngressError,
    method_not_allowed,
    not_found,
    refusal,
)
from rtour.server.ingress.results import Results
from rtour.server.registry import Registry
from rtour.server.requests import Overloaded, Requests, Unavailable
from rtour.server.web import JSON, Headers, Reply, Request

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer

_log = logging.getLogger("rtour.ingress")

_CORS: Final[Headers] = [
    (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
    (b"access-control-allow-credentials", b"true"),
]
_RETRY_AFTER: Final = (b"retry-after", b"1")

Route = Callable[[Request, list[str]], Awaitable[Reply]]


class Ingress:
    """What clients of services talk to; `own_headers` are not passed on to services.

    `overloaded` tells by a service's name whether its callers had better come back later.
    """

    def __init__(
        self,
        registry: Registry,
        requests: Requests,
        clock: Clock,
        random: Random,
        target_of: Callable[[str], Target | None],
        *,
        own_headers: frozenset[bytes] = frozenset(),
        tracer: Tracer | None = None,
        overloaded: Callable[[str], bool] = lambda _service: False,
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._calls = Calls(registry, requests, clock, random, own_headers, tracer, overloaded)
        results = Results(registry, requests, target_of)
        self._routes: dict[str, Route] = {
            "call": self._call,
            "send": self._send,
            "scope": self._scope,
            "attach": results.short,
            "output": results.short,
            "lookup": results.lookup,
            "invocation": results.by_invocation,
            "workflow": results.by_workflow,
            "awakeables": self._awakeable,
            "a": self._awakeable,
            "health": self._health,
        }

    async def __call__(self, request: Request) -> Reply:
        if request.method == "OPTIONS":
            return _preflight(request)
        try:
            reply = await self._route(request)
        except IngressError as error:
            self._refused("request_error" if error.status < 500 else "ingress_error")
            about = (request.method, request.path, error.status, error.message)
            _log.debug("%s %s is refused: [%d] %s", *about)
            reply = refusal(error)
        except Overloaded as error:
            self._refused("rate-limited")
            reply = refusal(IngressError(429, str(error)))
            reply.headers.append(_RETRY_AFTER)
        except Unavailable as error:
            self._refused("ingress_error")
            reply = refusal(IngressError(503, f"internal routing error: {error}"))
        except Exception:  # noqa: BLE001 - a bug costs one request, in the shape of all errors
            _log.exception("%s %s failed", request.method, request.path)
            self._refused("ingress_error")
            reply = refusal(IngressError(500, "internal server error"))
        reply.headers += _CORS
        origin = request.header(b"origin")
        if origin is not None:
            reply.headers.append((b"access-control-allow-origin", origin))
        return reply

    @property
    def counts(self) -> IngressCounts:
        """What became of requests so far."""
        return self._calls.counts

    def _refused(self, status: str) -> None:
        self.counts.requests["", "", status] += 1

    def _route(self, request: Request) -> Awaitable[Reply]:
        parts = segments(request.path)
        if parts[0] == "restate":
            route = self._routes.get(parts[1])
            if route is None:
                raise not_found()
            return route(request, parts[1:])
        if parts[0] == "openapi":
            raise not_found()
        return self._calls.classic(request, parts)

    def _call(self, request: Request, parts: list[str]) -> Awaitable[Reply]:
        return self._calls.explicit(request, parts[1:], send=False)

    def _send(self, request: Request, parts: list[str]) -> Awaitable[Reply]:
        return self._calls.explicit(request, parts[1:], send=True)

    async def _scope(self, _request: Request, parts: list[str]) -> Reply:
        if len(parts) < 5 or parts[2] not in {"call", "send"}:
            raise IngressError(400, NEW_FORM)
        raise IngressError(400, "scoped invocations require vqueues to be enabled")

    async def _awakeable(self, request: Request, parts: list[str]) -> Reply:
        return await awakeables.complete(self._requests, request, parts)

    async def _health(self, request: Request, _parts: list[str]) -> Reply:
        if request.method != "GET":
            raise method_not_allowed()
        body = {"services": self._registry.service_names()}
        return Reply(200, [JSON], msgspec.json.encode(body))


def _preflight(request: Request) -> Reply:
    """Everything is allowed to everyone, as with the official server."""
    headers: Headers = [*_CORS]
    for asked, allowed in (
        (b"origin", b"access-control-allow-origin"),
        (b"access-control-request-method", b"access-control-allow-methods"),
        (b"access-control-request-headers", b"access-control-allow-headers"),
    ):
        value = request.header(asked)
        if value is not None:
            headers.append((allowed, value))
    return Reply(200, headers)
