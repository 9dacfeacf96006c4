"""Requests that two readers could take for different ones reach no app.

Each case ends in a second request, which a reader that was fooled would answer.
"""

from __future__ import annotations

import asyncio

import pytest
from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame, SettingsFrame

from tests.server.fronts import LIMITS, PATIENT, exchange, served

SECOND = b"GET /smuggled HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def post(*lines: bytes, body: bytes = b"x") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: h", *lines, b"", body])


def chunked(body: bytes, line: bytes = b"Transfer-Encoding: chunked") -> bytes:
    return post(line, body=body)


PATHS = [
    *(b"/a/../b", b"/a/%2e%2e/b", b"/a%2Fb", b"//a", b"/a;b"),
    *(b"/a%00b", b"/a%0d%0ab", b"/a\\b"),
]


def get(*lines: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *lines, b"", b""])


LENGTHS = [
    post(b"Content-Length: 1", b"Content-Length: 1"),
    post(b"Content-Length: 1, 1"),
    post(b"Content-Length: -1"),
    post(b"Content-Length: 0x1"),
    post(b"Content-Length: 1_0"),
    post(b"Content-Length: "),
    post(b"Content-Length: 18446744073709551617"),
    post(b"Content-Length : 1"),
    post(b"Transfer-Encoding:", b"Content-Length: 1"),
    post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    chunked(b"0\r\n\r\n", b"Transfer-Encoding: xchunked"),
    chunked(b"0\r\n\r\n", b"Transfer-Encoding: \x0bchunked"),
    chunked(b"0\r\n\r\n", b'Transfer-Encoding: "chunked"'),
    chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
    chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    chunked(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    chunked(b"-1\r\nx\r\n0\r\n\r\n"),
    chunked(b"0x1\r\nx\r\n0\r\n\r\n"),
    chunked(b"10000000000000001\r\nx\r\n0\r\n\r\n"),
    chunked(b"1\nx\n0\n\n"),
    chunked(b"1;a\nx\r\n0\r\n\r\n"),
    chunked(b"1 \r\nx\r\n0\r\n\r\n"),
    chunked(b"1\r\nxy\r\n0\r\n\r\n"),
    chunked(b"0\r\nContent-Length: 9\r\n\r\n"),
]
LINES = [
    get(b"Host: h", b"X-A: b", b" folded"),
    get(b"Host: h", b"X-A: b", b"\tfolded"),
    get(b" Host: h"),
    get(b"Host: h", b"X-A: b\x00c"),
    get(b"Host: h", b"X\x00A: b"),
    get(b"Host: h", b"X-A: b\rX-B: c"),
    get(b"Host: h", b"X-A: b\nX-B: c"),
    get(b"Host h"),
    get(b"Host: h", b": c"),
    get(b"Ho st: h"),
    get(b"Host: h", b"Host: h"),
    get(b"Host: h", b"Host: evil.example"),
    b"GET / HTTP/1.1\r\nHost: h\r\n\n",
]
TARGETS = [
    get(b"Host: h", line=b"GET /a\x00b HTTP/1.1"),
    get(b"Host: h", line=b"GET /a b HTTP/1.1"),
    get(b"Host: h", line=b"GET /a\tb HTTP/1.1"),
    get(b"Host: h", line=b"GET a HTTP/1.1"),
    get(b"Host: h", line=b" GET / HTTP/1.1"),
    get(b"Host: h", line=b"get / HTTP/1.1"),
    get(b"Host: h", line=b"GET / http/1.1"),
    get(b"Host: h", line=b"GET / HTTP/1.2"),
]


@pytest.mark.parametrize("first", [*LENGTHS, *LINES, *TARGETS])
async def test_http1(first: bytes) -> None:
    """A 400 and the end of the connection, so that what follows is never read as a request."""
    async with served(LIMITS) as (app, front):
        answer = await exchange(front, first + SECOND)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"\r\n\r\n") == 1
        assert app.requests == []


async def test_a_request_in_a_body_is_a_body() -> None:
    """Whatever the method, the length decides what belongs to a request; so do chunks."""
    length = b"Content-Length: %d" % len(SECOND)
    sent = [
        get(b"Host: h", length) + SECOND,
        post(length, body=SECOND),
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SECOND), SECOND)),
        get(b"Host: h", b"Connection: upgrade", b"Upgrade: h2c", length) + SECOND,
    ]
    async with served(PATIENT) as (app, front):
        await exchange(front, b"".join(sent) + get(b"Host: h", b"Connection: close"))
        assert [(r.path, r.body) for r in app.requests] == [("/", SECOND)] * 4 + [("/", b"")]


