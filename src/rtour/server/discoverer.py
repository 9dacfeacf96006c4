"""Asks an endpoint what it serves, and says in Restate's codes why that did not work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from rtour.errors import ManifestError
from rtour.protocol.discovery import Manifest, ProtocolMode, accept_header, parse_manifest
from rtour.redaction import redact
from rtour.server.identity import Sign
from rtour.server.transport import (
    Endpoint,
    Http1Only,
    ResponseHead,
    Transport,
    TransportError,
    fetch,
)

PATH: Final = "/discover"
TIMEOUT_S: Final = 10.0
BYTES_MAX: Final = 16 << 20
ATTEMPTS: Final = 3
PAUSE_S: Final = 0.1
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_MANIFEST_VERSION: Final = 4  # what the official server asks for; SDKs know what it understands
_BODY_SHOWN: Final = 500
_PYTHON_SDKS: Final = ("restate-sdk-python/", "rtour-sdk/")
_OWN_SERVER: Final = "rtour"  # what rtour.sdk.serving calls itself

_STREAMS_IN_LAMBDA: Final = (
    "[META0015] the Lambda function says that it streams, which no function can: serve it "
    "with the SDK's Lambda handler"
)


class Discovered(msgspec.Struct, frozen=True):
    """What an endpoint answered; `also_http1` beside the HTTP/2 it was asked in."""

    manifest: Manifest
    sdk_version: str | None = None
    also_http1: bool = False


class HttpDiscoverer:
    """`GET /discover` over the transport that attempts use, too."""

    def __init__(self, transport: Transport, sign: Sign, cluster_name: str) -> None:
        self._transport = transport
        self._sign = sign
        self._cluster_name = cluster_name

    async def discover(self, endpoint: Endpoint, headers: dict[str, str]) -> Discovered:
        """The manifest at an endpoint. Raises ManifestError."""
        sent = [
            ("accept", accept_header(_MANIFEST_VERSION)),
            ("x-restate-cluster-name", self._cluster_name),
            *headers.items(),
            *self._sign(PATH, None),
        ]
        head, body = await self._ask(endpoint, sent)
        if head.status != 200:
            raise ManifestError(_unexpected(head, body), "META0003")
        sdk = head.headers.get("x-restate-server")
        try:
            manifest = parse_manifest(
                body, head.headers.get("content-type"), sdk, _MANIFEST_VERSION
            )
        except ManifestError as error:
            code = error.restate_code
            text = error.message if code is None else f"[{code}] {error.message}"
            raise ManifestError(text, code, error.status) from error
        if endpoint.is_lambda and manifest.protocol_mode is ProtocolMode.BIDI_STREAM:
            raise ManifestError(_STREAMS_IN_LAMBDA, "META0015", 400)
        also_http1 = _is_cheaper_in_http1(endpoint, head)
        also_http1 = also_http1 and await self._speaks_http1(endpoint, sent)
        return Discovered(manifest, sdk, also_http1)

    async def _speaks_http1(self, endpoint: Endpoint, headers: Sequence[tuple[str, str]]) -> bool:
        """Whether an endpoint that was asked in HTTP/2 answers HTTP/1.1 on the same port."""
        try:
            head, _ = await fetch(
                self._transport,
                Endpoint(endpoint.uri, "HTTP/1.1"),
                PATH,
                headers,
                timeout_s=TIMEOUT_S,
                max_bytes=BYTES_MAX,
            )
        except TransportError:
            return False
        return head.status == 200

    async def _ask(
        self, endpoint: Endpoint, headers: Sequence[tuple[str, str]]
    ) -> tuple[ResponseHead, bytes]:
        """The first answer that is no passing trouble, or the last one."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                head, body = await fetch(
                    self._transport,
                    endpoint,
                    PATH,
                    headers,
                    timeout_s=TIMEOUT_S,
                    max_bytes=BYTES_MAX,
                )
            except Http1Only as error:
                raise ManifestError(
                    f"[META0014] [META0014] '{redact(endpoint.uri)}' only speaks HTTP/1.1: "
                    "register it with use_http_11 (--use-http1.1)",
                    "META0014",
                ) from error
            except TransportError as error:
                raise ManifestError(
                    f"[META0003] [META0003] error when calling '{redact(endpoint.uri)}': {error}",
                    "META0003",
                ) from error
            if head.status not in _TRANSIENT or attempt == ATTEMPTS:
                break
            await asyncio.sleep(PAUSE_S * attempt)
        return head, body


def _is_cheaper_in_http1(endpoint: Endpoint, head: ResponseHead) -> bool:
    """Python's ASGI servers work a third less for it; rtour's own half more (decisions/003)."""
    plain = endpoint.uri.startswith("http://") and endpoint.http_version == "HTTP/2.0"
    python = head.headers.get("x-restate-server", "").startswith(_PYTHON_SDKS)
    return plain and python and head.headers.get("server") != _OWN_SERVER


def _unexpected(head: ResponseHead, body: bytes) -> str:
    shown = body[:_BODY_SHOWN].decode("utf-8", "replace")
    return (
        f"[META0003] [META0003] got status code '{head.status}'. Make sure the provided URI has "
        "the correct path where the Restate SDK endpoint is mounted. "
        f"Response headers: {head.headers}. Body: {shown}"
    )
