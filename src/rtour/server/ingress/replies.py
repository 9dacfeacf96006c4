"""What the ingress answers: results, refusals, and the headers around them."""

from __future__ import annotations

from typing import Final

import msgspec

from rtour.engine.actions import Finished
from rtour.engine.model import Target
from rtour.errors import RtourError
from rtour.protocol.messages import Failure
from rtour.server.instants import rfc3339
from rtour.server.registry import Registry
from rtour.server.web import JSON, Headers, Reply

_FROM_INGRESS: Final = (b"x-restate-error-source", b"ingress")
_FROM_INVOCATION: Final = (b"x-restate-error-source", b"invocation")
_ENCODER: Final = msgspec.json.Encoder()

NOT_READY = 470


class IngressError(RtourError):
    """A request the ingress itself refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_found() -> IngressError:
    return IngressError(404, "not found")


def not_public() -> IngressError:
    return IngressError(400, "the invoked service is not public")


def method_not_allowed() -> IngressError:
    return IngressError(405, "method not allowed")


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The shape of all errors; `source` tells refusals from outcomes of invocations."""

    code: int
    message: str
    metadata: dict[str, str] | None = None
    source: str = ""


class SendBody(msgspec.Struct, rename="camel", omit_defaults=True):
    """The answer to a send."""

    invocation_id: str
    execution_time: str | None = None
    status: str = ""


class LookupBody(msgspec.Struct, rename="camel"):
    invocation_id: str


def refusal(error: IngressError) -> Reply:
    body = ErrorBody(error.status, error.message, source="ingress")
    return Reply(error.status, [JSON, _FROM_INGRESS], _ENCODER.encode(body))


def refused(status: int, message: str, headers: Headers) -> Reply:
    """What the guard of the port answers in the place of the ingress."""
    answer = refusal(IngressError(status, message))
    answer.headers += headers
    return answer


def json_reply(status: int, body: msgspec.Struct, id_: str | None = None) -> Reply:
    headers: Headers = [JSON]
    if id_ is not None:
        headers.append((b"x-restate-id", id_.encode()))
    return Reply(status, headers, _ENCODER.encode(body))


def outcome(id_: str, failure: Failure, headers: Headers | None = None) -> Reply:
    """How an invocation failed, which is its final word."""
    status = failure.code if 200 <= failure.code <= 999 else 500
    metadata = dict(failure.metadata) or None
    body = ErrorBody(failure.code, failure.message, metadata, "invocation")
    return Reply(
        status,
        [(b"x-restate-id", id_.encode()), *(headers or ()), JSON, _FROM_INVOCATION],
        _ENCODER.encode(body),
    )


def finished(answer: Finished, target: Target | None, registry: Registry) -> Reply:
    """The result of an invocation, as its handler calls it."""
    headers: Headers = []
    if answer.expires_at is not None:
        headers.append((b"idempotency-expires", rfc3339(answer.expires_at).encode()))
    if isinstance(answer.result, Failure):
        return outcome(answer.id, answer.result, headers)
    content = answer.result.content
    headers.append((b"x-restate-id", answer.id.encode()))
    meta = None if target is None else registry.resolve(target.service, target.handler)
    content_type = None if meta is None else meta.output.content_type(content)
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    return Reply(200, headers, content)
