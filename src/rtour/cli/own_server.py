"""A server that this program is about to start: where it will be, and what opens it.

It takes its settings from flags, variables and a file, as every server does; who starts it has to
come to the same conclusions, to find it, to be let in, and to know it from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rtour.cli.diagnostics import CliError
from rtour.cli.settings import Setting, Settings
from rtour.errors import RtourError

ORIGIN = "rtour up"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where it listens


class OwnServer(msgspec.Struct, frozen=True):
    """Addresses and ports to connect to, tokens, and the file of its certificate."""

    ingress: tuple[str, int]
    admin: tuple[str, int]
    token: str | None
    ingress_token: str | None
    certificate: str | None

    def chosen(self, settings: Settings) -> Settings:
        """Settings with this server as the one in use."""
        return msgspec.structs.replace(
            settings,
            admin_url=Setting(self._url(self.admin), ORIGIN),
            ingress_url=Setting(self._url(self.ingress), ORIGIN),
            token=Setting(self.token, ORIGIN),
            ingress_token=Setting(self.ingress_token, ORIGIN),
            certificate=self.certificate,
        )

    def _url(self, address: tuple[str, int]) -> str:
        host, port = address
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"


def expected(env: Mapping[str, str], flags: Mapping[str, str]) -> OwnServer:
    """What a server makes of this environment and these flags. Raises CliError."""
    from rtour.server.settings import load  # noqa: PLC0415 - few commands start a server
    from rtour.server.tokens import load_tokens  # noqa: PLC0415

    try:
        found = load(env, flags=flags)
        admin = load_tokens("admin", found.admin_token, found.admin_token_file)
        ingress = load_tokens("ingress", found.ingress_token, found.ingress_token_file)
    except RtourError as error:
        raise CliError(f"the server would not start: {error}") from error
    if 0 in {found.ingress_port, found.admin_port}:
        raise CliError(
            "port 0 is any port, and then nobody knows which",
            expected="the numbers of two ports",
            hint="rtour up -r chooses free ones",
        )
    return OwnServer(
        ingress=(_reachable(found.ingress_host or found.host), found.ingress_port),
        admin=(_reachable(found.admin_host or found.host), found.admin_port),
        token=_first(admin),
        ingress_token=_first(ingress),
        certificate=found.tls_cert,
    )


def _reachable(host: str) -> str:
    """Who listens everywhere is here, too."""
    bare = host.strip("[]")
    return _ANY_ADDRESS.get(bare, bare)


def _first(tokens: Any) -> str | None:
    return tokens.secrets[0].reveal() if tokens else None
