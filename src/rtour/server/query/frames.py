"""What the server and a query process say to each other, over the process's stdin and stdout.

One question at a time. The answer is any number of DATA frames and then FAILED or END; the data of
all of them make up the body of a reply, in the encoding that was asked for.
"""

from __future__ import annotations

import struct
from typing import Final, Literal

import msgspec

from rtour.storage.introspection import LiveAttempt

Encoding = Literal["json", "arrow", "postgres", "describe"]

HEADER: Final = struct.Struct(">cI")
DATA: Final = b"D"
FAILED: Final = b"F"
END: Final = b"E"


class Bound(msgspec.Struct, frozen=True, array_like=True):
    """What a client of PostgreSQL gives a statement, and in which formats it wants the rows."""

    types: list[int] = []
    parameters: list[bytes | None] = []
    parameter_formats: list[int] = []
    result_formats: list[int] = []
    described: bool = False
    """The rows' names and types come first."""
    skip: int = 0
    """Rows that the client has had already."""
    rows_wanted: int = 0
    """No more than these; 0 for all."""


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A statement to run, and within what limits."""

    sql: str
    encoding: Encoding
    now_ms: int
    timeout_ms: int
    rows_max: int
    live: list[LiveAttempt]
    bound: Bound | None = None
    """For clients of PostgreSQL."""


class Failed(msgspec.Struct, frozen=True, array_like=True):
    status: int
    message: str
    sqlstate: str


class Shape(msgspec.Struct, frozen=True, array_like=True):
    """What rows and parameters look like, for PostgreSQL's clients: (name, type) and types."""

    columns: list[tuple[str, int]]
    parameters: list[int]


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload
