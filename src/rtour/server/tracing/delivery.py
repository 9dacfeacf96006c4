"""From an endpoint's address to requests that a collector understands: OTLP over gRPC or HTTP.

`http://`, `https://` and `grpc://` mean gRPC; `otlp+http(s)://` HTTP with protobuf and
`otlp+json+http(s)://` HTTP with JSON (server-semantics.md §14.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from rtour.errors import RtourError
from rtour.server.tracing import otlp, otlp_json
from rtour.server.tracing.exporter import Undelivered
from rtour.server.tracing.spans import Attributes, Span
from rtour.server.transport import Endpoint, ResponseHead, Transport, TransportError, fetch

TIMEOUT_S: Final = 10.0
_ANSWER_BYTES_MAX: Final = 64 << 10
_GRPC_PATH: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_HTTP_PATH: Final = "/v1/traces"
# Codes that say nothing about the spans: cancelled, unknown, deadline, exhausted, aborted, out of
# range, internal, unavailable, data loss.
_GRPC_AGAIN: Final = frozenset({"1", "2", "4", "8", "10", "11", "13", "14", "15"})
_HTTP_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})

Pairs = tuple[tuple[str, str], ...]


class BadTracingEndpoint(RtourError):  # noqa: N818
    """An address that names no way to export spans."""


class Destination(msgspec.Struct, frozen=True):
    """Where spans go, and how."""

    uri: str
    path: str
    grpc: bool
    json: bool

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.uri, "HTTP/2.0" if self.grpc else "HTTP/1.1")


def destination(text: str) -> Destination:
    """Take an endpoint's address apart; BadTracingEndpoint says what is wrong with it."""
    scheme, separator, rest = text.strip().partition("://")
    words = scheme.lower().split("+")
    json = words[:2] == ["otlp", "json"]
    http = words[0] == "otlp"
    transport = words[-1] if len(words) == 1 + http + json else ""
    secure = {"http": "http", "https": "https", "grpc": "http" if not http else ""}.get(transport)
    uri = f"{secure}://{rest}"
    try:
        parts = urlsplit(uri)
        usable = bool(separator and secure and parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadTracingEndpoint(
            f"cannot export spans to '{text}': expected http://host:4317 for OTLP over gRPC, "
            "otlp+http://host:4318 or otlp+json+http://host:4318 for OTLP over HTTP"
        )
    if parts.username is not None:
        raise BadTracingEndpoint("the address of a collector carries no user: use tracing_headers")
    has_path = parts.path not in {"", "/"}
    path = _GRPC_PATH if not http else "" if has_path else _HTTP_PATH
    return Destination(uri.rstrip("/"), path or "/", not http, json)


def pairs(text: str | None) -> Pairs:
    """`name=value,name=value`, values percent-encoded where they must be, as OTEL_* variables."""
    found = []
    for part in filter(None, (text or "").split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise BadTracingEndpoint(f"expected name=value,name=value, got '{name}' alone")
        found.append((name.strip(), unquote(value.strip())))
    return tuple(found)


class Delivery:
    """Sends batches of encoded spans; knows the format and the way."""

    def __init__(
        self,
        to: Destination,
        headers: Pairs,
        resource: Attributes,
        version: str,
        transport: Transport,
    ) -> None:
        self.encode: Callable[[Span], bytes] = otlp_json.span if to.json else otlp.span
        self._export = otlp_json.export_request if to.json else otlp.export_request
        self._to = to
        self._resource = resource
        self._version = version
        self._transport = transport
        self._headers = [*_content_headers(to), *((name.lower(), it) for name, it in headers)]

    async def __call__(self, spans: Iterable[bytes]) -> tuple[int, str]:
        """Send spans; how many the collector refused, and why. Raises Undelivered."""
        body = self._export(self._resource, self._version, spans)
        if self._to.grpc:
            body = b"\0" + len(body).to_bytes(4, "big") + body
        try:
            head, answer = await fetch(
                self._transport,
                self._to.endpoint,
                self._to.path,
                self._headers,
                method="POST",
                body=body,
                timeout_s=TIMEOUT_S,
                max_bytes=_ANSWER_BYTES_MAX,
            )
        except TransportError as error:
            raise Undelivered(str(error), again=True) from error
        if self._to.grpc:
            return _grpc_answer(head, answer)
        return self._http_answer(head.status, answer)

    def _http_answer(self, status: int, answer: bytes) -> tuple[int, str]:
        if not 200 <= status < 300:
            said = answer[:200].decode("utf-8", "replace").strip()
            raise Undelivered(
                f"HTTP status {status}{': ' if said else ''}{said}", again=status in _HTTP_AGAIN
            )
        return otlp_json.rejected(answer) if self._to.json else otlp.rejected(answer)


def _content_headers(to: Destination) -> Pairs:
    us = ("user-agent", "rtour")
    if to.grpc:
        return us, ("content-type", "application/grpc"), ("te", "trailers")
    return us, ("content-type", "application/json" if to.json else "application/x-protobuf")


def _grpc_answer(head: ResponseHead, answer: bytes) -> tuple[int, str]:
    """How a call went is in its trailers, or in its head if it has no other answer."""
    told = head.headers | head.trailers
    code = told.get("grpc-status")
    if code not in {None, "0"}:
        said = unquote(told.get("grpc-message", ""))
        raise Undelivered(f"gRPC status {code}: {said}", again=code in _GRPC_AGAIN)
    if head.status != 200 or not told.get("content-type", "").startswith("application/grpc"):
        raise Undelivered(
            f"HTTP status {head.status} and no gRPC: is this an OTLP gRPC port, such as 4317?",
            again=head.status in _HTTP_AGAIN,
        )
    if code is None:
        raise Undelivered("the gRPC call broke off before its status", again=True)
    if len(answer) < 5:
        raise Undelivered("the gRPC call ended without an answer", again=True)
    return otlp.rejected(answer[5:])
