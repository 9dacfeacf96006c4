"""The three faces of one server, over one set of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

from rtour.client.admin import Admin
from rtour.client.ingress import Ingress
from rtour.client.query import Query
from rtour.client.time import Time
from rtour.client.transport import Connection, Origin

if TYPE_CHECKING:
    import httpx

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
        self.admin = Admin(self._admin)
        self.query = Query(self._admin)
        self.time = Time(self._admin)
        self._transport = transport
        self.reach_ingress(connection.ingress_url)

    def reach_ingress(self, url: str) -> None:
        """Takes another ingress, such as the admin API names; before the first call to one."""
        self.connection = msgspec.structs.replace(self.connection, ingress_url=url)
        self._ingress = Origin(
            url,
            self.connection,
            role="ingress",
            token=self.connection.ingress_token,
            transport=self._transport,
        )
        self.ingress = Ingress(self._ingress)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._ingress.close()
