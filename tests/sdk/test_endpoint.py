"""Which request gets which answer, over ASGI as a server would call it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest

import rtour
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from rtour.sdk import aws_lambda
from rtour.sdk.aws_lambda import handler_for
from rtour.sdk.endpoint import Endpoint
from tests.sdk.playbook import ID

service = rtour.Service("Greeter")
INVOCATION = "application/vnd.restate.invocation.v6"
MANIFEST = "application/vnd.restate.endpointmanifest.v{}+json"


@service.handler()
async def greet(ctx: rtour.Context, name: str) -> str:
    return f"Hello {name}"


@service.handler()
async def waits(ctx: rtour.Context) -> str:
    return await ctx.awakeable(type_hint=str)[1]


OPENING = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(value=b'"Ada"'), 6)


class Exchange:
    """One ASGI request."""

    def __init__(self, body: Iterable[bytes] = (), *, ends: bool = True) -> None:
        self.sent: list[dict[str, Any]] = []
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for chunk in body:
            self.feed(chunk)
        if ends:
            self.end()

    def feed(self, chunk: bytes) -> None:
        self._events.put_nowait({"type": "http.request", "body": chunk, "more_body": True})

    def end(self) -> None:
        self._events.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def disconnect(self) -> None:
        self._events.put_nowait({"type": "http.disconnect"})

    async def run(
        self,
        app: Any,
        path: str,
        headers: dict[str, str] | None = None,
        http_version: str = "2",
    ) -> None:
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "path": path, "headers": raw, "http_version": http_version}
        await asyncio.wait_for(app(scope, self._events.get, self._send), 5)

    async def _send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent[1:])


async def get(path: str, app: Any = None, **headers: str) -> Exchange:
    exchange = Exchange()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    await exchange.run(app or rtour.app([service]), path, named)
    return exchange


def frames(body: bytes) -> list[m.Message]:
    decoder = Decoder()
    decoder.feed(body)
    found = []
    while (frame := decoder.next_frame()) is not None:
        found.append(decode(frame.type, frame.payload, 6))
    return found


# --- discovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (MANIFEST.format(4), 4),
        (f"{MANIFEST.format(1)}, {MANIFEST.format(3)}", 3),
        ("", 2),
    ],
)
async def test_discovery_answers_in_the_newest_common_version(accept: str, version: int) -> None:
    """The content type is exactly the manifest's, as the server demands."""
    got = await get("/any/prefix/discover", accept=accept)
    assert got.status == 200
    assert got.headers["content-type"] == MANIFEST.format(version)
    assert got.headers["x-restate-server"].startswith("rtour-sdk/")
    assert json.loads(got.body)["services"][0]["name"] == "Greeter"


@pytest.mark.parametrize(
    ("http_version", "mode"), [("1.1", "REQUEST_RESPONSE"), ("2", "BIDI_STREAM")]
)
async def test_discovery_announces_what_the_transport_can_do(http_version: str, mode: str) -> None:
    """HTTP/1.1 cannot be counted on to stream both ways; HTTP/2 can."""
    exchange = Exchange()
    await exchange.run(rtour.app([service]), "/discover", http_version=http_version)
    assert json.loads(exchange.body)["protocolMode"] == mode
    fixed = Exchange()
    await fixed.run(rtour.app([service], protocol="bidi"), "/discover", http_version="1.1")
    assert json.loads(fixed.body)["protocolMode"] == "BIDI_STREAM"


async def test_options_the_server_does_not_know_are_explained() -> None:
    """Discovery answers 500 with the reason, which registration shows."""
    app = rtour.app([rtour.VirtualObject("O", state_preload=["a"])])
    got = await get("/discover", app, accept=MANIFEST.format(4))
    assert got.status == 500
    assert b"update the server" in got.body


async def test_services_that_cannot_be_described_are_explained() -> None:
    """What JSON cannot hold in metadata is the registration's answer, not a lost connection."""
    odd: Any = {"owner": object()}
    got = await get("/discover", rtour.app([rtour.Service("S", metadata=odd)]))
    assert got.status == 500
    assert b"Cannot describe the services" in got.body


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/health", {}, 200),
        ("/mounted/health", {}, 200),
        ("/", {}, 404),
        ("/invoke/Greeter", {}, 404),
        ("/invoke/Nobody/greet", {"content_type": INVOCATION}, 404),
        ("/invoke/Greeter/nothing", {"content_type": INVOCATION}, 404),
        ("/invoke/Greeter/greet", {}, 415),
        ("/invoke/Greeter/greet", {"content_type": "application/json"}, 415),
        ("/invoke/Greeter/greet", {"content_type": INVOCATION[:-1] + "4"}, 415),
        ("/invoke/Greeter/greet", {"content_type": INVOCATION[:-1] + "8"}, 415),
        ("/discover", {"accept": "application/json"}, 415),
    ],
)
async def test_other_requests(path: str, headers: dict[str, str], status: int) -> None:
    """Each refusal has its status, and a reason in JSON."""
    got = await get(path, **headers)
    assert got.status == status
    assert json.loads(got.body)


