"""Attach to invocations, look at their output, compute their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rtour import ids
from rtour.engine.actions import Finished, NotReady, Response
from rtour.engine.commands import Attach, GetOutput
from rtour.engine.model import RequestSink, Target
from rtour.errors import InvalidId
from rtour.protocol.messages import Failure
from rtour.server.ingress.paths import (
    INVOCATION_FORM,
    NEW_FORM,
    WORKFLOW_FORM,
    decode_key,
    service_at,
)
from rtour.server.ingress.replies import (
    NOT_READY,
    IngressError,
    LookupBody,
    finished,
    json_reply,
    method_not_allowed,
    not_found,
    not_public,
    outcome,
)
from rtour.server.preconditions import idempotent_id, workflow_id
from rtour.server.registry import Registry
from rtour.server.requests import Requests
from rtour.server.web import Reply, Request
from rtour.unreadable import UNREADABLE

VERBS: Final = frozenset({"attach", "output"})


class ByWorkflow(msgspec.Struct, tag_field="target", tag="workflow", rename="camel"):
    workflow_name: str
    workflow_key: str
    scope: str | None = None


class ByIdempotencyKey(
    msgspec.Struct, tag_field="target", tag="idempotentInvocation", rename="camel"
):
    service: str
    handler: str
    idempotency_key: str
    key: str | None = None
    scope: str | None = None


class ById(msgspec.Struct, tag_field="target", tag="invocation", rename="camel"):
    invocation_id: str


_TARGET: Final = msgspec.json.Decoder(ByWorkflow | ByIdempotencyKey | ById)


Described = ByWorkflow | ByIdempotencyKey | ById


class Results:
    """`target_of` says what a stored invocation invoked, which decides the content type.

    Results of private services are not told, by whatever name one asks. Names are looked at before
    ids: who guesses names learns not even whether there was such an invocation.
    """

    def __init__(
        self, registry: Registry, requests: Requests, target_of: Callable[[str], Target | None]
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._target_of = target_of

    async def short(self, request: Request, parts: list[str]) -> Reply:
        """`GET /restate/attach/{id}`, or `POST /restate/attach` with the target as body."""
        verb, *rest = parts
        if not rest:
            if request.method != "POST":
                raise method_not_allowed()
            described = _described(request.body, "request")
            self._check_named(described)
            return await self._ask(verb, _id_of(described))
        if len(rest) != 1:
            raise IngressError(400, NEW_FORM)
        id_ = _checked(rest[0])
        if request.method != "GET":
            raise method_not_allowed()
        return await self._ask(verb, id_)

    async def lookup(self, request: Request, parts: list[str]) -> Reply:
        """`POST /restate/lookup`: a computation, it does not look whether there is such a one."""
        if len(parts) != 1:
            raise IngressError(400, NEW_FORM)
        if request.method != "POST":
            raise method_not_allowed()
        return json_reply(200, LookupBody(_id_of(_described(request.body, "lookup"))))

    async def by_invocation(self, request: Request, parts: list[str]) -> Reply:
        """`/restate/invocation/{id}/attach`, or a target and its idempotency key for the id."""
        if len(parts) < 3:
            raise IngressError(400, INVOCATION_FORM)
        _, *rest, verb = parts
        if len(rest) == 1:
            if verb not in VERBS:
                raise not_found()
            self._only_get(request)
            return await self._ask(verb, _checked(rest[0]))
        service = service_at(self._registry, rest[0])
        if len(rest) != (4 if service.keyed else 3) or verb not in VERBS:
            raise not_found()
        self._only_get(request)
        key = decode_key(rest[1]) if service.keyed else None
        self._check_public(service.name, rest[-2])
        return await self._ask(verb, idempotent_id(service.name, key, rest[-2], rest[-1]))

    async def by_workflow(self, request: Request, parts: list[str]) -> Reply:
        """`/restate/workflow/{name}/{key}/attach`."""
        if len(parts) != 4:
            raise IngressError(400, WORKFLOW_FORM)
        _, name, key, verb = parts
        if verb not in VERBS:
            raise not_found()
        self._only_get(request)
        self._check_public(name)
        return await self._ask(verb, workflow_id(name, decode_key(key)))

    def _only_get(self, request: Request) -> None:
        if request.method != "GET":
            raise method_not_allowed()

    def _check_named(self, described: Described) -> None:
        if isinstance(described, ByWorkflow):
            self._check_public(described.workflow_name)
        elif isinstance(described, ByIdempotencyKey):
            self._check_public(described.service, described.handler)

    def _check_public(self, service: str, handler: str = "") -> None:
        meta = self._registry.service(service)
        if meta is not None and not meta.handlers.get(handler, meta).public:
            raise not_public()

    async def _ask(self, verb: str, id_: str) -> Reply:
        target = self._target_of(id_)
        if target is not None:
            self._check_public(target.service, target.handler)
        command = Attach if verb == "attach" else GetOutput
        answer = await self._requests.ask(lambda number: command(id_, RequestSink(number)))
        if isinstance(answer, Finished):
            return finished(answer, target, self._registry)
        return _unfinished(verb, id_, answer)


def _unfinished(verb: str, id_: str, answer: Response) -> Reply:
    if isinstance(answer, NotReady):
        raise IngressError(NOT_READY, "the invocation exists but has not completed yet")
    if verb == "attach":  # to whoever attaches, this is how the invocation ended
        return outcome(id_, Failure(404, "not found"))
    raise IngressError(404, "invocation not found")


def _checked(id_: str) -> str:
    try:
        ids.parse_invocation_id(id_)
    except InvalidId as error:
        raise IngressError(400, f"bad invocation id '{id_}': {error}") from error
    return id_


def _described(body: bytes, what: str) -> Described:
    """The invocation that a JSON body describes."""
    try:
        described: Described = _TARGET.decode(body)
    except UNREADABLE as error:
        message = f"cannot read body: invalid {what} body: {error}"
        raise IngressError(500, message) from error
    return described


def _id_of(target: Described) -> str:
    if isinstance(target, ById):
        return _checked(target.invocation_id)
    if target.scope is not None:
        raise IngressError(400, "scoped invocations require vqueues to be enabled")
    if isinstance(target, ByWorkflow):
        return workflow_id(target.workflow_name, target.workflow_key)
    return idempotent_id(target.service, target.key, target.handler, target.idempotency_key)
