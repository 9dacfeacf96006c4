"""A request and a reply, as the front rooms see them: no protocol, no connection.

`Front` turns bytes of HTTP/1.1 and HTTP/2 into a `Request` with its whole body, and the `Reply`
of an `App` back into bytes. A client that goes away cancels the app's task.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec

Headers = list[tuple[bytes, bytes]]


class Held(Protocol):
    """What a request takes of the memory that all requests share."""

    def give_back(self) -> None:
        """It takes nothing any more. Idempotent."""


class Request(msgspec.Struct, gc=False):
    """One request. Header names are lower case; `path` and `query` are as sent, and ASCII."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    held: Held | None = None

    def take_body(self) -> bytes:
        """The body, which the request then lets go of: its answer may take hours."""
        body, self.body = self.body, b""
        if self.held is not None:
            self.held.give_back()
        return body

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Reply(msgspec.Struct, gc=False):
    """One reply; `content-length`, `date` and connection headers are the front's business."""

    status: int
    headers: Headers
    body: bytes | AsyncIterator[bytes] = b""


App = Callable[[Request], Awaitable[Reply]]

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


def text_reply(status: int, text: str) -> Reply:
    return Reply(status, [TEXT], text.encode())
