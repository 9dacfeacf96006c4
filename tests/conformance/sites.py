"""The sites tests share: every kind of server with every SDK, started when first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.endpoints import SDKS, Endpoint, Outside, Sdk
from tests.conformance.servers import KINDS, Kind, Server
from tests.conformance.world import Site


def needs_oracle(kind: Kind, sdk: Sdk) -> bool:
    """The official server and the TypeScript SDK come from npm."""
    return kind == "official" or sdk == "typescript"


def combinations() -> list[Any]:
    """Parameters for tests that hold on every server with every SDK."""
    return [
        pytest.param(
            (kind, sdk),
            id=f"{kind}-{sdk}",
            marks=[pytest.mark.oracle] if needs_oracle(kind, sdk) else [],
        )
        for kind in KINDS
        for sdk in SDKS
    ]


def kinds() -> list[Any]:
    """Parameters for tests that hold on both servers, whatever the SDK."""
    return [
        pytest.param(
            kind, id=kind, marks=[pytest.mark.oracle] if needs_oracle(kind, "python") else []
        )
        for kind in KINDS
    ]


@contextmanager
def standing_site(kind: Kind, sdk: Sdk, folder: Path) -> Iterator[Site]:
    """A site for fixtures that outlive one event loop."""
    with asyncio.Runner() as runner:
        context = site(kind, sdk, folder)
        try:
            yield runner.run(context.__aenter__())
        finally:
            runner.run(context.__aexit__(None, None, None))


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
