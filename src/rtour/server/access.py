"""From settings to the guards of the ports, and the refusal to stand open by accident."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from typing import Self

import msgspec

from rtour.errors import RtourError
from rtour.server import tls
from rtour.server.admin.replies import refused as admin_refused
from rtour.server.front.guard import Guard, Names, Origins
from rtour.server.ingress.replies import refused as ingress_refused
from rtour.server.settings import Settings
from rtour.server.tokens import Tokens, load_tokens

_log = logging.getLogger("rtour.access")


class OpenToAll(RtourError):  # noqa: N818 - reads as the fact it reports
    """A port would listen beyond this machine, and answer anybody."""


class Access(msgspec.Struct, frozen=True):
    """Who may use which port."""

    admin: Guard
    ingress: Guard
    admin_tokens: Tokens
    ingress_tokens: Tokens
    http_tls: ssl.SSLContext | None
    postgres_tls: ssl.SSLContext | None

    @property
    def ingress_headers(self) -> frozenset[bytes]:
        """The headers that are for the ingress itself: no service gets to see its token."""
        return frozenset({b"authorization"}) if self.ingress_tokens else frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read tokens and certificates.

        Raises OpenToAll for a port beyond loopback without a token, BadToken and BadCertificate
        for files that cannot be used.
        """
        admin = load_tokens("admin", settings.admin_token, settings.admin_token_file)
        ingress = load_tokens("ingress", settings.ingress_token, settings.ingress_token_file)
        _check_bindings(settings, _ports(settings, admin, ingress))
        tls.check_authorities(settings.deployment_ca_file)
        names = Names(settings.allowed_hosts)
        # Who has to bring a token is not at the mercy of pages: those do not know it.
        origins = settings.ingress_origins or (("*",) if ingress else ())
        return cls(
            Guard(admin, names, Origins(()), admin_refused),
            Guard(ingress, names, Origins(origins, loopback=True), ingress_refused),
            admin,
            ingress,
            tls.of_ports(settings.tls_cert, settings.tls_key, http=True),
            tls.of_ports(settings.tls_cert, settings.tls_key, http=False),
        )


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address; names count as reachable."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class _Port(msgspec.Struct, frozen=True):
    """A port, where it listens, and what protects it."""

    name: str
    host: str
    token_of: str
    tokens: Tokens


def _ports(settings: Settings, admin: Tokens, ingress: Tokens) -> list[_Port]:
    ports = [
        _Port("admin", settings.admin_host or settings.host, "admin", admin),
        _Port("ingress", settings.ingress_host or settings.host, "ingress", ingress),
    ]
    if settings.pg_port is not None:
        ports.append(_Port("psql", settings.host, "admin", admin))
    return ports


def _check_bindings(settings: Settings, ports: list[_Port]) -> None:
    """Ports beyond loopback need a token each, unless the operator says otherwise."""
    exposed = [port for port in ports if not is_loopback(port.host)]
    bare = [port for port in exposed if not port.tokens]
    if bare and not settings.allow_unauthenticated:
        raise OpenToAll(_refusal(bare))
    for port in bare:
        _log.warning("The %s port listens on %s and asks for no token", port.name, port.host)
    if len(bare) < len(exposed) and settings.tls_cert is None:
        _log.warning(
            "Tokens go over the network in the clear: set tls_cert and tls_key, or put a proxy "
            "that speaks TLS before the server"
        )


def _refusal(bare: list[_Port]) -> str:
    where = " and ".join(f"the {port.name} port on {port.host}" for port in bare)
    needed = list(dict.fromkeys(port.token_of for port in bare))
    flags = " and ".join(f"--{name}-token-file FILE" for name in needed)
    variables = " and ".join(f"RTOUR_{name.upper()}_TOKEN" for name in needed)
    return (
        f"{where} would answer anybody who can reach this machine. Protect it with {flags} "
        f"(or {variables}); or, if that is what you want, say --allow-unauthenticated; or listen "
        "on 127.0.0.1"
    )
