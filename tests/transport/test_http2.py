"""HTTP/2 to well-behaved deployments."""

from __future__ import annotations

import asyncio

import h2.events
import pytest
from h2.settings import SettingCodes

from rtour.server.transport import StreamLost

from .conftest import MakeTransport
from .peers import OK, H2Wire, Wire, h2_echo, peer, read_all


async def test_both_halves_flow_at_once(make_h2_transport: MakeTransport) -> None:
    """Each message is answered while the request stays open, and the end of one ends the other."""
    async with peer(h2_echo) as it:
        exchange = await make_h2_transport().open(it.http2, "/invoke/S/h", [], body=b"start")
        assert (await exchange.head()).status == 200
        assert await exchange.receive() == b"start"
        for message in (b"one", b"two"):
            exchange.send(message)
            assert await exchange.receive() == message
        exchange.end_request()
        assert await exchange.receive() == b""
        assert await exchange.receive() == b""


async def test_request_head_is_what_was_asked(make_h2_transport: MakeTransport) -> None:
    """Method, authority, base path, query and lower-cased headers arrive as given."""
    seen: list[dict[bytes, bytes]] = []

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.StreamEnded)
        seen.append(session.requests[event.stream_id])
        session.answer(event.stream_id)
        await wire.until_closed()

    async with peer(script) as it:
        endpoint = type(it.http2)(f"{it.http2.uri}/base/?tenant=7")
        headers = [("X-Key", " K%2Fx "), ("accept", "a/b")]
        exchange = await make_h2_transport().open(
            endpoint, "/discover", headers, method="GET", end=True
        )
        head = await exchange.head()
        assert head.headers == {"content-type": "text/plain"}
        assert await exchange.receive() == b""
        assert seen[0] == {
            b":method": b"GET",
            b":scheme": b"http",
            b":authority": b"127.0.0.1:%d" % it.port,
            b":path": b"/base/discover?tenant=7",
            b"x-key": b"K%2Fx",
            b"accept": b"a/b",
        }


async def test_end_travels_with_the_body(make_h2_transport: MakeTransport) -> None:
    """A complete request is HEADERS and one DATA frame that carries END_STREAM."""
    frames: list[h2.events.Event] = []

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        async for event in session.events():
            if isinstance(event, h2.events.DataReceived | h2.events.StreamEnded):
                frames.append(event)
            if isinstance(event, h2.events.StreamEnded):
                session.answer(event.stream_id)

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [], body=b"all", end=True)
        assert await read_all(exchange) == b""
        assert len([e for e in frames if isinstance(e, h2.events.DataReceived)]) == 1
        assert frames[0].stream_ended is not None


async def test_head_only_responses_trailers_and_early_hints(
    make_h2_transport: MakeTransport,
) -> None:
    """1xx responses are skipped, trailers end the body, a response may have no body."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        async for event in session.events():
            if not isinstance(event, h2.events.StreamEnded):
                continue
            sid, connection = event.stream_id, session.connection
            if session.requests[sid][b":path"] == b"/empty":
                connection.send_headers(sid, [(b":status", b"404")], end_stream=True)
                continue
            connection.send_headers(sid, [(b":status", b"103"), (b"link", b"x")])
            connection.send_headers(sid, [*OK, (b"x-multi", b"1"), (b"x-multi", b"2")])
            connection.send_data(sid, b"body")
            connection.send_headers(sid, [(b"x-checksum", b"1")], end_stream=True)

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/trailers", [], end=True)
        head = await exchange.head()
        assert (head.status, head.headers["x-multi"]) == (200, "1, 2")
        assert await read_all(exchange) == b"body"
        exchange = await transport.open(it.http2, "/empty", [], end=True)
        assert (await exchange.head()).status == 404
        assert await exchange.receive() == b""


async def test_large_headers_take_continuations_both_ways(
    make_h2_transport: MakeTransport,
) -> None:
    """Header blocks of several frames pass in both directions."""
    sizes: list[int] = []

    async def script(wire: Wire) -> None:
        session = H2Wire(wire, {SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 20})
        event = await session.until(h2.events.StreamEnded)
        sizes.append(len(session.requests[event.stream_id][b"x-big"]))
        session.connection.send_headers(
            event.stream_id, [*OK, (b"x-big", bytes(range(33, 120)) * 200)], end_stream=True
        )
        session.flush()
        await wire.until_closed()

    async with peer(script) as it:
        exchange = await make_h2_transport().open(
            it.http2, "/", [("x-big", "~^|" * 6_000)], end=True
        )
        assert len((await exchange.head()).headers["x-big"]) == 87 * 200
        assert sizes == [18_000]


async def test_sends_of_one_turn_leave_in_one_write(make_h2_transport: MakeTransport) -> None:
    """What all exchanges of a connection queue in one turn of the loop is written once."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport()
        exchanges = [await transport.open(it.http2, "/", []) for _ in range(3)]
        for exchange in exchanges:
            await exchange.head()
        connection = exchanges[0]._channel.connection
        written: list[bytes] = []
        original = connection._transport

        class Spy:
            def write(self, data: bytes) -> None:
                written.append(data)
                original.write(data)

            def __getattr__(self, name: str) -> object:
                return getattr(original, name)

        connection._transport = Spy()
        for exchange in exchanges:
            exchange.send(b"x")
            exchange.send(b"y")
            exchange.end_request()
        assert [await read_all(exchange) for exchange in exchanges] == [b"xy"] * 3
        assert len([data for data in written if b"x" in data or b"y" in data]) == 1