# --- invocations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/mounted/under"])
async def test_an_invocation(prefix: str) -> None:
    """The content type is echoed; frames may be split anywhere."""
    exchange = Exchange([OPENING[:5], OPENING[5:]])
    path = f"{prefix}/invoke/Greeter/greet"
    await exchange.run(rtour.app([service]), path, {"content-type": INVOCATION})
    assert (exchange.status, exchange.headers["content-type"]) == (200, INVOCATION)
    assert frames(exchange.body) == [m.Output(m.Value(b'"Hello Ada"')), m.End()]
    assert exchange.sent[-1]["more_body"] is False


@pytest.mark.parametrize("name", ["health", "discover"])
async def test_handlers_may_have_the_names_of_our_paths(name: str) -> None:
    """Only the whole path tells what is meant."""
    awkward = rtour.Service("Awkward")

    @awkward.handler(name)
    async def handler(ctx: rtour.Context, who: str) -> str:
        return who

    exchange = Exchange([OPENING])
    path = f"/invoke/Awkward/{name}"
    await exchange.run(rtour.app([awkward]), path, {"content-type": INVOCATION})
    assert frames(exchange.body)[0] == m.Output(m.Value(b'"Ada"'))


async def test_the_answer_ends_after_the_request() -> None:
    """Some HTTP stacks drop a stream whose answer ends first: wait for the server."""
    exchange = Exchange([OPENING], ends=False)
    running = asyncio.get_running_loop().create_task(
        exchange.run(rtour.app([service]), "/invoke/Greeter/greet", {"content-type": INVOCATION})
    )
    while m.End() not in frames(exchange.body) if exchange.sent else True:
        await asyncio.sleep(0)
    assert not running.done()
    exchange.end()
    await running


async def test_both_ways_at_once() -> None:
    """A result sent while the answer is open is used at once."""
    exchange = Exchange([encode(m.Start(ID, "inv_1", 1), 6), encode(m.Input(), 6)], ends=False)
    running = asyncio.get_running_loop().create_task(
        exchange.run(rtour.app([service]), "/invoke/Greeter/waits", {"content-type": INVOCATION})
    )
    for _ in range(20):
        await asyncio.sleep(0)
    exchange.feed(encode(m.Notification(m.MessageType.SIGNAL, 17, m.Value(b'"woken"')), 6))
    exchange.end()
    await running
    assert frames(exchange.body)[0] == m.Output(m.Value(b'"woken"'))


async def test_a_disconnect_ends_the_request() -> None:
    """Nothing hangs, and nothing more is written, when the server is gone."""
    exchange = Exchange([OPENING], ends=False)
    exchange.disconnect()
    await exchange.run(rtour.app([service]), "/invoke/Greeter/waits", {"content-type": INVOCATION})
    assert exchange.sent[-1]["more_body"] is False


async def test_a_truncated_journal_is_answered() -> None:
    """The server learns what is wrong instead of waiting for its timeout."""
    exchange = Exchange([encode(m.Start(ID, "inv_1", 3), 6)])
    await exchange.run(rtour.app([service]), "/invoke/Greeter/greet", {"content-type": INVOCATION})
    (error,) = frames(exchange.body)
    assert isinstance(error, m.Error)
    assert error.code == 571


async def test_lifespan_is_answered() -> None:
    """ASGI servers that send lifespan events get their answers."""
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return next(events)

    async def send(event: dict[str, str]) -> None:
        sent.append(event["type"])

    await rtour.app([service])({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# --- AWS Lambda ----------------------------------------------------------------------------------


def event(path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    return {
        "path": path,
        "httpMethod": "POST",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def test_lambda_invocation() -> None:
    """One event in, all frames out, base64 both ways."""
    handle = handler_for(Endpoint().bind(service))
    answer = handle(event("/invoke/Greeter/greet", OPENING, Content_Type=INVOCATION), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert answer["headers"]["content-type"] == INVOCATION
    assert frames(base64.b64decode(answer["body"]))[-1] == m.End()


def test_lambda_suspends_instead_of_waiting() -> None:
    """There is no stream: what is not in the journal ends the attempt."""
    handle = handler_for(Endpoint().bind(service))
    opening = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(), 6)
    answer = handle(event("/invoke/Greeter/waits", opening, content_type=INVOCATION), None)
    assert isinstance(frames(base64.b64decode(answer["body"]))[-1], m.Suspension)


class Compressor:
    """Stands for the zstd module, which few installations have."""

    @staticmethod
    def compress(data: bytes) -> bytes:
        return b"small:" + data[:1]

    @staticmethod
    def decompress(data: bytes) -> bytes:
        return data.removeprefix(b"zstd:")


def test_lambda_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests may be compressed; large answers are, where the server takes it."""
    monkeypatch.setattr(aws_lambda, "_zstd", lambda: Compressor)
    monkeypatch.setattr(aws_lambda, "_COMPRESS_ABOVE", 10)
    handle = handler_for(Endpoint().bind(service))
    request = event(
        "/invoke/Greeter/greet",
        b"zstd:" + OPENING,
        content_type=INVOCATION,
        content_encoding="zstd",
        accept_encoding="zstd",
    )
    answer = handle(request, None)
    assert answer["headers"]["content-encoding"] == "zstd"
    assert base64.b64decode(answer["body"]).startswith(b"small:")


def test_on_lambda_an_app_is_a_lambda_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment tells; discovery announces request and response."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    answer = rtour.app([service])(event("/discover"), None)
    manifest = json.loads(base64.b64decode(answer["body"]))
    assert manifest["protocolMode"] == "REQUEST_RESPONSE"
