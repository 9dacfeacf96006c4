"""Starting and stopping the sites that tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conformance.endpoints import Endpoint, Outside, Sdk
from tests.conformance.servers import Kind, Server
from tests.conformance.world import Site


@asynccontextmanager
async def site(
    kind: Kind, sdk: Sdk, folder: Path, env: dict[str, str] | None = None
) -> AsyncIterator[Site]:
    """A server of this kind with one registered endpoint on this SDK, gone afterwards."""
    outside = Outside(folder / "outside")
    server = Server(kind, folder / "server", env)
    endpoint = Endpoint(sdk, outside)
    try:
        await server.start()
        await endpoint.start()
        yield Site(server, endpoint, await server.register(endpoint.uri))
    finally:
        endpoint.stop()
        server.stop()
