"""The three faces of one server, over one set of connections."""

from __future__ import annotations

from typing import Self

import httpx

from rtour.client.admin import Admin
from rtour.client.ingress import Ingress
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
