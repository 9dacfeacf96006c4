"""SQL of a whole server: over HTTP and over PostgreSQL's protocol."""

from __future__ import annotations

import asyncpg
import httpx
import msgspec

from rtour.server.main import Server
from rtour.server.settings import Settings

SETTINGS = Settings(ephemeral=True, ingress_port=0, admin_port=0, pg_port=0, shutdown_timeout_ms=0)


async def test_both_ports_answer() -> None:
    """The tables are there before anything is registered, and the workers end with the server."""
    async with Server(SETTINGS) as server:
        async with httpx.AsyncClient(headers={"accept": "application/json"}) as client:
            body = {"query": "SELECT count(*) AS n FROM sys_service"}
            answer = await client.post(f"{server.admin_url}/v4/query", json=body)
        assert answer.content == b'{"rows":[{"n":0}]}'
        assert answer.headers["content-type"] == "application/json"
        assert server.postgres.address is not None
        host, port = server.postgres.address
        connection = await asyncpg.connect(f"postgres://me@{host}:{port}/restate")
        assert await connection.fetchval("SELECT count(*) FROM sys_invocation") == 0
        await connection.close()
        processes = list(server.queries._idle)
    assert processes
    assert not any(process.alive for process in processes)


async def test_a_server_is_whole_without_its_postgres_port() -> None:
    """A port that is taken is told of, and no reason not to start."""
    async with Server(SETTINGS) as first:
        assert first.postgres.address is not None
        taken = msgspec.structs.replace(SETTINGS, pg_port=first.postgres.address[1])
        async with Server(taken) as second:
            assert second.postgres.address is None
