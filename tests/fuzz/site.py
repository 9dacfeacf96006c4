"""A whole server in this process, on real sockets, with a deployment that answers everything.

Requests of any kind can be thrown at it; afterwards it must be as healthy as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from rtour.protocol.discovery import manifest_content_type
from rtour.protocol.framing import encode
from rtour.protocol.messages import End, Output, Value
from rtour.server.attempt_opening import CONTENT_TYPE
from rtour.server.front import Front
from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.transport import Endpoint, ResponseHead, StreamLost
from rtour.server.web import Reply, Request
from tests.fuzz.watching import Watch, watched
from tests.server.rooms import MANIFEST

T = TypeVar("T")

URI = "http://127.0.0.1:9/"
ANSWERS_WITHIN_S = 60.0  # what hangs is a finding, a machine that is busy is not
SETTINGS = Settings(
    ephemeral=True,
    ingress_port=0,
    admin_port=0,
    pg_port=0,
    dev_clock=True,
    query_timeout_ms=2000,
    shutdown_timeout_ms=0,
)


class Answering:
    """Both ends of one exchange with the deployment: the answer is there from the start."""

    def __init__(self, head: ResponseHead, *chunks: bytes) -> None:
        self._head = head
        self._chunks = [*chunks, b""]
        self._aborted = False

    def send(self, data: bytes) -> None: ...

    def end_request(self) -> None: ...

    def discard(self, within_s: float) -> None: ...

    async def drain_send(self) -> None: ...

    def abort(self) -> None:
        self._aborted = True

    async def head(self) -> ResponseHead:
        return self._head

    async def receive(self) -> bytes:
        if self._aborted:
            raise StreamLost("aborted", before_response=False)
        return self._chunks.pop(0) if len(self._chunks) > 1 else b""


class Deployment:
    """Describes itself by `manifest`; every handler says `"ok"`, or what `says` is."""

    def __init__(self) -> None:
        self.manifest = msgspec.json.encode(MANIFEST)
        self.says: bytes | None = None

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> Answering:
        if path.endswith("/discover"):
            named = {"content-type": manifest_content_type(4)}
            return Answering(ResponseHead(200, named), self.manifest)
        version = int(dict(headers)["content-type"].rpartition(".v")[2])
        said = self.says
        if said is None:
            said = encode(Output(Value(b'"ok"')), version) + encode(End(), version)
        return Answering(ResponseHead(200, {"content-type": CONTENT_TYPE % version}), said)

    async def close(self) -> None:
        pass


class Silent:
    """A Kafka that has no records: no test talks to a broker."""

    def __init__(self, *_: Any) -> None:
        self._closed = asyncio.Event()

    async def poll(self) -> list[Any]:
        await self._closed.wait()
        return []

    async def lags(self) -> dict[int, int]:
        return {}

    def complaint(self) -> str | None:
        return None

    async def close(self) -> None:
        self._closed.set()


class Site:
    """The server, its deployment, and a loop to run questions on."""

    def __init__(self, watch: Watch) -> None:
        self._loop = asyncio.new_event_loop()
        self._watch = watch
        self.deployment = Deployment()
        self.server = self._loop.run_until_complete(self._start())

    async def _start(self) -> Server:
        server = Server(SETTINGS, transport=self.deployment)  # type: ignore[arg-type]
        await server.__aenter__()
        server.subscriptions._open_client = Silent  # type: ignore[assignment]
        reply = await self.ask(server.admin, "POST", "/deployments", {"uri": URI})
        assert reply.status == 201, (reply, self._watch.complaints)
        return server

    async def ask(self, front: Front, method: str, path: str, body: object = None) -> Reply:
        """A request without a socket."""
        path, _, query = path.partition("?")
        content = b"" if body is None else msgspec.json.encode(body)
        headers = [(b"content-type", b"application/json")]
        return await front.shared.app(Request(method, path, query, headers, content))

    def run(self, work: Awaitable[T]) -> T:
        """Do something, then see that nothing was the server's fault and it still answers."""

        async def within() -> T:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                return await work

        self._watch.complaints.clear()
        result = self._loop.run_until_complete(within())
        assert self.server.failure is None, self.server.failure
        self._watch.assert_quiet()
        return result

    def close(self) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.close()

    async def _stop(self) -> None:
        await self.server.__aexit__()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def standing() -> Iterator[Site]:
    with watched() as watch:
        site = Site(watch)
        try:
            yield site
        finally:
            site.close()


def assert_answer(status: int, body: bytes) -> None:
    """What clients may get: never a bug, and with a refusal always its reason as JSON."""
    assert b"internal server error" not in body, (status, body)
    assert b"This is a bug" not in body, (status, body)
    if status >= 400:
        refusal = msgspec.json.decode(body)
        assert refusal["message"], (status, body)
