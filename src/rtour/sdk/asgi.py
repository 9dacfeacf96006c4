"""An endpoint as an ASGI 3 application, for hypercorn, uvicorn, granian, and under Starlette."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class AsgiApp:
    """What an ASGI server calls; `endpoint` is what it serves."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"Restate does not use {scope['type']} connections")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path = scope.get("raw_path") or scope["path"].encode()
        can_stream = scope.get("http_version") not in ("1.0", "1.1")
        answer = self.endpoint.answer(path.decode("latin-1"), headers, can_stream=can_stream)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.encode(), value.encode()) for name, value in answer.headers],
            }
        )
        if isinstance(answer, Accepted):
            await _Exchange(answer, receive, send).run()
        else:
            await send({"type": "http.response.body", "body": answer.body, "more_body": False})


class _Exchange:
    """One attempt over one ASGI request: a reader beside a writer."""

    def __init__(self, accepted: Accepted, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._chunks: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._finished = False
        self._attempt: Attempt = accepted.begin(self._write, self._finish)

    def _write(self, data: bytes) -> None:
        self._chunks.append(data)
        self._something.set()

    def _finish(self) -> None:
        self._finished = True
        self._something.set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        reader = loop.create_task(self._read())
        try:
            while not (self._finished and not self._chunks):
                await self._something.wait()
                self._something.clear()
                while self._chunks:
                    chunk = b"".join(self._chunks)
                    self._chunks.clear()
                    await self._send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except BaseException:
            self._attempt.on_lost()
            raise
        finally:
            reader.cancel()

    async def _read(self) -> None:
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self._attempt.on_lost()
                return
            if event.get("body"):
                self._attempt.on_data(event["body"])
            more = event.get("more_body", False)
        self._attempt.on_eof()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


def app_for(endpoint: Endpoint) -> Any:
    """The ASGI app, or a Lambda handler when this is AWS Lambda."""
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        from rtour.sdk.aws_lambda import handler_for  # noqa: PLC0415 - there only

        return handler_for(endpoint)
    return AsgiApp(endpoint)
