"""Endpoints written by hand: a discovery answer we choose, and bytes we choose for each attempt.

They speak HTTP/1.1 and, unless told otherwise, request-response mode: the whole journal comes in
one request. A test registers them with `use_http_11`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.conformance import wire

MANIFEST_TYPE = "application/vnd.restate.endpointmanifest.v4+json"


class Request(msgspec.Struct, frozen=True):
    """One HTTP request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def handler(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def journal(self) -> list[tuple[int, wire.Fields]]:
        """What the server sent after Start."""
        return wire.frames(self.body)[1:]

    def result(self, completion_id: int) -> wire.Fields | None:
        """The notification for this completion id, if the journal has it."""
        for kind, fields in self.journal:
            if kind in wire.NOTIFICATIONS and fields.get(1) == [completion_id]:
                return fields
        return None


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def manifest(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A discovery answer in request-response mode."""
    return {
        "protocolMode": "REQUEST_RESPONSE",
        "minProtocolVersion": 5,
        "maxProtocolVersion": 6,
        "services": list(services),
        **more,
    }


def service(name: str, *handlers: str, ty: str = "SERVICE", **options: Any) -> dict[str, Any]:
    return {"name": name, "ty": ty, "handlers": [{"name": each} for each in handlers], **options}


class Peer:
    """A hand-written endpoint; what it answers may be changed while it runs."""

    def __init__(self, manifest: dict[str, Any], behaviour: Behaviour) -> None:
        self.manifest = manifest
        self.behaviour = behaviour
        self.attempts: list[Request] = []
        self.port = 0
        self._connections: set[asyncio.Task[Any]] = set()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            while (request := await _read_request(reader)) is not None:
                await self._answer(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side may leave whenever it likes
        except asyncio.CancelledError:
            pass  # hang_up; asyncio's own callback would only complain about it
        finally:
            writer.close()
            self._connections.discard(connection)

    async def hang_up(self) -> None:
        """End every connection, whatever its behaviour waits for."""
        open_ones = list(self._connections)
        for connection in open_ones:
            connection.cancel()
        await asyncio.gather(*open_ones)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path.endswith("/discover"):
            body = json.dumps(self.manifest).encode()
            respond(writer, 200, body, **{"content-type": MANIFEST_TYPE})
            return
        self.attempts.append(request)
        await self.behaviour(request, writer)


@asynccontextmanager
async def peer(manifest: dict[str, Any], behaviour: Behaviour) -> AsyncIterator[Peer]:
    """A peer that listens on a free loopback port until the block ends."""
    one = Peer(manifest, behaviour)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        await one.hang_up()


def respond(
    writer: asyncio.StreamWriter, status: int, body: bytes = b"", /, **headers: str
) -> None:
    """A complete HTTP/1.1 answer."""
    head = {"content-length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} X", *[f"{name}: {value}" for name, value in head.items()]]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def respond_frames(request: Request, writer: asyncio.StreamWriter, *sent: bytes) -> None:
    """The usual answer to an attempt: 200, the request's content type, and these frames."""
    kind = request.headers["content-type"]
    respond(writer, 200, b"".join(sent), **{"content-type": kind})


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = [line.split(":", 1) for line in lines if line]
    headers = {name.lower(): value.strip() for name, value in pairs}
    return Request(method, path, headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
