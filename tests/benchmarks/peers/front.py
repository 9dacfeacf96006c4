"""The front of a peer: an ASGI app whose paths are those of the benchmark's ingress.

People call rtour by HTTP; a library has no ingress of its own, so what its users would put in front
of it stands here, as light as it gets (uvicorn without a framework).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

KEYED_PARTS = 4  # before the first slash is a part, too
Handler = Callable[[str], Awaitable[Any]]
KeyedHandler = Callable[[str, str], Awaitable[Any]]
Send = Callable[[str, float], Awaitable[None]]


class Front:
    """`calls` answer with a result; `send(text, delay_s)` starts a no-op and waits for nothing.

    `keyed` are called with the key from the path, too: `/Counter/add` as `/Counter/{key}/add`.
    """

    def __init__(
        self, calls: dict[str, Handler], send: Send, keyed: dict[str, KeyedHandler]
    ) -> None:
        self._calls = calls
        self._send = send
        self._keyed = keyed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        text = json.loads(await _body(receive) or b'""')
        path = scope["path"]
        if path == "/Bench/noop/send":
            await self._send(text, _delay_s(scope["query_string"].decode()))
            await _answer(send, 202, None)
        elif path in self._calls:
            await _answer(send, 200, await self._calls[path](text))
        elif (named := _without_key(path))[0] in self._keyed:
            await _answer(send, 200, await self._keyed[named[0]](named[1], text))
        else:
            await _answer(send, 200 if path == "/health" else 404, None)


def _without_key(path: str) -> tuple[str, str]:
    """`/Counter/add` and `k1` of `/Counter/k1/add`; an empty path of all that has no key."""
    parts = path.split("/")
    if len(parts) != KEYED_PARTS:
        return "", ""
    _, service, key, handler = parts
    return f"/{service}/{handler}", key


def _delay_s(query: str) -> float:
    (delay,) = parse_qs(query).get("delay", ["0ms"])
    return int(delay.removesuffix("ms")) / 1000


async def _body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Any, status: int, result: Any) -> None:
    body = json.dumps(result).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(front: Front, port: int) -> None:
    import uvicorn

    config = uvicorn.Config(front, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve()
