"""More clients than the PostgreSQL port takes, and clients that never say who they are."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from rtour.server.query.postgres import listener as port_of
from rtour.server.query.postgres.listener import PostgresPort

from .conftest import MakeQueries

HELLO = struct.pack(">ii", 9, 196608) + b"\x00"
FULL = b"53300"
READY = b"Z\x00\x00\x00\x05I"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def listener(make_queries: MakeQueries) -> AsyncIterator[PostgresPort]:
    """A port of its own."""
    made = PostgresPort(make_queries(), Random(1))
    await made.listen_if_free("127.0.0.1", 0)
    yield made
    await made.close()


@asynccontextmanager
async def connected(listener: PostgresPort) -> AsyncIterator[Streams]:
    assert listener.address is not None
    reader, writer = await asyncio.open_connection(*listener.address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def greeted(streams: Streams) -> bytes:
    """What a client hears that says who it is."""
    reader, writer = streams
    writer.write(HELLO)
    heard = b""
    async with asyncio.timeout(5):
        while READY not in heard and (data := await reader.read(65536)):
            heard += data
    return heard


async def test_more_clients_than_there_are_places(listener: PostgresPort) -> None:
    """The next one is told that there are too many; a place that is left is given again."""
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connected(listener))
            for _ in range(port_of._CONNECTIONS_MAX)
        ]
        assert all(READY in heard for heard in await asyncio.gather(*map(greeted, clients)))
        async with connected(listener) as late:
            assert FULL in await greeted(late)
        reader, writer = clients[0]
        writer.write(b"X\x00\x00\x00\x04")
        assert await reader.read() == b""
        async with connected(listener) as next_:
            assert READY in await greeted(next_)


async def test_strangers_who_say_nothing(listener: PostgresPort) -> None:
    """They keep no place of those who were let in, and are as few."""
    async with connected(listener) as known:
        assert READY in await greeted(known)
        async with AsyncExitStack() as stack:
            for _ in range(port_of._STARTING_MAX):
                await stack.enter_async_context(connected(listener))
            async with connected(listener) as (reader, _), asyncio.timeout(5):
                assert FULL in await reader.read()
        async with asyncio.timeout(5):
            while listener._starting:
                await asyncio.sleep(0)
        async with connected(listener) as next_:
            assert READY in await greeted(next_)


async def test_a_stranger_is_cut_off(
    listener: PostgresPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has not logged in by then has lost the place."""
    monkeypatch.setattr(port_of, "_STARTUP_TIMEOUT_S", 0.05)
    async with connected(listener) as (reader, _), asyncio.timeout(5):
        assert await reader.read() == b""
    assert listener._starting == 0


async def test_all_that_wait_are_accepted_in_one_turn(listener: PostgresPort) -> None:
    """A crowd costs as many turns of the loop as one client does."""
    assert listener.address is not None
    crowd = [socket.create_connection(listener.address) for _ in range(50)]
    turns = 0
    while listener._starting < len(crowd):
        await asyncio.sleep(0)
        turns += 1
        assert turns < 20, f"{listener._starting} after {turns} turns"
    for each in crowd:
        each.close()
