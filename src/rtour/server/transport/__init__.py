"""The outgoing HTTP side: from the server to deployments, full duplex.

`Transport` and `Exchange` are the seam (`interface.py`), `HttpTransport` the real thing:

    client ── pool ── http2 ── codec_ngh2 or codec_h2
                  └── http1 (httptools)
    exchange: one request and its response, above either
"""

from rtour.server.transport.client import HttpTransport, fetch
from rtour.server.transport.errors import (
    BadPeer,
    ConnectFailed,
    Http1Only,
    StreamLost,
    TransportError,
)
from rtour.server.transport.interface import (
    Endpoint,
    Exchange,
    ResponseHead,
    Transport,
    TransportLimits,
)

__all__ = [
    "BadPeer",
    "ConnectFailed",
    "Endpoint",
    "Exchange",
    "Http1Only",
    "HttpTransport",
    "ResponseHead",
    "StreamLost",
    "Transport",
    "TransportError",
    "TransportLimits",
    "fetch",
]
