"""Calls and sends: a request to a handler's path becomes an `Invoke`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from msgspec.structs import replace

from rtour.clock import Clock
from rtour.engine.actions import Accepted, Finished
from rtour.engine.commands import Invoke
from rtour.engine.model import FromIngress, RequestSink, ServiceType, Target, Trace
from rtour.errors import InputRejected
from rtour.protocol.messages import Header
from rtour.server.catalog import HandlerMeta, ServiceMeta
from rtour.server.counts import IngressCounts
from rtour.server.durations import DurationError, parse_delay
from rtour.server.ingress.paths import CLASSIC_FORM, NEW_FORM, decode_key, service_at
from rtour.server.ingress.replies import (
    IngressError,
    SendBody,
    finished,
    json_reply,
    method_not_allowed,
    not_public,
)
from rtour.server.instants import rfc3339_nanos
from rtour.server.preconditions import invocation_id, is_fresh
from rtour.server.registry import Registry
from rtour.server.requests import Overloaded, Requests, Unavailable
from rtour.server.trace_context import parse
from rtour.server.web import Reply, Request

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer

# Of the connection, or the ingress's own business.
_NOT_FORWARDED: Final = frozenset(
    {b"host", b"connection", b"idempotency-key", b"idempotency-expires"}
)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CROCKFORD_PAIRS: Final = [first + second for first in _CROCKFORD for second in _CROCKFORD]
_WORKFLOW_KEY: Final = (
    "cannot use the idempotency key with workflow handlers. "
    "The handler invocation will already be idempotent by the workflow key itself."
)


class Calls:
    """Starts invocations and answers with their results."""

    def __init__(
        self,
        registry: Registry,
        requests: Requests,
        clock: Clock,
        random: Random,
        own_headers: frozenset[bytes] = frozenset(),
        tracer: Tracer | None = None,
        overloaded: Callable[[str], bool] = lambda _service: False,
    ) -> None:
        self.counts = IngressCounts()
        self._loop = asyncio.get_running_loop()
        self._overloaded = overloaded
        self._tracer = tracer
        self._registry = registry
        self._requests = requests
        self._clock = clock
        self._random = random
        self._not_forwarded = _NOT_FORWARDED | own_headers

    def classic(self, request: Request, parts: list[str]) -> Awaitable[Reply]:
        """`/{service}[/{key}]/{handler}[/send]`."""
        service = service_at(self._registry, parts[0])
        size = 3 if service.keyed else 2
        send = len(parts) == size + 1 and parts[-1] == "send"
        if len(parts) != size and not send:
            raise IngressError(400, CLASSIC_FORM)
        return self._invoke(request, service, parts[:size], send=send)

    def explicit(self, request: Request, parts: list[str], *, send: bool) -> Awaitable[Reply]:
        """`/restate/call/…` and `/restate/send/…`; `parts` is what follows."""
        if len(parts) < 2:
            raise IngressError(400, NEW_FORM)
        service = service_at(self._registry, parts[0])
        if len(parts) != (3 if service.keyed else 2):
            raise IngressError(400, NEW_FORM)
        return self._invoke(request, service, parts, send=send)

    def _invoke(
        self, request: Request, service: ServiceMeta, parts: list[str], *, send: bool
    ) -> Awaitable[Reply]:
        meta = service.handlers.get(parts[-1])
        if meta is None:
            raise IngressError(
                404,
                f"the service '{service.name}' exists, but the handler '{parts[-1]}' was not "
                "found, check that the handler exists in the latest registered service version.",
            )
        key = decode_key(parts[1]) if service.keyed else None
        if request.method not in {"POST", "GET"}:
            raise method_not_allowed()
        if not meta.public:
            raise not_public()
        if not send and self._overloaded(service.name):
            raise Overloaded
        now = self._clock.now_ms()
        start_at = self._start_at(request, now, send=send)
        _check_input(meta, request)
        invoke = self._command(request, meta, meta.target(key), now)
        if self._tracer is not None:
            work = self._traced(self._tracer, invoke, start_at, send=send)
        elif send:
            work = self._send(invoke, start_at)
        else:
            work = self._call(invoke)
        return self._counted(service.name, "send" if send else "call", work)

    async def _counted(self, service: str, kind: str, work: Awaitable[Reply]) -> Reply:
        self.counts.requests[service, kind, "admitted"] += 1
        began = self._loop.time()
        reply = await work
        self.counts.durations[service, kind].add(self._loop.time() - began)
        outcome = "completed" if reply.status < 400 else "invocation_error"
        self.counts.requests[service, kind, outcome] += 1
        return reply

    async def _traced(
        self, tracer: Tracer, invoke: Invoke, start_at: int | None, *, send: bool
    ) -> Reply:
        """The same within a span, which the invocation becomes a child of."""
        span = tracer.ingress(invoke.id, invoke.target, invoke.trace)
        invoke = replace(invoke, trace=span.trace)
        work = self._send(invoke, start_at) if send else self._call(invoke)
        del invoke
        status = None
        try:
            reply = await work
            status = reply.status
        except (Overloaded, Unavailable) as error:
            status = 429 if isinstance(error, Overloaded) else 503
            raise
        finally:
            span.end(status)
        return reply

    async def _call(self, invoke: Invoke) -> Reply:
        target = invoke.target
        asked = self._requests.ask(partial(_call, invoke))
        del invoke
        answer = await asked
        assert isinstance(answer, Finished), f"a call was answered with {answer!r}"
        return finished(answer, target, self._registry)

    async def _send(self, invoke: Invoke, start_at: int | None) -> Reply:
        answer = await self._requests.ask(
            lambda number: _with(invoke, accept_request_id=number, start_at=start_at)
        )
        assert isinstance(answer, Accepted), f"a send was answered with {answer!r}"
        at = answer.execution_time
        body = SendBody(
            answer.id,
            None if at is None else rfc3339_nanos(at),
            "PreviouslyAccepted" if answer.previously else "Accepted",
        )
        return json_reply(202, body, answer.id)

    # --- what a request says ---------------------------------------------------------------------

    def _command(self, request: Request, meta: HandlerMeta, target: Target, now: int) -> Invoke:
        headers, idempotency_key, trace = _forwarded(request, self._not_forwarded)
        if idempotency_key is not None and target.is_workflow_run:
            raise IngressError(400, _WORKFLOW_KEY)
        fresh = is_fresh(target, idempotency_key)
        if idempotency_key is None and target.service_type is not ServiceType.WORKFLOW:
            # As the official server does: every result is kept, and can be attached to by id.
            idempotency_key = _ulid_text(now, self._random.getrandbits(80))
        completion_ms, journal_ms = self._registry.retention(meta, idempotency_key, target)
        return Invoke(
            id=invocation_id(target, idempotency_key, self._random, now),
            target=target,
            source=FromIngress(),
            headers=headers,
            body=request.take_body(),
            completion_retention_ms=completion_ms,
            journal_retention_ms=journal_ms,
            idempotency_key=idempotency_key,
            trace=trace,
            fresh=fresh,
        )

    def _start_at(self, request: Request, now: int, *, send: bool) -> int | None:
        delay = None
        limit_key = request.header(b"x-restate-limit-key") is not None
        if request.query:
            for name, value in parse_qsl(request.query, keep_blank_values=True):
                lowered = name.lower()
                if lowered == "delay":
                    delay = value
                limit_key = limit_key or lowered == "limit-key"
        if limit_key:
            raise IngressError(400, "limit-key requires a scope to be set")
        if delay is None:
            return None
        if not send:
            raise IngressError(
                400,
                "cannot use the delay query parameter with calls. "
                "The delay is supported only with sends",
            )
        try:
            return now + parse_delay(delay)
        except DurationError as error:
            raise IngressError(
                400, f"bad delay query parameter, must be a ISO8601 duration: {error}"
            ) from error


def _call(invoke: Invoke, number: int) -> Invoke:
    return _with(invoke, sink=RequestSink(number))


def _with(
    invoke: Invoke,
    *,
    sink: RequestSink | None = None,
    accept_request_id: int = 0,
    start_at: int | None = None,
) -> Invoke:
    """The command with its way back: positional, since `replace` is slow on the hot path."""
    return Invoke(
        invoke.id,
        invoke.target,
        invoke.source,
        invoke.headers,
        invoke.body,
        start_at,
        invoke.completion_retention_ms,
        invoke.journal_retention_ms,
        invoke.idempotency_key,
        sink,
        accept_request_id,
        invoke.trace,
        invoke.fresh,
    )


def _check_input(meta: HandlerMeta, request: Request) -> None:
    raw = request.header(b"content-type")
    content_type = None if raw is None else raw.decode("latin-1")
    try:
        meta.input.check(content_type, request.body)
    except InputRejected as error:
        # Clients that send a content type whatever the body (http-api.md A8): no harm in that.
        if request.body or content_type is None or not _takes_nothing(meta):
            raise IngressError(400, str(error)) from error


def _takes_nothing(meta: HandlerMeta) -> bool:
    """Whether the handler takes nothing at all: no body, whatever its type."""
    return meta.input.description == "none"


def _forwarded(
    request: Request, not_forwarded: frozenset[bytes]
) -> tuple[tuple[Header, ...], str | None, Trace | None]:
    """The headers that the handler sees, and those that are for us."""
    query = f"?{request.query}" if request.query else ""
    forwarded = [Header("x-restate-ingress-path", f"{request.path}{query}")]
    seen: set[bytes] = set()
    own: dict[bytes, str] = {}
    for name, raw in request.headers:
        if name in seen:
            continue
        seen.add(name)
        if not raw.isascii():
            raise IngressError(400, f"bad header {name.decode()}: ToStrError {{ _priv: () }}")
        value = raw.decode()
        if name in not_forwarded:
            own[name] = value
            continue
        forwarded.append(Header(name.decode(), value))
        if name in {b"traceparent", b"tracestate"}:
            own[name] = value
    return tuple(forwarded), own.get(b"idempotency-key"), _trace(own)


def _trace(own: dict[bytes, str]) -> Trace | None:
    """The caller's trace; one that is none is as good as absent (W3C trace context §3.2)."""
    parent = own.get(b"traceparent")
    if parent is None:
        return None
    trace = Trace(parent, own.get(b"tracestate", ""))
    return None if parse(trace) is None else trace


def _ulid_text(ms: int, entropy: int) -> str:
    """A ULID in its usual letters: ten for the time, sixteen for 80 bits of entropy."""
    return _letters_of_time(ms) + "".join(
        [_CROCKFORD_PAIRS[entropy >> shift & 1023] for shift in range(70, -1, -10)]
    )


@lru_cache(maxsize=1)  # requests that come together share it
def _letters_of_time(ms: int) -> str:
    return "".join([_CROCKFORD_PAIRS[ms >> shift & 1023] for shift in range(40, -1, -10)])
