"""The transport itself: requests go in, exchanges come out, pools do the rest."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from rtour.server.counts import ConnectionCounts
from rtour.server.transport.codec import CodecFactory, default_codec
from rtour.server.transport.errors import BadPeer, ConnectFailed, StreamLost
from rtour.server.transport.exchange import HttpExchange
from rtour.server.transport.interface import (
    Endpoint,
    Exchange,
    ResponseHead,
    Transport,
    TransportLimits,
)
from rtour.server.transport.pool import Pool
from rtour.server.transport.request import Origin, address_of, build_request

_DEFAULT_LIMITS = TransportLimits()
_ALPN = {"HTTP/2.0": ["h2", "http/1.1"], "HTTP/1.1": ["http/1.1"]}


class HttpTransport:
    """`Transport` over sockets; belongs to the event loop it is first used in.

    A `tls` context of the caller's is used for all `https` endpoints and then offers both HTTP
    versions; without one each version gets a context with the authorities of `ca_file`, a PEM
    bundle, or else with the system's.
    """

    def __init__(
        self,
        *,
        limits: TransportLimits = _DEFAULT_LIMITS,
        tls: ssl.SSLContext | None = None,
        ca_file: str | None = None,
        codec_factory: CodecFactory = default_codec,
        counts: ConnectionCounts | None = None,
    ) -> None:
        self._limits = limits
        self._codec_factory = codec_factory
        self._counts = counts or ConnectionCounts()
        self._ca_file = ca_file
        self._pools: dict[Origin, Pool] = {}
        self._tls: dict[str, ssl.SSLContext] = {}
        self._closed = False
        if tls is not None:
            tls.set_alpn_protocols(_ALPN["HTTP/2.0"])
            self._tls = dict.fromkeys(_ALPN, tls)

    @property
    def connection_count(self) -> int:
        """How many connections are open, to all deployments together."""
        return sum(pool.connection_count for pool in self._pools.values())

    async def open(
        self,
        endpoint: Endpoint,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        body: bytes = b"",
        end: bool = False,
        method: str = "POST",
    ) -> HttpExchange:
        """Start a request; with `end` the body is complete and the request half closed."""
        if self._closed:
            raise ConnectFailed("the transport is closed")
        try:
            address = address_of(endpoint)
            request = build_request(address, method, path, headers)
        except ValueError as error:
            raise ConnectFailed(str(error)) from error
        pool = self._pool(address.origin)
        exchange = HttpExchange(
            request, body, end=end, limits=self._limits, reconnect=pool.start, loop=pool.loop
        )
        if not pool.start_now(exchange):
            await pool.start(exchange)
        return exchange

    async def close(self) -> None:
        """Close every connection; open exchanges end in `StreamLost`."""
        self._closed = True
        pools = [*self._pools.values()]
        for pool in pools:
            pool.close()
        for pool in pools:
            await pool.wait_closed()

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(
                asyncio.get_running_loop(),
                origin,
                self._limits,
                tls=self._tls_context(origin.http_version) if origin.secure else None,
                codec_factory=self._codec_factory,
                counts=self._counts,
            )
        return pool

    def _tls_context(self, http_version: str) -> ssl.SSLContext:
        context = self._tls.get(http_version)
        if context is None:
            context = self._tls[http_version] = ssl.create_default_context(cafile=self._ca_file)
            context.set_alpn_protocols(_ALPN[http_version])
        return context


async def fetch(
    transport: Transport,
    endpoint: Endpoint,
    path: str,
    headers: Sequence[tuple[str, str]],
    *,
    method: str = "GET",
    body: bytes = b"",
    timeout_s: float,
    max_bytes: int,
) -> tuple[ResponseHead, bytes]:
    """Do one request with a complete body and return the whole response."""
    exchange: Exchange | None = None
    head: ResponseHead | None = None
    try:
        async with asyncio.timeout(timeout_s):
            exchange = await transport.open(
                endpoint, path, headers, body=body, end=True, method=method
            )
            head = await exchange.head()
            return head, await _read_all(exchange, max_bytes)
    except TimeoutError as error:
        raise StreamLost(
            f"no complete answer within {timeout_s:g} s", before_response=head is None
        ) from error
    finally:
        if exchange is not None:
            exchange.abort()


async def _read_all(exchange: Exchange, max_bytes: int) -> bytes:
    received: list[bytes] = []
    total = 0
    while data := await exchange.receive():
        received.append(data)
        total += len(data)
        if total > max_bytes:
            raise BadPeer(f"the response is longer than {max_bytes} bytes")
    return b"".join(received)
