"""The PostgreSQL port, over sockets: any bytes, mostly behind a good start-up message.

The first byte of an input says whether that message is part of it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from rtour.server.query.postgres import wire
from tests.fuzz.site import Site, standing
from tests.fuzz.target import Check, Target

KINDS = b"RSKZTDCEI123nstN"
TERMINATE = b"X\x00\x00\x00\x04"
SYNC = wire.message(b"S")
QUERIES = ("SELECT 1", "SELECT * FROM sys_service", "SHOW server_version", "BEGIN; SELECT 1", ";")


def startup(code: int, payload: bytes = b"") -> bytes:
    return struct.pack(">ii", len(payload) + 8, code) + payload


HELLO = startup(wire.PROTOCOL, b"user\x00me\x00database\x00restate\x00\x00")


def extended(sql: str, *values: bytes, name: str = "", rows: int = 0) -> bytes:
    """A statement by the extended protocol: parsed, bound, described, executed, closed."""
    parse = wire.text(name) + wire.text(sql) + struct.pack(">hi", 1, 25)
    bound = b"".join(struct.pack(">i", len(value)) + value for value in values)
    bind = wire.text("p") + wire.text(name) + struct.pack(">hhh", 1, 0, len(values)) + bound
    messages = (
        (b"P", parse),
        (b"D", b"S" + wire.text(name)),
        (b"B", bind + struct.pack(">hh", 1, 1)),
        (b"D", b"P" + wire.text("p")),
        (b"E", wire.text("p") + struct.pack(">i", rows)),
        (b"C", b"P" + wire.text("p")),
        (b"H", b""),
    )
    return b"".join(wire.message(kind, payload) for kind, payload in messages) + SYNC


def seeds() -> list[bytes]:
    simple = [wire.message(b"Q", wire.text(sql)) + TERMINATE for sql in QUERIES]
    shown = "SHOW a" + " " * 300 + "!"
    talks = [
        *simple,
        b"".join(simple),
        extended("SELECT 1"),
        extended("SELECT name FROM sys_service WHERE name = $1", b"Greeter", name="s", rows=1),
        extended(shown),
        extended("BEGIN") + extended("SELECT nope") + extended("SELECT 1") + extended("COMMIT"),
        wire.message(b"d", b"x") + wire.message(b"c") + wire.message(b"p", b"secret\x00"),
    ]
    starts = [
        HELLO + simple[0],
        startup(wire.SSL_REQUEST) + HELLO,
        startup(wire.GSS_REQUEST) + startup(wire.CANCEL_REQUEST, b"12345678"),
        startup(2 << 16),
    ]
    return [b"\x00" + talk for talk in talks] + [b"\x01" + start for start in starts]


def check_at(site: Site, data: bytes) -> None:
    hello = b"" if data[:1] == b"\x01" else HELLO
    said = site.run(_exchanged(site, hello + data[1:]))
    kinds = list(_kinds(said.lstrip(b"N")))
    assert set(kinds) <= set(KINDS), said[:300]
    good = wire.message(b"Q", wire.text("SELECT 41 + 1")) + TERMINATE
    assert b"42" in site.run(_exchanged(site, HELLO + good))
    assert not site.server.postgres._connections


async def _exchanged(site: Site, stream: bytes) -> bytes:
    address = site.server.postgres.address
    assert address is not None
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(stream)
        writer.write_eof()
        return await reader.read()
    except ConnectionError:  # refused before it had all
        return b""
    finally:
        writer.close()


def _kinds(said: bytes) -> Iterator[int]:
    """The kinds of the messages from the server, each as long as it says."""
    at = 0
    while at < len(said):
        (length,) = struct.unpack_from(">i", said, at + 1)
        assert length >= 4, said[at : at + 100]
        yield said[at]
        at += 1 + length
    assert at == len(said), "the last message was cut"


@contextmanager
def opened() -> Iterator[Check]:
    with standing() as site:
        yield lambda data: check_at(site, data)


TARGET = Target(
    promise="Messages are answered in the protocol or the connection ends, told why; the next "
    "client is served.",
    seeds=seeds,
    opened=opened,
    words=(*(bytes([kind]) for kind in b"QPBDECSHXpdcf"), SYNC, b"\xff\xff\xff\xff", b"SELECT 1"),
    examples=100,
)
