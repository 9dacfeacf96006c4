"""A typed client of Restate's ingress, admin API and SQL.

    async with Client(Connection(admin_url="http://127.0.0.1:9070")) as client:
        services = await client.admin.services()
        rows = await client.query.invocations(["inv.status = 'running'"], limit=10)
        reply = await client.ingress.call(Target("Greeter", "greet"), b'"Ada"', headers=JSON)

It works against the official server and rtour's alike. The command line and the terminal UI are
built on it and hold no HTTP of their own.
"""

from __future__ import annotations

from typing import Self

import httpx

from rtour.client.admin import Admin
from rtour.client.failures import (
    ClientError,
    Conflict,
    Incompatible,
    InvocationFailed,
    NotFound,
    NotReady,
    Rejected,
    ServerFailed,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from rtour.client.ingress import Ingress, Target
from rtour.client.query import Query
from rtour.client.transport import Connection, Origin

JSON = {"content-type": "application/json"}


class Client:
    """The three faces of one server over one set of connections."""

    def __init__(
        self, connection: Connection, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.connection = connection
        self._admin = Origin(
            connection.admin_url,
            connection,
            role="admin",
            token=connection.token,
            transport=transport,
        )
        self._ingress = Origin(
            connection.ingress_url, connection, role="ingress", transport=transport
        )
        self.admin = Admin(self._admin)
        self.query = Query(self._admin)
        self.ingress = Ingress(self._ingress)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._ingress.close()


__all__ = [
    "JSON",
    "Client",
    "ClientError",
    "Conflict",
    "Connection",
    "Incompatible",
    "InvocationFailed",
    "NotFound",
    "NotReady",
    "Rejected",
    "ServerFailed",
    "Target",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
]
