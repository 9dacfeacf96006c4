"""Data files of earlier rtours open, are upgraded, and their work goes on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from rtour.engine import waiting
from rtour.engine.changes import PutWaiter
from rtour.engine.commands import Attach, Record
from rtour.engine.decision import Decision
from rtour.engine.model import RequestSink
from rtour.protocol.messages import Value
from rtour.storage import schema
from rtour.storage.checking import check
from rtour.storage.failures import DamagedError, NewerSchemaError, UpgradeRoomError
from rtour.storage.sqlite import SqliteStorage
from tests.conformance.processes import free_port
from tests.conformance.servers import Server
from tests.conformance.waiting import eventually

from .fixtures import HERE, make

GATE = {"target": "workflow", "workflowName": "Gate", "workflowKey": "north"}
VERSIONS = range(1, schema.NEWEST)
each_version = pytest.mark.parametrize("version", VERSIONS)


def unpacked(version: int, folder: Path) -> Path:
    """The fixture as the data of a folder; its database."""
    folder.mkdir(parents=True)
    database = folder / "rtour.db"
    database.write_bytes(gzip.decompress((HERE / f"v{version}.db.gz").read_bytes()))
    return database


def content(database: Path, columns: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """All rows of all tables, in some columns or all."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        found = {}
        for (table,) in connection.execute(query).fetchall():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if columns is not None:
                names = columns.get(table, [])
            if names:
                rows = connection.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
                found[table] = (names, sorted(rows, key=repr))
        return found


def user_version(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_every_earlier_schema_has_a_fixture() -> None:
    """Whoever adds a migration makes a fixture of the schema before it."""
    assert {path.name for path in HERE.glob("*.gz")} == {f"v{n}.db.gz" for n in VERSIONS}


@each_version
def test_an_earlier_file_is_upgraded_and_kept(version: int, tmp_path: Path) -> None:
    """No value changes but the schema's sum, it is sound, and the file as it was lies beside it."""
    database = unpacked(version, tmp_path / "data")
    before = content(database)
    SqliteStorage(database.parent).close()
    kept = database.with_name(f"rtour.db.v{version}")
    names = {table: columns for table, (columns, _) in before.items()}
    names["meta"] = [name for name in names["meta"] if name != "schema_sum"]
    assert content(database, names) == content(kept, names)
    assert user_version(database) == schema.NEWEST
    assert check(database) == []
    assert content(kept) == before
    assert kept.stat().st_mode & 0o777 == 0o600


@each_version
def test_no_upgrade_without_room_for_the_copy(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with what is needed and what there is, and nothing has changed."""
    database = unpacked(version, tmp_path / "data")
    before = content(database)

    def nearly_full(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=100_000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(UpgradeRoomError, match=r"needs .* MB beside it.*0\.1 MB are free"):
        SqliteStorage(database.parent)
    assert user_version(database) == version
    assert content(database) == before
    assert not list(database.parent.glob("rtour.db.v*"))


@each_version
def test_an_upgrade_that_fails_leaves_the_file_as_it_was(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are one transaction; the next start makes them."""
    database = unpacked(version, tmp_path / "data")
    before = content(database)

    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM state")
        raise OSError("the power fails")

    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, breaks))
        with pytest.raises(OSError, match="power"):
            SqliteStorage(database.parent)
    assert user_version(database) == version
    assert content(database) == before
    SqliteStorage(database.parent).close()
    assert user_version(database) == schema.NEWEST


def test_a_damaged_earlier_file_is_not_upgraded(tmp_path: Path) -> None:
    """SQLite's own check comes first, since sums would make damage look right."""
    database = unpacked(1, tmp_path / "data")
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'invocation_live'")
    with pytest.raises(DamagedError, match="never used"):
        SqliteStorage(database.parent)
    assert user_version(database) == 1


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_sums_of_an_earlier_file_are_looked_at_before_its_upgrade(
    version: int, tmp_path: Path
) -> None:
    """A row that is not as it was written keeps the file from being changed at all."""
    database = unpacked(version, tmp_path / "data")
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE state SET value = x'00' WHERE service = 'Counter'")
    with pytest.raises(DamagedError, match=r"the table state .*Counter"):
        SqliteStorage(database.parent)
    assert user_version(database) == version
    assert not list(database.parent.glob("rtour.db.v*"))


def test_who_waited_in_one_row_stays_there(tmp_path: Path) -> None:
    """A file of version 3 has more of them in a row than there would be now; others join them."""
    database = unpacked(3, tmp_path / "data")
    storage = SqliteStorage(database.parent)
    (gate,) = [one for one in storage.running_after(0, 1000) if one.target.service == "Gate"]
    assert len(gate.sinks) == len(make.FOLLOWERS)
    attached = waiting.on_attach(storage.view, Record(1, 1, None), Attach(gate.id, RequestSink(7)))
    assert attached.changes == [PutWaiter(gate.id, gate.number, RequestSink(7))]
    ended = Decision()
    waiting.tell_all(storage.view, gate, Value(b"opened"), ended)
    assert [told.sink for told in ended.messages] == list(gate.sinks)
    storage.close()


