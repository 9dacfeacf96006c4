"""The ingress and the admin port, over sockets: any bytes behind HTTP/2's preface."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import h2.connection

from tests.fuzz import doors
from tests.fuzz.site import standing
from tests.fuzz.target import Check, Target

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUESTS = (
    ("POST", "/Greeter/greet", b'"Ada"'),
    ("POST", "/Counter/k/add/send?delay=1h", b"1"),
    ("GET", "/restate/health", b""),
    ("GET", "/services", b""),
    ("POST", "/query", b'{"query": "SELECT 1"}'),
    ("PATCH", "/invocations/inv_1/kill", b""),
)
FRAME_TYPES = range(10)
SETTINGS, GOAWAY = 4, 7


def conversation(*requests: tuple[str, str, bytes]) -> bytes:
    """What a client sends for some requests, without the preface."""
    client = h2.connection.H2Connection()
    client.initiate_connection()
    for method, path, body in requests:
        stream_id = client.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", "http")]
        fields += [(":authority", "localhost"), ("content-type", "application/json")]
        client.send_headers(stream_id, fields, end_stream=not body)
        if body:
            client.send_data(stream_id, body, end_stream=True)
    client.ping(b"12345678")
    return client.data_to_send().removeprefix(PREFACE)


def seeds() -> list[bytes]:
    talks = [*map(conversation, REQUESTS), conversation(*REQUESTS)]
    return [bytes([port]) + data for data in talks for port in (0, 1, 9)]


def judge(said: bytes) -> None:
    """Frames of known types, and the first one is SETTINGS."""
    at, types = 0, []
    while at + 9 <= len(said):
        high, low, kind = struct.unpack_from(">HBB", said, at)
        types.append(kind)
        at += 9 + (high << 8 | low)
    assert not types or types[0] in {SETTINGS, GOAWAY}, said[:200]
    assert set(types) <= set(FRAME_TYPES), said[:200]
    doors.assert_no_bug(said)


@contextmanager
def opened() -> Iterator[Check]:
    with standing() as site:
        yield lambda data: doors.check_at(site, (data[:1] or b"\0") + PREFACE + data[1:], judge)


TARGET = Target(
    promise="Requests are answered or refused, no bug shows, the next client is served.",
    seeds=seeds,
    opened=opened,
    words=(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00", b"\x82\x84\x86", b"localhost", b"/Flow/k/run"),
    examples=80,
)