async def test_trailers_are_no_headers() -> None:
    """What comes behind a body can neither replace nor add a header."""
    trailing = chunked(b"0\r\nAuthorization: Bearer x\r\nX-A: b\r\n\r\n")
    async with served(PATIENT) as (app, front):
        await exchange(front, trailing + get(b"Host: h", b"Connection: close"))
        assert [name for name, _ in app.requests[0].headers] == [b"host", b"transfer-encoding"]


async def test_paths_stay_as_they_were_sent() -> None:
    """Nobody joins, decodes or cuts them: an app sees each as other readers on the way saw it."""
    async with served(PATIENT) as (app, front):
        requests = [get(b"Host: h", line=b"GET %b HTTP/1.1" % path) for path in PATHS]
        await exchange(front, b"".join(requests) + get(b"Host: h", b"Connection: close"))
        assert [r.path.encode() for r in app.requests[:-1]] == PATHS


BASE = {b":method": b"POST", b":scheme": b"http", b":path": b"/x", b":authority": b"h"}
Fields = list[tuple[bytes, bytes]]
NAMELESS = [(name, value) for name, value in BASE.items() if name != b":authority"]


def base(**changes: bytes) -> Fields:
    pseudo = {f":{name}".encode(): value for name, value in changes.items()}
    return [*(BASE | pseudo).items()]


def more(name: bytes, value: bytes) -> Fields:
    return [*BASE.items(), (name, value)]


HTTP2 = [
    more(b"X-A", b"b"),
    more(b"connection", b"close"),
    more(b"te", b"gzip"),
    more(b"transfer-encoding", b"chunked"),
    more(b"upgrade", b"h2c"),
    more(b"proxy-connection", b"x"),
    more(b":path", b"/y"),
    more(b":authority", b"evil.example"),
    more(b":protocol", b"websocket"),
    more(b":status", b"200"),
    [(b"x-a", b"b"), *BASE.items()],
    base(path=b"/x HTTP/1.1\r\nHost: evil\r\n\r\n"),
    base(path=b"/x\ny"),
    base(path=b"/x y"),
    base(path=b"/x\x00y"),
    base(path=b""),
    base(path=b"x"),
    base(method=b"GET / HTTP/1.1\r\nx: y"),
    base(method=b"GE T"),
    base(authority=b"h\r\nx: y"),
    base(authority=b"h\x00"),
    base(authority=b"user@h"),
    base(scheme=b"http\r\nx: y"),
    [*NAMELESS, (b"host", b"h"), (b"host", b"evil.example")],
    more(b"x-a", b"b\r\nx-b: c"),
    more(b"x-a", b"b\nc"),
    more(b"x-a", b"b\x00c"),
    more(b"x-a: b\r\nx-b", b"c"),
    more(b"x:a", b"c"),
    more(b"x a", b"c"),
    more(b"", b"c"),
    more(b"content-length", b"2"),
    more(b"content-length", b"10"),
    more(b"content-length", b"+3"),
    [*more(b"content-length", b"3"), (b"content-length", b"3")],
]


async def told(fields: Fields, body: bytes = b"abc") -> tuple[list[type[Frame]], list[object]]:
    """What a front says to one HTTP/2 request, and what its app got to see."""
    head, data = HeadersFrame(1, Encoder().encode(fields)), DataFrame(1, body)
    head.flags.add("END_HEADERS")
    data.flags.add("END_STREAM")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()
    async with served(PATIENT) as (app, front):
        reader, writer = await asyncio.open_connection(*front.address)
        writer.write(preface + head.serialize() + data.serialize())
        kinds: list[type[Frame]] = []
        async with asyncio.timeout(5):
            while not {RstStreamFrame, HeadersFrame} & set(kinds):
                frame, length = Frame.parse_frame_header(memoryview(await reader.readexactly(9)))
                await reader.readexactly(length)
                kinds.append(type(frame))
        writer.close()
        return kinds, list(app.requests)


@pytest.mark.parametrize("fields", HTTP2)
async def test_http2(fields: Fields) -> None:
    """Fields that would be something else in HTTP/1.1 end the stream."""
    kinds, requests = await told(fields)
    assert RstStreamFrame in kinds
    assert requests == []


async def test_the_authority_is_the_host() -> None:
    """A `host` beside it is not heard: names are judged by what the client asked for."""
    _, (request,) = await told(more(b"host", b"evil.example"))
    assert request.headers == [(b"host", b"h")]  # type: ignore[attr-defined]
