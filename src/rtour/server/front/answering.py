"""What both HTTP versions need: requests, replies of apps, and replies of the front itself."""

from __future__ import annotations

import asyncio
import http
import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol
from urllib.parse import quote_from_bytes

from rtour.server.front.limits import Budget, FrontLimits, Share, Unread
from rtour.server.web import TEXT, App, Headers, Reply, Request, text_reply

_log = logging.getLogger("rtour.front")

TOO_LARGE = text_reply(413, "length limit exceeded")
TOO_MUCH = Reply(
    429,
    [TEXT, (b"retry-after", b"1")],
    b"too many large requests at once, the server is overloaded. Retry later.",
)
_NO_ROOM = b"the request was handled, but there is no room for the reply: "
_STILL_THERE = (
    b"The result of a call is there for whoever attaches to it, or repeats it with the same "
    b"idempotency key."
)
UNREAD = Reply(
    503,
    [TEXT, (b"retry-after", b"1")],
    _NO_ROOM
    + b"this connection has not read earlier ones. Read them as they come. "
    + _STILL_THERE,
)
UNREAD_BY_OTHERS = Reply(
    503,
    [TEXT, (b"retry-after", b"1")],
    _NO_ROOM + b"too many clients have not read theirs. Retry later. " + _STILL_THERE,
)
HEAD_TOO_LARGE = text_reply(431, "the request head is too large")
TOO_SLOW = text_reply(408, "the request did not arrive in time")

TWO_HOSTS = text_reply(400, "bad request: more than one host")

_SAFE = "/:?#[]@!$&'()*+,;=-._~%"


# Method and headers in, a refusal out if the request may not go on.
Check = Callable[[str, Headers], Reply | None]


def open_to_all(_method: str, _headers: Headers) -> Reply | None:
    """The check of a front without a guard."""
    return None


class Shared:
    """What the connections of one front have in common."""

    def __init__(self, app: App, limits: FrontLimits, check: Check = open_to_all) -> None:
        self.app = app
        self.check = check
        self.limits = limits
        self.budget = Budget(limits)
        self.unread = Unread(limits)
        self.stopping = False


class Stoppable(Protocol):
    """A connection, as the front that holds it sees it."""

    def stop(self) -> None:
        """Take no new request; close when those under way are answered."""

    def abort(self) -> None:
        """Close now."""


class Refused(Exception):  # noqa: N818 - it is an answer more than an error
    """A request that gets `reply` without reaching the app."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def make_request(
    method: str, target: bytes, headers: Headers, body: bytes, share: Share | None = None
) -> Request:
    """Split a request target; an absolute one counts from its path on."""
    if target[:1] != b"/" and b"://" in target:
        _, _, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2]
    text = target.decode() if target.isascii() else quote_from_bytes(target, safe=_SAFE)
    path, _, query = text.partition("?")
    return Request(method, path, query, headers, body, share)


def content_length(headers: Headers) -> int:
    """The announced length of a body; 0 if none is."""
    for name, value in headers:
        if name == b"content-length":
            digits = value.strip()
            return int(digits) if digits.isdigit() and len(digits) < 20 else 0
    return 0


async def answer(app: App, request: Request) -> Reply:
    """The app's reply; a bug in it costs one request."""
    try:
        return await app(request)
    except asyncio.CancelledError:
        raise
    except Exception:  # noqa: BLE001 - the other requests go on
        _log.exception("%s %s failed", request.method, request.path)
        return text_reply(500, "internal server error")


_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in http.HTTPStatus
}


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def bodiless(method: str, status: int) -> bool:
    """Whether HTTP gives this reply no body, whatever the app says."""
    return method == "HEAD" or status in {204, 304}


class DateHeader:
    """The `date` header, made once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._value = b""

    def __call__(self) -> bytes:
        second = int(time.clock_gettime(time.CLOCK_REALTIME))
        if second != self._second:
            self._second = second
            self._value = formatdate(second, usegmt=True).encode()
        return self._value


date_header = DateHeader()
