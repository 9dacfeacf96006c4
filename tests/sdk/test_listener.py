"""How the built-in server accepts connections."""

from __future__ import annotations

import asyncio
import socket

import uvloop

import rtour
from rtour.sdk.endpoint import Endpoint
from rtour.sdk.serving import Listener

CLIENTS = 200
AT_ONCE = 17  # in a turn: the loop's one, and sixteen behind it

service = rtour.Service("S")


def test_a_burst_of_connections_takes_few_turns() -> None:
    """By itself uvloop takes one in each turn, and handlers make turns long."""

    async def main() -> None:
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        listener = Listener(Endpoint().bind(service))
        await listener.start(bound)
        clients = [socket.create_connection(bound.getsockname()) for _ in range(CLIENTS)]
        turns = 0
        while len(listener._connections) < CLIENTS:
            await asyncio.sleep(0)
            turns += 1
            assert turns < CLIENTS / 4
        assert turns >= CLIENTS / AT_ONCE - 1, "what is left is for other processes"
        loop = asyncio.get_running_loop()
        for each in clients:
            each.setblocking(False)
            await loop.sock_sendall(each, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await loop.sock_recv(each, 4096)).startswith(b"HTTP/1.1 200")
            each.close()
        await listener.stop(grace_s=1)
        assert not listener._arriving

    uvloop.run(main())
