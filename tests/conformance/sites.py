"""The sites tests share: every kind of server with every SDK, started when first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.endpoints import SETUPS, Endpoint, Outside, Setup
from tests.conformance.servers import KINDS, Kind, Server
from tests.conformance.toolchains import TOOLCHAINS
from tests.conformance.world import Site


def marks(kind: Kind, setup: Setup) -> list[pytest.MarkDecorator]:
    """Of a test on this site: what has to be fetched for it, and what it cannot do without."""
    found = []
    if kind == "official" or not setup.startswith("python"):
        found.append(pytest.mark.oracle)
    missing = TOOLCHAINS[setup].missing() if setup in TOOLCHAINS else None
    if missing is not None:
        found.append(pytest.mark.skip(reason=missing))
    return found


def combinations(setups: Sequence[Setup] = SETUPS) -> list[Any]:
    """Parameters for tests that hold on every server with each of these setups."""
    return [
        pytest.param(
            (kind, setup),
            id=f"{kind}-{setup}",
            marks=marks(kind, setup),
        )
        for kind in KINDS
        for setup in setups
    ]


def kinds() -> list[Any]:
    """Parameters for tests that hold on both servers, whatever the SDK."""
    return [pytest.param(kind, id=kind, marks=marks(kind, "python")) for kind in KINDS]


@contextmanager
def standing_site(
    kind: Kind, setup: Setup, folder: Path, env: dict[str, str] | None = None
) -> Iterator[Site]:
    """A site for fixtures that outlive one event loop."""
    with asyncio.Runner() as runner:
        context = site(kind, setup, folder, env)
        try:
            yield runner.run(context.__aenter__())
        finally:
            runner.run(context.__aexit__(None, None, None))


@asynccontextmanager
async def site(
    kind: Kind, setup: Setup, folder: Path, env: dict[str, str] | None = None
) -> AsyncIterator[Site]:
    """A server of this kind with one registered endpoint on this SDK, gone afterwards."""
    outside = Outside(folder / "outside")
    server = Server(kind, folder / "server", env)
    endpoint = Endpoint(setup, outside)
    try:
        await server.start()
        await endpoint.start()
        yield Site(server, endpoint, await server.register(**endpoint.registration))
    finally:
        endpoint.stop()
        server.stop()