async def test_more_exchanges_than_streams_open_more_connections(
    make_h2_transport: MakeTransport,
) -> None:
    """No connection carries more than the limit, and openers share the connecting."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport(h2_streams_max=10)
        exchanges = await asyncio.gather(
            *(transport.open(it.http2, "/", [], body=b"%d" % n) for n in range(35))
        )
        assert [await e.receive() for e in exchanges] == [b"%d" % n for n in range(35)]
        assert len(it.wires) == 4
        for exchange in exchanges:
            exchange.end_request()
            assert await read_all(exchange) == b""


async def test_the_peers_stream_limit_holds(make_h2_transport: MakeTransport) -> None:
    """Streams refused before the peer's limit was known go elsewhere; the limit is remembered."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire, {SettingCodes.MAX_CONCURRENT_STREAMS: 2})
        live: set[int] = set()
        async for event in session.events():
            if isinstance(event, h2.events.RequestReceived):
                if len(live) == 2:
                    session.connection.reset_stream(event.stream_id, 7)
                else:
                    live.add(event.stream_id)
                    session.answer(event.stream_id, end=False)
            elif isinstance(event, h2.events.StreamEnded):
                session.connection.end_stream(event.stream_id)
                live.discard(event.stream_id)

    async with peer(script) as it:
        transport = make_h2_transport()
        exchanges = await asyncio.gather(*(transport.open(it.http2, "/", []) for _ in range(6)))
        heads = await asyncio.gather(*(exchange.head() for exchange in exchanges))
        assert [head.status for head in heads] == [200] * 6
        for exchange in exchanges:
            exchange.end_request()
            assert await read_all(exchange) == b""


async def test_connections_rotate_and_drain(make_h2_transport: MakeTransport) -> None:
    """A connection takes only so many requests, finishes its open ones, then closes."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport(h2_requests_per_connection_max=5)
        long_lived = await transport.open(it.http2, "/", [])
        for _ in range(10):
            exchange = await transport.open(it.http2, "/", [], body=b"x", end=True)
            assert await read_all(exchange) == b"x"
        assert len(it.wires) == 3
        long_lived.send(b"still here")
        assert await long_lived.receive() == b"still here"
        long_lived.end_request()
        assert await read_all(long_lived) == b""
        while len(it.running) > 1:
            await asyncio.sleep(0)
        assert transport.connection_count == 1


async def test_a_large_body_waits_for_the_peers_window(make_h2_transport: MakeTransport) -> None:
    """Bytes beyond the peer's window stay queued; `drain_send` waits for them to go."""
    release = asyncio.Event()
    size = 1_000_000

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        session.auto_credit = False
        received = 0
        async for event in session.events():
            if isinstance(event, h2.events.DataReceived):
                received += len(event.data)
                if received == 65_535:
                    await release.wait()
                    session.auto_credit = True
                    session.connection.increment_flow_control_window(size)
                    session.connection.increment_flow_control_window(size, event.stream_id)
            if isinstance(event, h2.events.StreamEnded):
                session.answer(event.stream_id, b"%d" % received)

    async with peer(script) as it:
        exchange = await make_h2_transport().open(it.http2, "/", [])
        await exchange.drain_send()
        exchange.send(b"x" * size)
        draining = asyncio.create_task(exchange.drain_send())  # noqa: TID251
        done, _ = await asyncio.wait([draining], timeout=0.05)
        assert not done
        release.set()
        await draining
        exchange.end_request()
        assert await read_all(exchange) == b"%d" % size