def test_a_later_file_is_refused_by_both_versions(tmp_path: Path) -> None:
    """The refusal names the version that was found and the one that is known."""
    database = unpacked(1, tmp_path / "data")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.NEWEST + 1}")
    words = f"schema version {schema.NEWEST + 1}; .* up to {schema.NEWEST}"
    with pytest.raises(NewerSchemaError, match=words):
        SqliteStorage(database.parent)


# --- work in flight ------------------------------------------------------------------------------


class Life:
    """A server on an upgraded file, its services, and a client of both."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self.server = server
        self._http = http

    async def ask(self, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"idempotency-key": key} if key else {}
        content: dict[str, Any] = {} if body is None else {"json": body}
        url = f"{self.server.ingress_url}/{path}"
        answer = await self._http.post(url, headers=headers, **content)
        assert answer.is_success, (path, answer.text)
        return answer.json() if answer.content else None

    async def admin(self, method: str, path: str, body: Any = None) -> None:
        answer = await self._http.request(method, f"{self.server.admin_url}{path}", json=body)
        assert answer.is_success, (path, answer.text)

    async def sql(self, query: str) -> list[dict[str, Any]]:
        return await self.server.sql(query)


@pytest.fixture
async def life(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Life]:
    unpacked(request.getfixturevalue("version"), tmp_path / "data")
    port = free_port()
    services = await make.services(port, tmp_path, {})
    server = Server("rtour", tmp_path, make.SETTINGS)
    try:
        await server.start()
        async with httpx.AsyncClient(timeout=30) as http:
            life = Life(server, http)
            (deployment,) = await life.sql("SELECT id FROM sys_deployment")
            moved = {"uri": f"http://127.0.0.1:{port}", "overwrite": True}
            await life.admin("PATCH", f"/deployments/{deployment['id']}", moved)
            yield life
    finally:
        server.stop()
        services.stop()


@pytest.mark.slow
@each_version
async def test_the_work_of_an_earlier_file_goes_on(life: Life, version: int) -> None:
    """Results are still known, attempts go on, timers fire, queues move, promises resolve."""
    assert version < schema.NEWEST
    for number, total in ((1, 1), (2, 3), (3, 6), (4, 10)):
        assert await life.ask("Counter/ada/add", number, f"add {number}") == total
    await _resolve(life, "Waiter", "busy")
    await _resolve(life, "Idle", "quiet")
    assert await life.ask("Sleeper/sleep", make.SOON_S, f"Sleeper/sleep {make.SOON_S}") == "awake"
    await life.ask("Gate/north/open", "ada")
    url = "restate/workflow/Gate/north/attach"
    answer = await life._http.get(f"{life.server.ingress_url}/{url}")
    assert answer.json() == "ada"
    (paused,) = await life.sql("SELECT id FROM sys_invocation WHERE status = 'paused'")
    await life.admin("PATCH", f"/invocations/{paused['id']}/resume")

    async def left() -> int:
        query = "SELECT count(*) AS n FROM sys_invocation WHERE status != 'completed'"
        return int((await life.sql(query))[0]["n"])

    await eventually("all ends", left, lambda count: count == 0, within_s=30)
    assert await life.ask("Counter/ada/add", 100, "later") == 110
    for number in make.FOLLOWERS if version >= make.FOLLOWERS_SINCE else ():
        gate = await life.ask("restate/lookup", GATE)
        opened = await life.ask("Follower/follow", gate["invocationId"], f"follow {number}")
        assert opened == "ada"
    for path in ("Waiter/busy", "Idle/quiet"):
        notes = await life.ask(f"{path}/note", "third")
        assert notes == ["hello", "first", "second", "third"]
    life.server.stop()
    assert await asyncio.to_thread(check, life.server.folder / "data" / "rtour.db") == []


async def _resolve(life: Life, service: str, key: str) -> None:
    where = f"service_name = '{service}' AND service_key = '{key}' AND key = 'awakeable'"
    (row,) = await life.sql(f"SELECT value_utf8 FROM state WHERE {where}")
    id_ = row["value_utf8"].strip('"')
    await life.ask(f"restate/awakeables/{id_}/resolve", "hello")


def test_only_short_rows_are_kept_in_an_index(tmp_path: Path) -> None:
    """SQLite reads rows of tables without row ids to the end when it compares with them."""
    database = tmp_path / "rtour.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        schema.migrate(connection, 0)
        query = "SELECT name FROM sqlite_schema WHERE sql LIKE '%WITHOUT ROWID%' ORDER BY name"
        assert connection.execute(query).fetchall() == [("lock",), ("timer",), ("waiter",)]
