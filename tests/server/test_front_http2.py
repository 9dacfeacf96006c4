"""HTTP/2 clients of every kind, and those that leave."""

from __future__ import annotations

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from rtour.server.front import Front, FrontLimits
from tests.server.fronts import LIMITS, exchange, served


async def h2_client(front: Front) -> tuple[h2.connection.H2Connection, asyncio.StreamWriter]:
    _, writer = await asyncio.open_connection(*front.address)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    return connection, writer


def h2_request(connection: h2.connection.H2Connection, path: str, *, end: bool = True) -> int:
    stream_id = connection.get_next_available_stream_id()
    fields = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "h")]
    connection.send_headers(stream_id, fields, end_stream=end)
    return stream_id


async def test_http2_client_that_leaves() -> None:
    """A reset stream and a lost connection cancel what they were waiting for."""
    async with served() as (app, front):
        connection, writer = await h2_client(front)
        first = h2_request(connection, "/wait")
        h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(2)
        connection.reset_stream(first)
        writer.write(connection.data_to_send())
        await app.until_waiting(1)
        writer.close()
        await app.until_waiting(0)


async def test_many_streams_at_once() -> None:
    """Two hundred requests wait on one connection, and all are answered."""
    async with served(FrontLimits()) as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        for _ in range(100):  # what a client may open before it has seen our settings
            h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(100)
        connection.receive_data(await reader.read(65536))
        for _ in range(100):
            h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        await app.until_waiting(200)
        app.gate.set()
        ended = 0
        async with asyncio.timeout(5):
            while ended < 200:
                events = connection.receive_data(await reader.read(65536))
                ended += sum(isinstance(event, h2.events.StreamEnded) for event in events)
        writer.close()


async def test_slow_http2_body() -> None:
    """A stream whose body stops is reset; the others of its connection go on."""
    async with served(LIMITS) as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        slow = h2_request(connection, "/", end=False)
        connection.send_data(slow, b"part")
        h2_request(connection, "/wait")
        writer.write(connection.data_to_send())
        seen: list[h2.events.Event] = []
        async with asyncio.timeout(5):
            while not any(isinstance(event, h2.events.StreamReset) for event in seen):
                seen += connection.receive_data(await reader.read(65536))
        assert app.waiting == 1
        writer.close()


@pytest.mark.parametrize(
    "frames",
    [
        b"\x00\x00\x04\x03\x00\x00\x00\x00\x00\x00\x00\x00\x08",  # RST_STREAM of stream 0
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # a frame of 16 MiB
        b"\x00\x00\x05\x00\x00\x00\x00\x00\x01hello",  # DATA before HEADERS
        b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",  # HEADERS that HPACK cannot read
    ],
)
async def test_broken_http2(frames: bytes) -> None:
    """A connection that breaks HTTP/2 is closed."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    async with served() as (app, front):
        await exchange(front, preface + frames)
        assert app.requests == []


async def test_http2_client_that_does_not_read() -> None:
    """A client that takes no replies is cut off, and what it was sent is let go."""
    limits = FrontLimits(write_timeout_s=0.05)
    async with served(limits) as (_, front):
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        h2_request(connection, "/stream")
        h2_request(connection, "/")
        await exchange(front, connection.data_to_send())


UNREAD = FrontLimits(small_bytes_max=1000, h2_unread_bytes=15_000, h2_unread_bytes_max=25_000)


async def unread_client(
    front: Front,
) -> tuple[h2.connection.H2Connection, asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that takes heads and no byte of a body, until it opens its window."""
    reader, writer = await asyncio.open_connection(*front.address)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    writer.write(connection.data_to_send())
    return connection, reader, writer


def h2_echo(connection: h2.connection.H2Connection, path: str, size: int) -> int:
    """Ask for a reply of so many bytes, and a few more."""
    stream_id = h2_request(connection, path, end=False)
    connection.send_data(stream_id, b"x" * size, end_stream=True)
    return stream_id


async def statuses(
    connection: h2.connection.H2Connection, reader: asyncio.StreamReader, count: int
) -> dict[int, str]:
    found: dict[int, str] = {}
    async with asyncio.timeout(5):
        while len(found) < count:
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    found[event.stream_id] = dict(event.headers)[b":status"].decode()
    return found