async def test_slow_readers_stall_only_themselves(make_h2_transport: MakeTransport) -> None:
    """Unread streams fill up to their own window while others go on; reading resumes them."""
    window = 2 << 20
    total = 3 << 20
    long = 16 << 20  # several times what the connection's window is without slow readers

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        connection = session.connection
        left: dict[int, int] = {}

        def pump() -> None:
            for sid in [*left]:
                room = connection.local_flow_control_window(sid)
                while left[sid] and room:
                    data = b"z" * min(left[sid], room, connection.max_outbound_frame_size)
                    connection.send_data(sid, data)
                    left[sid] -= len(data)
                    room = connection.local_flow_control_window(sid)
                if not left[sid]:
                    connection.end_stream(sid)
                    del left[sid]

        async for event in session.events():
            if isinstance(event, h2.events.RequestReceived):
                session.answer(event.stream_id, end=False)
                slowly = session.requests[event.stream_id][b":path"] == b"/slow"
                left[event.stream_id] = total if slowly else long
            pump()

    async with peer(script) as it:
        transport = make_h2_transport()
        slow = [await transport.open(it.http2, "/slow", [], end=True) for _ in range(12)]
        for exchange in slow:
            await exchange.head()
        while any(sum(map(len, exchange._chunks)) < window for exchange in slow):
            await asyncio.sleep(0)
        quick = await transport.open(it.http2, "/quick", [], end=True)
        async with asyncio.timeout(20):
            assert len(await read_all(quick)) == long
        assert all(sum(map(len, exchange._chunks)) == window for exchange in slow)
        assert [len(await read_all(exchange)) for exchange in slow] == [total] * 12
        assert len(it.wires) == 1


@pytest.mark.parametrize("answered", [False, True])
async def test_abort_cancels_the_stream_alone(
    make_h2_transport: MakeTransport, answered: bool
) -> None:
    """Abort sends RST_STREAM CANCEL, frees the slot, and leaves the connection to the others."""
    resets: list[int] = []

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        async for event in session.events():
            if isinstance(event, h2.events.RequestReceived) and (answered or resets):
                session.answer(event.stream_id, b"data", end=False)
            if isinstance(event, h2.events.StreamReset):
                resets.append(event.error_code)

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        if answered:
            await exchange.head()
        else:  # a reader that waits is told
            reading = asyncio.create_task(exchange.head())  # noqa: TID251
            await asyncio.sleep(0)
        connection = exchange._channel.connection
        exchange.abort()
        exchange.abort()
        with pytest.raises(StreamLost) as caught:
            await (exchange.receive() if answered else reading)
        assert caught.value.before_response is not answered
        while not resets:
            await asyncio.sleep(0)
        assert resets == [8]
        assert connection.stream_count == 0
        again = await transport.open(it.http2, "/", [])
        assert await again.receive() == b"data"
        again.abort()
        assert len(it.wires) == 1


async def test_an_answer_that_ends_first_releases_the_stream(
    make_h2_transport: MakeTransport,
) -> None:
    """When the response is complete the rest of the request is dropped and the stream freed."""

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        event = await session.until(h2.events.RequestReceived)
        session.answer(event.stream_id, b"no thanks")
        await session.until(h2.events.StreamReset)
        await wire.until_closed()

    async with peer(script) as it:
        transport = make_h2_transport()
        exchange = await transport.open(it.http2, "/", [])
        connection = exchange._channel.connection
        assert await read_all(exchange) == b"no thanks"
        exchange.send(b"into the void")
        await exchange.drain_send()
        exchange.end_request()
        assert connection.stream_count == 0


async def test_idle_connections_close(make_h2_transport: MakeTransport) -> None:
    """A connection without exchanges closes after the idle limit."""
    async with peer(h2_echo) as it:
        transport = make_h2_transport(idle_timeout_s=0.1)
        exchange = await transport.open(it.http2, "/", [], end=True)
        assert await read_all(exchange) == b""
        await it.all_closed()
        assert transport.connection_count == 0


async def test_silence_is_fine_while_pings_are_answered(make_h2_transport: MakeTransport) -> None:
    """A quiet exchange stays open as long as the peer answers PING."""
    pings: list[bytes] = []

    async def script(wire: Wire) -> None:
        session = H2Wire(wire)
        async for event in session.events():
            if isinstance(event, h2.events.RequestReceived):
                session.answer(event.stream_id, end=False)
            if isinstance(event, h2.events.PingReceived):
                pings.append(event.ping_data)
            if isinstance(event, h2.events.DataReceived):
                session.connection.send_data(event.stream_id, event.data)

    async with peer(script) as it:
        transport = make_h2_transport(ping_interval_s=0.02, ping_timeout_s=0.4)
        exchange = await transport.open(it.http2, "/", [])
        await exchange.head()
        while len(pings) < 2:
            await asyncio.sleep(0)
        exchange.send(b"alive")
        assert await exchange.receive() == b"alive"
        exchange.abort()
