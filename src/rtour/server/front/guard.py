"""Who may ask: decided by the head of a request, before its body is read.

A port with tokens answers whoever brings one. A port without answers whoever reaches it, which on
loopback means every program of this machine, and a web browser is one that does what foreign pages
tell it. Such a page reaches loopback in two ways, and both leave a trace in the head:

    it sends a request to our address           its `origin`, or `sec-fetch-site: cross-site`
    it points a name of its own at our address  that name as `host` (DNS rebinding)

So without tokens the host must be a name that no foreigner can own, and the origin one of ours.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from rtour.server.web import Headers, Reply

_WATCHED: Final = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization"})
_REMEMBERED_MAX: Final = 256
_ANY: Final = "*"
# Names below these never resolve in the public DNS (RFC 6761, and ICANN's `.internal`).
_RESERVED: Final = (".localhost", ".internal")
CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="rtour"')

Refuse = Callable[[int, str, Headers], Reply]


class Opens(Protocol):
    """What a guard needs of tokens."""

    def open_with(self, authorization: bytes | None) -> bool: ...

    def __bool__(self) -> bool: ...


class Names:
    """The hosts that a port goes by."""

    def __init__(self, allowed: Iterable[str]) -> None:
        names = {name.lower().rstrip(".") for name in allowed}
        self.any = _ANY in names
        self._names = names | {socket.gethostname().lower()}
        self._remembered: dict[bytes, bool] = {}

    def know(self, host: bytes) -> bool:
        """Whether a `host` header, with or without a port, names this server."""
        known = self._remembered.get(host)
        if known is None:
            known = self.any or self._decide(host.decode("latin-1"))
            if len(self._remembered) < _REMEMBERED_MAX:
                self._remembered[host] = known
        return known

    def _decide(self, host: str) -> bool:
        name = _without_port(host.lower()).rstrip(".")
        if not name:
            return False
        # An address, or a name without a dot, cannot be pointed here by a foreign page.
        return "." not in name or _is_address(name) or self._is_ours(name)

    def _is_ours(self, name: str) -> bool:
        return name in self._names or name.endswith(_RESERVED)


class Origins:
    """The web origins whose pages may send requests."""

    def __init__(self, allowed: Iterable[str], *, loopback: bool = False) -> None:
        self._allowed = {origin.lower().rstrip("/").encode() for origin in allowed}
        self.any = b"*" in self._allowed
        self._loopback = loopback

    def allow(self, origin: bytes, host: bytes) -> bool:
        """Whether pages of `origin` may ask the server that is called `host`."""
        origin = origin.lower()
        if self.any or origin in self._allowed:
            return True
        scheme, separator, authority = origin.partition(b"://")
        if not separator or scheme not in {b"http", b"https"}:
            return False  # such as `null`, which anybody can be
        return authority == host.lower() or (self._loopback and _is_loopback(authority))


class Guard:
    """The rules of one port. `refuse` puts a refusal in the shape of the port's other errors."""

    def __init__(self, tokens: Opens, names: Names, origins: Origins, refuse: Refuse) -> None:
        self._tokens = tokens
        self._names = names
        self._origins = origins
        self._refuse = refuse
        self._open = not tokens

    def __call__(self, method: str, headers: Headers) -> Reply | None:
        """The refusal of a request with this head; None if it may go on."""
        host = origin = site = authorization = None
        for name, value in headers:
            if name in _WATCHED:
                if name == b"host":
                    host = value
                elif name == b"origin":
                    origin = value
                elif name == b"authorization":
                    authorization = value
                else:
                    site = value
        if self._open and host is not None and not self._names.know(host):
            return self._unknown_host(host)
        if origin is not None:
            if not self._origins.allow(origin, host or b""):
                return self._foreign(origin.decode("latin-1"))
        elif site is not None and site == b"cross-site" and not self._origins.any:
            return self._foreign("another site")
        # A preflight never carries a token.
        if self._open or method == "OPTIONS" or self._tokens.open_with(authorization):
            return None
        return self._unauthorized(authorization, origin)

    def _unknown_host(self, host: bytes) -> Reply:
        name = host.decode("latin-1")
        message = (
            f"this server does not go by the name '{name}'; if it should, add the name to "
            "allowed_hosts (--allowed-hosts), or protect the port with a token"
        )
        return self._refuse(403, message, [])

    def _foreign(self, who: str) -> Reply:
        message = f"web pages of '{who}' may not call this server"
        return self._refuse(403, message, [])

    def _unauthorized(self, authorization: bytes | None, origin: bytes | None) -> Reply:
        given = "the bearer token is not valid" if authorization else "a bearer token is needed"
        headers = [CHALLENGE]
        if origin is not None:
            headers.append((b"access-control-allow-origin", origin))
        return self._refuse(401, f"{given}: send `Authorization: Bearer …`", headers)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(authority: bytes) -> bool:
    name = _without_port(authority.decode("latin-1"))
    if name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name) and ipaddress.ip_address(name).is_loopback
