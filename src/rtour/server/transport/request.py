"""Requests as bytes: deployment addresses, header fields, and what of them can be remembered.

Nearly every request to a deployment repeats the fields of the one before, so each distinct field,
address and request line is checked and encoded once and then found in a cache.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from rtour.redaction import redact
from rtour.server.transport.interface import Endpoint, ResponseHead

Field = tuple[bytes, bytes]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Control characters would let a value end its own line (HTTP/1.1) or kill the connection (HTTP/2).
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET = re.compile(r"/[\x21-\x7e]*")
# These describe the connection, which is the transport's business (RFC 9113 §8.2.2).
_HOP_BY_HOP = frozenset(
    {"connection", "host", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "content-length"}
)
_DEFAULT_PORT = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True):
    """What decides which connections an exchange may share."""

    host: str
    port: int
    secure: bool
    http_version: Literal["HTTP/1.1", "HTTP/2.0"]


class Address(msgspec.Struct, frozen=True):
    """An endpoint's URI, taken apart."""

    origin: Origin
    authority: bytes
    base_path: str
    query: str

    def target(self, path: str) -> bytes:
        """Return the request target: base path, then `path`, then the URI's own query."""
        query = f"?{self.query}" if self.query else ""
        target = f"{self.base_path}{path}{query}"
        if not _TARGET.fullmatch(target):
            raise ValueError(f"not a request target: {target!r} (expected / and visible ASCII)")
        return target.encode("ascii")


class Request(msgspec.Struct, frozen=True):
    """A request head, ready for either HTTP version."""

    method: bytes
    secure: bool
    authority: bytes
    target: bytes
    fields: list[Field]


@lru_cache(maxsize=1024)
def address_of(endpoint: Endpoint) -> Address:
    """Take an endpoint's URI apart; `ValueError` says what is wrong with it."""
    parts = urlsplit(endpoint.uri)
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname:
        uri = redact(endpoint.uri)
        raise ValueError(f"not a deployment address: {uri!r} (expected http(s)://host…)")
    if parts.username is not None:
        raise ValueError("a deployment address carries no user name: use additional headers")
    default_port = _DEFAULT_PORT[parts.scheme]
    port = parts.port or default_port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port == default_port else f"{host}:{port}"
    return Address(
        origin=Origin(parts.hostname, port, parts.scheme == "https", endpoint.http_version),
        authority=authority.encode("idna" if not authority.isascii() else "ascii"),
        base_path=parts.path.rstrip("/"),
        query=parts.query,
    )


@lru_cache(maxsize=1024)
def _target(address: Address, path: str) -> bytes:
    return address.target(path)


@lru_cache(maxsize=4096)
def _field(name: str, value: str) -> Field:
    stripped = value.strip(" \t")
    # The first test is the quick one: what differs from request to request is an id.
    if not (stripped.isascii() and stripped.isprintable()) and not _VALUE.fullmatch(stripped):
        raise ValueError(f"header {name!r} holds control characters")
    if (name, stripped) == ("te", "trailers"):  # the one thing TE may say (RFC 9113 §8.2.2); gRPC
        return b"te", b"trailers"
    return _field_name(name), stripped.encode("utf-8")


@lru_cache(maxsize=1024)
def _field_name(name: str) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"not a header name: {name!r}")
    if name.lower() in _HOP_BY_HOP:
        raise ValueError(f"header {name!r} belongs to the connection and can't be set")
    return name.lower().encode("ascii")


def build_request(
    address: Address, method: str, path: str, headers: Sequence[tuple[str, str]]
) -> Request:
    """Check and encode a request head; `ValueError` when a part of it can't be sent."""
    return Request(
        method=method.encode("ascii"),
        secure=address.origin.secure,
        authority=address.authority,
        target=_target(address, path),
        fields=[_field(name, value) for name, value in headers],
    )


def response_head(fields: tuple[Field, ...]) -> ResponseHead:
    """Decode a response's fields, `:status` among them."""
    status, headers = _decoded_head(fields)
    return ResponseHead(status, headers.copy())


@lru_cache(maxsize=512)
def _decoded_head(fields: tuple[Field, ...]) -> tuple[int, dict[str, str]]:
    headers = joined(fields)
    status = int(headers.pop(":status", "0"))
    if not 200 <= status <= 999:
        raise ValueError(f"the response has status {status}")
    return status, headers


def joined(fields: tuple[Field, ...]) -> dict[str, str]:
    """Fields by their names in lower case, repeated ones in one."""
    found: dict[str, str] = {}
    for name, value in fields:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
