"""The psql port with tokens and TLS: real clients come in, strangers do not."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import psycopg
import pytest

from rtour.server import tls
from rtour.server.query.postgres.listener import PostgresPort
from rtour.server.query.postgres.scram import Exchange, verifiers
from rtour.server.tokens import Secret, Tokens
from tests.certificates import Certified, certified

from .conftest import MakeQueries
from .test_postgres import needs_psql

TOKEN = "the-admin-token"
NEXT = "the-next-token"
TOKENS = Tokens([Secret(TOKEN), Secret(NEXT)])


@pytest.fixture
def files(tmp_path: Path) -> Certified:
    return certified(tmp_path)


@pytest.fixture
def listening(make_queries: MakeQueries) -> Callable[..., Any]:
    """Ports of its own, over the rows of this folder."""

    @asynccontextmanager
    async def listen(files: Certified | None = None) -> AsyncIterator[int]:
        context = files and tls.of_ports(str(files.cert), str(files.key), http=False)
        listener = PostgresPort(make_queries(), Random(1), tokens=TOKENS, tls=context)
        await listener.listen_if_free("127.0.0.1", 0)
        assert listener.address is not None
        yield listener.address[1]
        await listener.close()

    return listen


async def connected(port: int, password: str | None, **options: Any) -> list[tuple[Any, ...]]:
    where: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": "restate",
        "dbname": "restate",
    }
    if password is not None:
        where["password"] = password
    connection = await psycopg.AsyncConnection.connect(**where, **options)
    async with connection:
        return await (await connection.execute("SELECT 1 AS one")).fetchall()


@pytest.mark.parametrize("token", [TOKEN, NEXT])
async def test_clients_with_a_token(listening: Any, token: str) -> None:
    """Each of the tokens is a password, for libpq and for asyncpg."""
    async with listening() as port:
        assert await connected(port, token) == [(1,)]
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user="u", database="d", password=token
        )
        assert await connection.fetchval("SELECT 1 AS one") == 1
        await connection.close()


@pytest.mark.parametrize("password", [None, "", "the-admin-tokem", TOKEN + NEXT])
async def test_clients_without(listening: Any, password: str | None) -> None:
    """Whoever does not know one gets to ask nothing, and does not learn one."""
    async with listening() as port:
        with pytest.raises(psycopg.OperationalError) as refusal:
            await connected(port, password)
        assert TOKEN not in str(refusal.value)


@needs_psql
async def test_psql(listening: Any, files: Certified) -> None:
    """With the password in its variable, and over TLS that it verifies."""
    async with listening(files) as port:
        process = await asyncio.create_subprocess_exec(
            *("psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(port), "-c", "SELECT 1 AS one"),
            env={
                "PATH": "/usr/bin:/bin",
                "PGPASSWORD": TOKEN,
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": str(files.authority),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert (out, err) == (b"1\n", b"")


async def test_nothing_in_the_clear(listening: Any, files: Certified) -> None:
    """With a certificate the port asks for TLS, and serves whoever uses it."""
    async with listening(files) as port:
        with pytest.raises(psycopg.OperationalError, match="TLS is needed"):
            await connected(port, TOKEN, sslmode="disable")
        trusted = {"sslmode": "verify-full", "sslrootcert": str(files.authority)}
        assert await connected(port, TOKEN, **trusted) == [(1,)]


STARTUP = struct.pack(">ii", 22, 196608) + b"user\x00restate\x00\x00"
SSL_REQUEST = struct.pack(">ii", 8, 80877103)
QUERY = b"Q" + struct.pack(">i", 4 + 9) + b"SELECT 1\x00"


def answer(payload: bytes) -> bytes:
    return b"p" + struct.pack(">i", 4 + len(payload)) + payload


def first(gs2: bytes, mechanism: bytes = b"SCRAM-SHA-256") -> bytes:
    message = gs2 + b"n=,r=nonce"
    return answer(mechanism + b"\x00" + struct.pack(">i", len(message)) + message)


@pytest.mark.parametrize(
    "attack",
    [
        STARTUP + QUERY,
        STARTUP + answer(TOKEN.encode() + b"\x00"),
        STARTUP + first(b"n,,") + QUERY,
        STARTUP + first(b"n,,") + answer(b"c=biws,r=nonce,p=AAAA"),
        STARTUP + first(b"n,,") + answer(b""),
        STARTUP + first(b"p=tls-unique,,"),
        STARTUP + first(b"n,,", b"SCRAM-SHA-1"),
        STARTUP + answer(b"SCRAM-SHA-256\x00\xff\xff\xff\xff"),
        STARTUP + answer(b"\xff\x00"),
    ],
)
async def test_no_way_around(listening: Any, attack: bytes) -> None:
    """Queries before the password, made-up proofs and other mechanisms end the connection."""
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(attack)
        async with asyncio.timeout(10):
            said = await reader.read()
        assert b"FATAL" in said
        assert struct.pack(">ii", 8, 0) not in said  # authentication is never said to be complete
        writer.close()


async def test_bytes_before_tls_are_not_the_clients(listening: Any, files: Certified) -> None:
    """What somebody on the way put in front of the handshake is no query of the client's."""
    async with listening(files) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SSL_REQUEST + STARTUP)
        async with asyncio.timeout(10):
            said = await reader.read()
        assert b"in the clear" in said
        assert not said.startswith(b"S")
        writer.close()


def test_scram_as_the_rfc_has_it() -> None:
    """The example of RFC 7677, section 3."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    exchange = Exchange(verifiers(["pencil"], salt), salt, b"")
    exchange._nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    challenge = exchange.challenge(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    nonce = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    assert challenge == nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    final = b"c=biws," + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert exchange.verify(final) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
