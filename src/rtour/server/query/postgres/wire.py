"""Messages of PostgreSQL's protocol, version 3: bytes for the client, and what a client sends."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from rtour.server.query.postgres.oids import SIZES

PROTOCOL: Final = 196608
CANCEL_REQUEST: Final = 80877102
SSL_REQUEST: Final = 80877103
GSS_REQUEST: Final = 80877104

_length = struct.Struct(">i").pack


class MalformedError(Exception):
    """The client does not speak the protocol; its connection ends."""


def message(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + _length(len(payload) + 4) + payload


def text(value: str) -> bytes:
    return value.encode().replace(b"\x00", b"") + b"\x00"


AUTHENTICATION_OK: Final = message(b"R", _length(0))
PARSE_COMPLETE: Final = message(b"1")
BIND_COMPLETE: Final = message(b"2")
CLOSE_COMPLETE: Final = message(b"3")
NO_DATA: Final = message(b"n")
EMPTY_QUERY: Final = message(b"I")
PORTAL_SUSPENDED: Final = message(b"s")


def authentication(kind: int, payload: bytes) -> bytes:
    """A step of an authentication; kind 0, without payload, is its success."""
    return message(b"R", _length(kind) + payload)


def parameter_status(name: str, value: str) -> bytes:
    return message(b"S", text(name) + text(value))


def key_data(process: int, secret: int) -> bytes:
    return message(b"K", struct.pack(">iI", process, secret))


def ready(status: bytes) -> bytes:
    """`I` outside of a transaction, `T` in one, `E` in one that failed."""
    return message(b"Z", status)


def complete(tag: str) -> bytes:
    return message(b"C", text(tag))


def error(sqlstate: str, words: str, severity: str = "ERROR") -> bytes:
    fields = (("S", severity), ("V", severity), ("C", sqlstate), ("M", words))
    body = b"".join(field.encode() + text(value) for field, value in fields)
    return message(b"E", body + b"\x00")


def row_description(columns: Iterable[tuple[str, int]], formats: Sequence[int]) -> bytes:
    """Names and types; no formats means text."""
    parts = []
    for place, (name, oid) in enumerate(columns):
        format_ = format_of(formats, place)
        size = SIZES.get(oid, -1)
        parts.append(text(name) + struct.pack(">ihihih", 0, 0, oid, size, -1, format_))
    return message(b"T", struct.pack(">h", len(parts)) + b"".join(parts))


def parameter_description(oids: Sequence[int]) -> bytes:
    return message(b"t", struct.pack(f">h{len(oids)}i", len(oids), *oids))


def data_row(values: Iterable[bytes | None]) -> bytes:
    parts = [_length(-1) if value is None else _length(len(value)) + value for value in values]
    return message(b"D", struct.pack(">h", len(parts)) + b"".join(parts))


def format_of(formats: Sequence[int], place: int) -> int:
    """One format counts for all."""
    if len(formats) == 1:
        return formats[0]
    return formats[place] if place < len(formats) else 0


# --- from the client -----------------------------------------------------------------------------


class Fields:
    """Reads a message's payload from left to right. Raises MalformedError when it ends too soon."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def string(self) -> str:
        end = self._payload.find(b"\x00", self._at)
        if end < 0:
            raise MalformedError("a string without an end")
        value = self._payload[self._at : end]
        self._at = end + 1
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise MalformedError("a string that is not UTF-8") from error

    def int16(self) -> int:
        return int.from_bytes(self.raw(2), signed=True)

    def int32(self) -> int:
        return int.from_bytes(self.raw(4), signed=True)

    def raw(self, length: int) -> bytes:
        value = self._payload[self._at : self._at + length]
        if length < 0 or len(value) < length:
            raise MalformedError("a message that ends too soon")
        self._at += length
        return value

    def formats(self) -> list[int]:
        return [self.int16() for _ in range(self.int16())]


class Parse(msgspec.Struct, frozen=True):
    """A statement gets a name and perhaps types for its parameters."""

    name: str
    sql: str
    types: list[int]

    @classmethod
    def read(cls, fields: Fields) -> Parse:
        return cls(
            fields.string(), fields.string(), [fields.int32() for _ in range(fields.int16())]
        )


class Bind(msgspec.Struct, frozen=True):
    """A statement gets values and becomes a portal."""

    portal: str
    statement: str
    formats: list[int]
    values: list[bytes | None]
    result_formats: list[int]

    @classmethod
    def read(cls, fields: Fields) -> Bind:
        portal, statement, formats = fields.string(), fields.string(), fields.formats()
        values: list[bytes | None] = []
        for _ in range(fields.int16()):
            length = fields.int32()
            values.append(None if length < 0 else fields.raw(length))
        return cls(portal, statement, formats, values, fields.formats())


def startup_parameters(payload: bytes) -> dict[str, str]:
    """The name-value pairs after the protocol number."""
    fields, pairs = Fields(payload), {}
    while name := fields.string():
        pairs[name] = fields.string()
    return pairs