async def test_replies_that_nobody_reads_are_bounded() -> None:
    """Large ones beyond the bound give way to a sentence; small ones are still there."""
    async with served(UNREAD) as (app, front):
        connection, reader, writer = await unread_client(front)
        large = [h2_echo(connection, "/wait", 10_000) for _ in range(5)]
        small = h2_echo(connection, "/wait", 10)
        writer.write(connection.data_to_send())
        await app.until_waiting(6)
        app.gate.set()
        found = await statuses(connection, reader, 6)
        assert [found[stream_id] for stream_id in large] == ["200", "200", "503", "503", "503"]
        assert found[small] == "200"
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 50_000})
        writer.write(connection.data_to_send())
        bodies = dict.fromkeys([*large, small], b"")
        async with asyncio.timeout(5):
            while not bodies[large[-1]].endswith(b"idempotency key."):
                for event in connection.receive_data(await reader.read(65536)):
                    if isinstance(event, h2.events.DataReceived):
                        assert event.data is not None
                        bodies[event.stream_id] += event.data
        assert [len(bodies[stream_id]) > 10_000 for stream_id in large[:3]] == [True, True, False]
        writer.close()


async def test_replies_that_other_connections_do_not_read_are_bounded() -> None:
    """Large ones beyond the bound are refused to all; small ones to those who do not read."""
    limits = FrontLimits(small_bytes_max=1000, unread_bytes_max=25_000)
    async with served(limits) as (_, front):
        idle, reader, writer = await unread_client(front)
        for _ in range(2):
            h2_echo(idle, "/", 10_000)
        writer.write(idle.data_to_send())
        assert set((await statuses(idle, reader, 2)).values()) == {"200"}
        assert 20_000 < front.unread_bytes < 25_000
        other, its_reader, its_writer = await unread_client(front)
        large, small = h2_echo(other, "/", 10_000), h2_echo(other, "/", 900)
        its_writer.write(other.data_to_send())
        assert await statuses(other, its_reader, 2) == {large: "503", small: "200"}
        small_ones = [h2_echo(idle, "/", 900) for _ in range(8)]
        writer.write(idle.data_to_send())
        found = await statuses(idle, reader, 8)
        assert [found[stream_id] for stream_id in small_ones] == ["200"] * 4 + ["503"] * 4
        writer.close()
        await gone(front, 1)
        again = h2_echo(other, "/", 10_000)
        its_writer.write(other.data_to_send())
        assert await statuses(other, its_reader, 1) == {again: "200"}
        its_writer.close()


async def gone(front: Front, left: int) -> None:
    """Wait until this many connections are left."""
    async with asyncio.timeout(5):
        while front.connections > left:
            await asyncio.sleep(0)


async def test_requests_wait_while_replies_are_not_read() -> None:
    """They are not even begun; they are when the client reads, in their order."""
    async with served(UNREAD) as (app, front):
        connection, reader, writer = await unread_client(front)
        for _ in range(2):
            h2_echo(connection, "/", 10_000)
        writer.write(connection.data_to_send())
        assert set((await statuses(connection, reader, 2)).values()) == {"200"}
        waiting = [h2_echo(connection, f"/{number}", 10) for number in range(3)]
        gone = h2_echo(connection, "/gone", 10)
        connection.reset_stream(gone)
        connection.ping(b"is it in")
        writer.write(connection.data_to_send())
        async with asyncio.timeout(5):
            acknowledged = False
            while not acknowledged:
                for event in connection.receive_data(await reader.read(65536)):
                    acknowledged |= isinstance(event, h2.events.PingAckReceived)
        assert [request.path for request in app.requests] == ["/", "/"]
        connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 50_000})
        writer.write(connection.data_to_send())
        assert list(await statuses(connection, reader, 3)) == waiting
        assert [request.path for request in app.requests[2:]] == ["/0", "/1", "/2"]
        writer.close()


async def test_idle_http2_connection() -> None:
    """A connection on which nothing happens is closed with a farewell."""
    async with served(FrontLimits(idle_timeout_s=0.05)) as (_, front):
        reader, writer = await asyncio.open_connection(*front.address)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        async with asyncio.timeout(5):
            events = connection.receive_data(await reader.read())
        assert any(isinstance(event, h2.events.ConnectionTerminated) for event in events)
        writer.close()


async def test_rapid_resets() -> None:
    """A flood of requests that are reset at once ends the connection, not the server."""
    async with served() as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        config = h2.config.H2Configuration(client_side=True)
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        for _ in range(3000):
            connection.reset_stream(h2_request(connection, "/wait"))
        writer.write(connection.data_to_send())
        async with asyncio.timeout(10):
            try:
                while await reader.read(65536):
                    pass
            except ConnectionResetError:
                pass
        writer.close()
        await app.until_waiting(0)
