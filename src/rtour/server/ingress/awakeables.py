"""Awakeables, completed from outside: a signal for the invocation that waits."""

from __future__ import annotations

from rtour import ids
from rtour.engine.commands import Signal
from rtour.errors import InvalidId
from rtour.protocol.messages import Failure, Value
from rtour.server.ingress.paths import AWAKEABLE_FORM
from rtour.server.ingress.replies import IngressError, method_not_allowed, not_found
from rtour.server.requests import Requests
from rtour.server.web import Reply, Request


async def complete(requests: Requests, request: Request, parts: list[str]) -> Reply:
    """`/restate/awakeables/{id}/resolve`: accepted, also if nobody waits any more."""
    if len(parts) != 3:
        raise IngressError(400, AWAKEABLE_FORM)
    _, awakeable, verb = parts
    if verb not in {"resolve", "reject"}:
        raise not_found()
    if request.method != "POST":
        raise method_not_allowed()
    try:
        id_, index = ids.parse_awakeable_id(awakeable)
    except InvalidId as error:
        # What fails as the new kind of id is tried as the old one, whose complaint is shown.
        new_kind = awakeable.startswith("sign_")
        reason = "id doesn't match the expected type" if new_kind else error
        raise IngressError(400, f"bad awakeable id '{awakeable}': {reason}") from error
    result: Value | Failure = Value(request.body)
    if verb == "reject":
        result = Failure(500, request.body.decode("utf-8", "replace"))
    if awakeable.startswith("sign_"):  # invocations of the old `prom_` kind cannot be here
        await requests.ask(lambda number: Signal(id_, index, result, number))
    return Reply(202, [])
