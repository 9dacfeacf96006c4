"""An endpoint as an AWS Lambda handler: one event in, one answer out, no streams (§2.6)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, Final

from rtour.sdk.endpoint import Accepted, Endpoint, Response

_COMPRESS_ABOVE: Final = 3 * 1024 * 1024
_ZSTD: Final = "zstd"

LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def handler_for(endpoint: Endpoint) -> LambdaHandler:
    """The function to name as the Lambda's handler."""
    endpoint.request_response_protocol()

    def handle(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        return asyncio.run(_answer(endpoint, event))

    return handle


async def _answer(endpoint: Endpoint, event: dict[str, Any]) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    body = _body(event, headers)
    answer = endpoint.answer(event["path"], headers, can_stream=False)
    content = answer.body if isinstance(answer, Response) else await _attempt(answer, body)
    return _reply(answer, content, headers)


async def _attempt(accepted: Accepted, body: bytes) -> bytes:
    written = bytearray()
    finished = asyncio.Event()
    attempt = accepted.begin(written.extend, finished.set)
    attempt.on_data(body)
    attempt.on_eof()
    await finished.wait()
    return bytes(written)


def _body(event: dict[str, Any], headers: dict[str, str]) -> bytes:
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    if headers.get("content-encoding") == _ZSTD:
        return bytes(_zstd().decompress(body))
    return body


def _reply(answer: Response | Accepted, content: bytes, request: dict[str, str]) -> dict[str, Any]:
    headers = dict(answer.headers)
    if len(content) > _COMPRESS_ABOVE and _ZSTD in request.get("accept-encoding", ""):
        try:
            content = bytes(_zstd().compress(content))
            headers["content-encoding"] = _ZSTD
        except ImportError:  # larger, but complete
            pass
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found] # noqa: PLC0415 - 3.14 on
    except ImportError:
        from backports import zstd  # noqa: PLC0415
    return zstd
