"""Requests of the ingress as data: paths, headers, bodies; no I/O (http-api.md part A)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import msgspec

from rtour.sdk.handlers import handler_from_callable
from rtour.sdk.serde import Serde, resolve

T = TypeVar("T")

NOT_READY: Final = 470
_JSON: Final = "application/json"


class HttpError(Exception):
    """The ingress, or the invocation, answered with an error."""

    def __init__(self, status_code: int, message: str, body: str, *, durable: bool) -> None:
        super().__init__(f"{status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.body = body
        self.durable = durable
        """The invocation itself failed: asking again gives the same answer."""


class SendResult(msgspec.Struct, frozen=True):
    """An accepted send."""

    invocation_id: str
    status_code: int
    status: str


class Question(msgspec.Struct, Generic[T]):
    """A request, and what its answer means."""

    method: str
    path: str
    decode: Callable[[int, bytes], T]
    content: bytes = b""
    headers: dict[str, str] = {}
    repeatable: bool = False
    """Sending it twice does no more than sending it once."""
    gives_value: bool = False
    """Its content goes into a journal."""
    takes_value: bool = False
    """Its answer comes out of a journal."""


def call(
    tpe: Callable[..., Any],
    key: str | None,
    arg: Any,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
) -> Question[Any]:
    handler = handler_from_callable(tpe)
    io = handler.io
    return Question(
        "POST",
        _path(handler.service_tag.name, key, handler.name),
        _decoder(io.output_serde),
        io.input_serde.serialize(arg) if io.takes_input else b"",
        _headers(headers, idempotency_key, io.accept if io.takes_input else None),
        repeatable=idempotency_key is not None or handler.kind == "workflow",
        gives_value=io.takes_input,
        takes_value=True,
    )


def send(
    tpe: Callable[..., Any],
    key: str | None,
    arg: Any,
    delay: timedelta | None,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
) -> Question[SendResult]:
    question = call(tpe, key, arg, idempotency_key, headers)
    return as_send(question, delay)


def generic(
    service: str,
    handler: str,
    arg: bytes,
    key: str | None,
    idempotency_key: str | None,
    headers: Mapping[str, str] | None,
) -> Question[bytes]:
    return Question(
        "POST",
        _path(service, key, handler),
        lambda _status, body: body,
        arg,
        _headers(headers, idempotency_key, None),
        repeatable=idempotency_key is not None,
        gives_value=True,
        takes_value=True,
    )


def as_send(question: Question[Any], delay: timedelta | None) -> Question[SendResult]:
    """The same call, without waiting for its result."""
    query = f"?delay={_ms(delay)}ms" if delay else ""
    return Question(
        question.method,
        f"{question.path}/send{query}",
        _decode_send,
        question.content,
        question.headers,
        question.repeatable,
        gives_value=question.gives_value,
    )


def scoped(
    question: Question[T], scope: str, limit_key: str | None, *, verb: str = "call"
) -> Question[T]:
    """The same within a scope; a send's path loses its last segment, the verb says it."""
    path, _, query = question.path.partition("?")
    inner = path.removesuffix("/send") if verb == "send" else path
    full = f"/restate/scope/{quote(scope, safe='')}/{verb}{inner}"
    headers = question.headers | ({"x-restate-limit-key": limit_key} if limit_key else {})
    return Question(
        question.method,
        f"{full}?{query}" if query else full,
        question.decode,
        question.content,
        headers,
        question.repeatable,
        question.gives_value,
        question.takes_value,
    )


# --- results of earlier calls --------------------------------------------------------------------


def by_id(what: str, invocation_id: str, serde: Serde[T] | None, hint: Any) -> Question[T]:
    """`what` is attach or output."""
    path = f"/restate/invocation/{quote(invocation_id, safe='')}/{what}"
    return _question_about(path, resolve(serde, hint))


def by_workflow(what: str, tpe: Callable[..., Any], key: str) -> Question[Any]:
    handler = handler_from_callable(tpe)
    path = f"/restate/workflow/{_joined(handler.service_tag.name, key)}/{what}"
    return _question_about(path, handler.io.output_serde)


def by_request(
    what: str, tpe: Callable[..., Any], idempotency_key: str, key: str | None
) -> Question[Any]:
    handler = handler_from_callable(tpe)
    target = _path(handler.service_tag.name, key, handler.name)
    path = f"/restate/invocation{target}/{quote(idempotency_key, safe='')}/{what}"
    return _question_about(path, handler.io.output_serde)


def _question_about(path: str, serde: Serde[Any]) -> Question[Any]:
    return Question("GET", path, _decoder(serde), repeatable=True, takes_value=True)


def resolve_awakeable(awakeable_id: str, value: Any, serde: Serde[Any] | None) -> Question[None]:
    content = resolve(serde, type(value)).serialize(value)
    path = f"/restate/awakeables/{quote(awakeable_id, safe='')}/resolve"
    headers = {"content-type": _JSON}
    return Question("POST", path, _nothing, content, headers, repeatable=True, gives_value=True)


def reject_awakeable(awakeable_id: str, message: str) -> Question[None]:
    path = f"/restate/awakeables/{quote(awakeable_id, safe='')}/reject"
    headers = {"content-type": "text/plain"}
    return Question("POST", path, _nothing, message.encode(), headers, repeatable=True)


# --- parts ---------------------------------------------------------------------------------------


def _path(service: str, key: str | None, handler: str) -> str:
    return "/" + (_joined(service, handler) if key is None else _joined(service, key, handler))


def _joined(*segments: str) -> str:
    return "/".join(quote(segment, safe="") for segment in segments)


def _headers(
    headers: Mapping[str, str] | None, idempotency_key: str | None, content_type: str | None
) -> dict[str, str]:
    all_headers = dict(headers or {})
    if content_type is not None:
        all_headers.setdefault("content-type", _JSON if content_type == "*/*" else content_type)
    if idempotency_key is not None:
        all_headers["idempotency-key"] = idempotency_key
    return all_headers


def with_token(headers: Mapping[str, str] | None, token: str | None) -> dict[str, str]:
    """The headers of all requests; an `authorization` among them stays what it is."""
    own = dict(headers or {})
    if token is not None and "authorization" not in {name.lower() for name in own}:
        own["authorization"] = f"Bearer {token}"
    return own


def _ms(delay: timedelta) -> int:
    return int(delay.total_seconds() * 1000)


def _decoder(serde: Serde[Any]) -> Callable[[int, bytes], Any]:
    return lambda _status, body: serde.deserialize(body)


def _decode_send(status: int, body: bytes) -> SendResult:
    answer = json.loads(body)
    return SendResult(answer["invocationId"], status, answer.get("status", ""))


def _nothing(_status: int, _body: bytes) -> None:
    """An answer without content."""
