"""What can go wrong between the server and a deployment, told apart by what to do next.

    TransportError
    ├── ConnectFailed    no connection came up: nothing was sent, try again later
    ├── StreamLost       the exchange broke; `before_response` says whether the peer had answered
    └── BadPeer          the peer does not speak the HTTP that was asked for
        └── Http1Only    … because it only speaks HTTP/1.1 (discovery reports META0014)

The error an exchange ends in is final: every later call raises the same one.
"""

from __future__ import annotations

from rtour.errors import RtourError


class TransportError(RtourError):
    """An exchange with a deployment failed below the service protocol."""

    restate_code = "RT0010"


class ConnectFailed(TransportError):  # noqa: N818 - reads as the fact it reports
    """No usable connection: refused, unreachable, TLS failed, or silent until the time limit."""


class StreamLost(TransportError):  # noqa: N818
    """The exchange broke after the connection was up."""

    def __init__(self, message: str, *, before_response: bool) -> None:
        super().__init__(message)
        self.before_response = before_response


class BadPeer(TransportError):  # noqa: N818
    """The peer sent what is not HTTP, or not the version we can use, or broke a limit."""


class Http1Only(BadPeer):
    """The peer answered an HTTP/2 connection in HTTP/1.1."""

    restate_code = "META0014"
