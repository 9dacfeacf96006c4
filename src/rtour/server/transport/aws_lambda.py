"""Deployments that are AWS Lambda functions: a request is an event, a response is its answer.

`LambdaTransport` stands in front of another transport, which carries the calls of Lambda's Invoke
API; requests to URLs it passes on as they are.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from rtour.server.transport.client import fetch
from rtour.server.transport.errors import BadPeer, ConnectFailed, TransportError
from rtour.server.transport.interface import Endpoint, Exchange, ResponseHead, Transport
from rtour.unreadable import UNREADABLE

# Lambda answers within 15 minutes or not at all; what an attempt may take ends it before that.
_TIMEOUT_S: Final = 900.0
# A synchronous answer has 6 MB at most.
_ANSWER_BYTES_MAX: Final = 8 << 20
# Bodies above this are compressed for functions that can read them.
_COMPRESS_ABOVE: Final = 4 << 20


class Call(msgspec.Struct, frozen=True):
    """An HTTP request to Lambda's API, signed if need be. `url` has no path."""

    url: str
    path: str
    headers: Sequence[tuple[str, str]]


class Signer(Protocol):
    """Knows where Lambda is, and proves who asks."""

    async def call(self, endpoint: Endpoint, path: str, body: bytes) -> Call:
        """The call that carries `body` to a function. Raises ConnectFailed."""


class Answer(msgspec.Struct, rename="camel"):
    """What a function returns: an HTTP response in the shape of API Gateway."""

    status_code: int
    headers: dict[str, str] = {}
    body: str = ""
    is_base64_encoded: bool = False


_ANSWER: Final = msgspec.json.Decoder(Answer)


class LambdaTransport:
    """`Transport` for URLs and ARNs."""

    def __init__(self, inner: Transport, signer: Signer) -> None:
        self._inner = inner
        self._signer = signer

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> Exchange:
        """Start a request; one to a function is sent when its body is complete."""
        if not endpoint.is_lambda:
            return await self._inner.open(
                endpoint, path, headers, body=body, end=end, method=method
            )
        exchange = LambdaExchange(self._inner, self._signer, endpoint, path, headers, method)
        exchange.send(body)
        if end:
            exchange.end_request()
        return exchange

    async def close(self) -> None:
        await self._inner.close()


class LambdaExchange:
    """One event and its answer. Nothing goes out before the body is complete."""

    def __init__(
        self,
        inner: Transport,
        signer: Signer,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        method: str,
    ) -> None:
        self._inner = inner
        self._signer = signer
        self._endpoint = endpoint
        self._path = path
        self._headers = dict(headers)
        self._method = method
        self._body = bytearray()
        self._complete = asyncio.Event()
        self._invoking: asyncio.Task[Answer] | None = None
        self._content: bytes | None = None

    def send(self, data: bytes) -> None:
        self._body += data

    def end_request(self) -> None:
        self._complete.set()

    async def drain_send(self) -> None:
        """What is sent waits for the end anyway."""

    async def head(self) -> ResponseHead:
        await self._complete.wait()
        answer = await self._invoke()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        self._content = _content(answer, headers)
        return ResponseHead(answer.status_code, headers)

    async def receive(self) -> bytes:
        if self._content is None:
            await self.head()
        content, self._content = self._content, b""
        return content or b""

    async def _invoke(self) -> Answer:
        if self._invoking is None:
            self._invoking = asyncio.get_running_loop().create_task(self._ask())
        try:
            return await asyncio.shield(self._invoking)
        except asyncio.CancelledError:
            if self._invoking.cancelled():  # by `abort`
                raise ConnectFailed("the call of the function was given up") from None
            raise

    async def _ask(self) -> Answer:
        event = msgspec.json.encode(self._event())
        name = quote(self._endpoint.uri, safe="")
        path = f"/2015-03-31/functions/{name}/invocations"
        call = await self._signer.call(self._endpoint, path, event)
        head, body = await fetch(
            self._inner,
            Endpoint(call.url, "HTTP/1.1"),
            call.path,
            call.headers,
            method="POST",
            body=event,
            timeout_s=_TIMEOUT_S,
            max_bytes=_ANSWER_BYTES_MAX,
        )
        return _answered(head, body)

    def _event(self) -> dict[str, Any]:
        headers, body = self._headers, bytes(self._body)
        if self._endpoint.zstd and (zstd := _zstd()) is not None:
            headers = headers | {"accept-encoding": "zstd"}
            if len(body) > _COMPRESS_ABOVE:
                body = zstd.compress(body)
                headers["content-encoding"] = "zstd"
        return {
            "path": self._path,
            "httpMethod": self._method,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def abort(self) -> None:
        if self._invoking is not None:
            self._invoking.cancel()

    def discard(self, within_s: float) -> None:  # noqa: ARG002 - the answer comes whole or not
        self.abort()


def _answered(head: ResponseHead, body: bytes) -> Answer:
    """The function's own answer. Raises TransportError with what Lambda says instead."""
    if head.status != 200:
        raise _refused(head, body)
    if "x-amz-function-error" in head.headers:
        error = _json(body)
        raise BadPeer(
            f"the Lambda function failed: {error.get('errorType', 'Error')}: "
            f"{error.get('errorMessage', body.decode('utf-8', 'replace'))}"
        )
    try:
        return _ANSWER.decode(body)
    except UNREADABLE as error:
        raise BadPeer(
            "the Lambda function returned no HTTP response (statusCode, headers, body): is its "
            f"handler the SDK's? {error}"
        ) from error


def _refused(head: ResponseHead, body: bytes) -> TransportError:
    kind = head.headers.get("x-amzn-errortype", "").partition(":")[0] or f"status {head.status}"
    said = _json(body)
    message = said.get("Message") or said.get("message") or "no reason given"
    return ConnectFailed(f"lambda service returned error: {kind}: {message}")


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found: Any = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def _content(answer: Answer, headers: Mapping[str, str]) -> bytes:
    if not answer.is_base64_encoded:
        return answer.body.encode()
    try:
        content = base64.b64decode(answer.body, validate=True)
    except ValueError as error:
        raise BadPeer(f"the body of the function's answer is no base64: {error}") from error
    if headers.get("content-encoding") == "zstd":
        zstd = _zstd()
        if zstd is None:
            raise BadPeer("the function's answer is compressed with zstd, which nobody asked for")
        content = bytes(zstd.decompress(content))
    return content


def _zstd() -> Any:
    """The zstd module, where there is one: Python 3.14's or the one that `rtour[aws]` brings."""
    try:
        from compression import zstd  # type: ignore[import-not-found] # noqa: PLC0415 - 3.14 on
    except ImportError:
        try:
            from backports import zstd  # noqa: PLC0415 - an extra
        except ImportError:
            return None
    return zstd
