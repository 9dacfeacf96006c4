"""A whole server with tracing: it costs nothing when off, and nothing waits for a collector."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from msgspec.structs import replace

from rtour import Context, Service, app
from rtour.sdk.serving import Listener
from rtour.sdk.testing import _listening
from rtour.server.main import Server
from rtour.server.settings import Settings
from rtour.server.tokens import Secret
from rtour.server.tracing.delivery import BadTracingEndpoint
from tests.tracing.collector import grpc_collector

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)
greeter = Service("Greeter")
seen: list[dict[str, str]] = []


@greeter.handler()
async def greet(ctx: Context, name: str) -> str:
    seen.append(dict(ctx.request().attempt_headers))
    return f"Hello {name}"


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[Server]:
    """A server with these settings and the greeter registered."""
    listening = _listening()
    listener = Listener(app([greeter]).endpoint)
    await listener.start(listening)
    host, port = listening.getsockname()[:2]
    try:
        async with Server(replace(SETTINGS, **settings)) as server:
            async with httpx.AsyncClient() as client:
                body = {"uri": f"http://{host}:{port}"}
                answer = await client.post(f"{server.admin_url}/deployments", json=body)
                assert answer.status_code == 201, answer.text
            yield server
    finally:
        await listener.stop(0)


async def test_a_stop_exports_the_last_spans() -> None:
    """Nothing has to wait for the next batch: who stops the server finds the trace complete."""
    seen.clear()
    with grpc_collector() as collected:
        settings = {"tracing_endpoint": collected.uri, "tracing_headers": Secret("tenant=t")}
        async with serving(**settings) as server, httpx.AsyncClient() as client:
            sent = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "v=1"}
            url = f"{server.ingress_url}/Greeter/greet"
            answer = await client.post(url, json="Ada", headers=sent)
            assert answer.json() == "Hello Ada"
    assert collected.tree().splitlines() == [
        "ingress Greeter/greet",
        "  invocation-start Greeter/greet",
        "    invocation-attempt Greeter/greet",
        "    invocation-end Greeter/greet",
    ]
    (attempt,) = collected.named("invocation-attempt Greeter/greet")
    assert seen[0]["traceparent"] == f"00-{'1' * 32}-{attempt.span_id}-01"
    assert seen[0]["tracestate"] == "v=1"
    assert collected.headers[0]["tenant"] == "t"
    (ingress,) = collected.named("ingress Greeter/greet")
    assert ingress.parent_id == "2" * 16
    assert ingress.resource["service.name"] == "rtour"


async def test_refused_requests_end_their_span() -> None:
    """A client that goes away leaves a span that says so."""
    with grpc_collector() as collected:
        async with serving(tracing_endpoint=collected.uri) as server, httpx.AsyncClient() as client:
            url = f"{server.ingress_url}/Greeter/greet"
            server.processor._dispatch = lambda _: None  # nobody is answered any more
            with pytest.raises(httpx.ReadTimeout):
                await client.post(url, json="Ada", timeout=0.3)
            await asyncio.to_thread(collected.until, lambda spans: spans, 10)
        (ingress,) = collected.named("ingress Greeter/greet")
    assert (ingress.status, ingress.message) == ("error", "the client went away")


async def test_an_address_that_makes_no_sense_stops_the_start() -> None:
    """A typo is told at once, not found out later by missing spans."""
    with pytest.raises(BadTracingEndpoint, match="expected http://host:4317"):
        async with Server(replace(SETTINGS, tracing_endpoint="localhost:4317")):
            pass


def test_without_an_endpoint_nothing_is_loaded() -> None:
    """A server that does not trace imports none of it, and no OpenTelemetry or gRPC."""
    program = textwrap.dedent("""
        import asyncio, sys
        from rtour.server.main import Server
        from rtour.server.settings import Settings

        async def main():
            settings = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=None)
            async with Server(settings) as server:
                assert server.invoker._world.tracer is None
                assert server.processor._watch is None

        asyncio.run(main())
        print([n for n in sys.modules if "tracing" in n or "opentelemetry" in n or "grpc" in n])
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


async def _call(server: Server, calls: int) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        url = f"{server.ingress_url}/Greeter/greet"
        answers = await asyncio.gather(*[client.post(url, json="Ada") for _ in range(calls)])
        assert {answer.text for answer in answers} == {'"Hello Ada"'}


async def test_nobody_waits_for_a_silent_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are answered while an export hangs, which here it does for longer than all of them."""
    monkeypatch.setattr("rtour.server.tracing.delivery.TIMEOUT_S", 120.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with serving(tracing_endpoint=uri) as server:
            async with asyncio.timeout(60):
                for _ in range(3):
                    await _call(server, 20)
            assert server.tracing is not None
            assert len(server.tracing.exporter._queue) > 0
            assert server.tracing.exporter.counts.exported == 0


async def reading(server: Server) -> dict[str, object]:
    """What the admin port tells of the export."""
    async with httpx.AsyncClient() as client:
        found: dict[str, object] = (await client.get(f"{server.admin_url}/rtour/tracing")).json()
    return found


async def test_the_admin_port_tells_how_the_export_goes() -> None:
    """Off, exporting, where to, and how many so far."""
    async with serving() as server:
        assert (await reading(server))["state"] == "off"
    with grpc_collector() as collected:
        async with serving(tracing_endpoint=collected.uri) as server:
            await _call(server, 1)
            async with asyncio.timeout(20):
                while (now := await reading(server))["exported"] != 4:
                    await asyncio.sleep(0.01)
    assert (now["state"], now["error"], now["lost"], now["waiting"]) == ("exporting", None, 0, 0)
    assert now["endpoint"] == collected.uri


async def test_a_collector_that_is_down_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Calls are answered, and one line of the log says what is wrong, as does the admin port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with serving(tracing_endpoint=uri) as server:
            await _call(server, 5)
            assert server.tracing is not None
            counts = server.tracing.exporter.counts
            async with asyncio.timeout(20):
                while counts.failures < 2:
                    await asyncio.sleep(0.01)
            now = await reading(server)
            await _call(server, 5)
    assert (now["state"], now["exported"], now["waiting"]) == ("failing", 0, 20)
    assert "can't connect" in str(now["error"])
    (warning,) = [text for text in caplog.messages if text.startswith("No spans get to")]
    assert f"No spans get to {uri}: can't connect" in warning
    assert "Invocations go on; 20 spans wait, 0 were lost" in warning
