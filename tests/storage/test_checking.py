"""What a start looks at, what a check finds, and how failures of the disk are told."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rtour.engine import changes as c
from rtour.storage import sums
from rtour.storage.checking import SHOWN_MAX, check
from rtour.storage.failures import (
    DamagedError,
    DiskError,
    FolderError,
    RowDamagedError,
    StorageError,
    WriteFailedError,
    explained,
)
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import mauling
from . import values as v

LARGE = SqliteSettings(check_bytes_max=0)
"""Any file is too large to be checked before the start."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    asyncio.run(mauling.fill(path, mauling.Left.DATABASE))
    return path


def changed(folder: Path, sql: str) -> None:
    """Change the file as no server does."""
    connection = sqlite3.connect(folder / "rtour.db")
    with connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("kind", sums.SUMS, ids=lambda kind: f"{kind.table}.{kind.column}")
def test_a_changed_value_of_any_column_is_found(folder: Path, kind: sums.Sum) -> None:
    """Whatever column it is, the row's sum is another then."""
    asyncio.run(_add_event(folder))
    connection = sqlite3.connect(folder / "rtour.db")
    sums.register(connection)
    for column in kind.columns:
        values = ", ".join("'another'" if name == column else name for name in kind.columns)
        query = f"SELECT count(*), sum({kind.column} != row_sum({values})) FROM {kind.table}"
        rows, found = connection.execute(query).fetchone()
        assert found == rows > 0, column
    connection.close()


async def _add_event(folder: Path) -> None:
    from rtour.engine.model import Event, EventType

    storage = SqliteStorage(folder)
    event = Event(EventType.PAUSED, 0, 1, None)
    storage.write([c.AppendEvent("inv_1", 1, event)], sequence=1000, at=1)
    await v.committed(storage)
    storage.close()


def test_the_whole_file_is_checked_before_a_small_one_is_used(folder: Path) -> None:
    """A value that nobody reads at the start keeps the server from starting, too."""
    changed(folder, "UPDATE journal SET raw = x'00' WHERE number = 9 AND idx = 1")
    with pytest.raises(DamagedError, match=r"the table journal .*\(9, 1\).*rtour restore"):
        SqliteStorage(folder)


def test_a_large_file_is_used_and_each_read_is_checked(folder: Path) -> None:
    """One damaged journal costs that journal; the rest is served."""
    changed(folder, "UPDATE journal SET raw = x'00' WHERE number = 9 AND idx = 1")
    storage = SqliteStorage(folder, LARGE)
    assert not storage.checked
    sound, broken = (storage.view.invocation(f"inv_{number}") for number in (8, 9))
    assert sound is not None
    assert broken is not None
    assert len(storage.view.entries(sound)) == 3
    with pytest.raises(RowDamagedError, match=r"the table journal .*\(9, 1, "):
        storage.view.entries(broken)
    storage.close()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM journal WHERE number = 9 AND idx = 1", "between others"),
        ("DELETE FROM journal WHERE number = 9 AND idx = 2", "the end is missing"),
        ("DELETE FROM journal WHERE number = 9", "the end is missing"),
    ],
)
def test_a_journal_with_a_gap_is_not_served(folder: Path, sql: str, told: str) -> None:
    """An invocation knows how long its journal is; a shorter one is damage, not a journal."""
    changed(folder, sql)
    storage = SqliteStorage(folder, LARGE)
    broken = storage.view.invocation("inv_9")
    assert broken is not None
    with pytest.raises(DamagedError, match=told):
        storage.view.entries(broken)
    storage.close()


def test_an_index_that_leads_nowhere_is_told(folder: Path) -> None:
    """An id that is known has a row; if not, it is not taken for a new one."""
    connection = sqlite3.connect(folder / "rtour.db")
    query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_invocation_1'"
    (page,) = connection.execute(query).fetchone()
    connection.close()
    content = bytearray((folder / "rtour.db").read_bytes())
    at = content.index(b"inv_9", (page - 1) * 4096)
    assert at < page * 4096
    content[at + 4] = ord("X")
    (folder / "rtour.db").write_bytes(content)
    storage = SqliteStorage(folder, LARGE)
    with pytest.raises(DamagedError, match="inv_X"):
        storage.view.invocation("inv_X")
    storage.close()
    with pytest.raises(DamagedError, match="missing from index"):
        SqliteStorage(folder)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE meta SET last_sequence = 3", "the table meta"),
        ("DELETE FROM meta", "meta has 0 rows"),
        ("DROP INDEX invocation_live", "not defined as they were"),
        ("UPDATE invocation SET attempt = 3 WHERE status = 'invoked'", "the table invocation"),
        ("UPDATE document SET json = '{}'", "the table document"),
    ],
)
def test_what_a_start_needs_is_checked_in_files_of_any_size(
    folder: Path, sql: str, told: str
) -> None:
    """The place, the schema, what ran, the deployments: refused at once."""
    changed(folder, sql)
    with pytest.raises(DamagedError, match=told):
        _recovered(folder)


def _recovered(folder: Path) -> None:
    storage = SqliteStorage(folder, LARGE)
    try:
        storage.recover()
    finally:
        storage.close()


def test_indexes_that_others_add_are_theirs(folder: Path) -> None:
    """Who looks into the file may help himself."""
    changed(folder, "CREATE INDEX mine ON invocation (target_handler)")
    storage = SqliteStorage(folder)
    assert storage.recover().last_sequence > 0
    storage.close()


@pytest.mark.parametrize("left", [mauling.Left.LOG, mauling.Left.LEDGER])
def test_an_emptied_file_beside_its_log_is_refused(tmp_path: Path, left: mauling.Left) -> None:
    """The server would begin anew as if nothing had been."""
    folder = tmp_path / "data"
    asyncio.run(mauling.fill(folder, left))
    os.truncate(folder / "rtour.db", 0)
    with pytest.raises(DamagedError, match=r"it is empty, and its (log|ledger)"):
        SqliteStorage(folder)
    assert (folder / left.value).stat().st_size > 0


def test_much_damage_is_cut_short(folder: Path) -> None:
    """A list of so many, not a million lines."""
    changed(folder, "UPDATE journal SET appended_at = 0")
    assert len(check(folder / "rtour.db")) == SHOWN_MAX


def test_the_check_is_a_program(folder: Path) -> None:
    """A line for each damage and 1, or silence and 0; it ends when nobody waits for it."""
    command = [sys.executable, "-m", "rtour.storage.checking", str(folder / "rtour.db")]

    def run() -> tuple[int, str]:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            return process.wait(), process.stdout.read()

    assert run() == (0, "")
    changed(folder, "UPDATE lock SET holder = 'inv_99' WHERE key = 'k3'")
    code, out = run()
    assert code == 1
    assert out == "a row of the table lock does not match its checksum (Cart, k3)\n"


# --- the disk ------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file where the folder should be: what is wrong, and what to do."""
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(FolderError, match=r"cannot be used: .*name another data folder"):
        SqliteStorage(place)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    """Without the right to write, a refusal and no traceback; root, who may, becomes nobody."""
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    tmp_path.chmod(0o755)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from rtour.storage.failures import FolderError\n"
        "from rtour.storage.folder import Folder\n"
        "os.setuid(65534)\n"
        "try: Folder(Path(sys.argv[1]))\n"
        "except FolderError as error: print(error)\n"
    )
    folder = tmp_path / "data"
    SqliteStorage(folder).close()
    folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert "this user owns" in done.stdout, done.stderr


@pytest.mark.parametrize("where", [CommitIn.LOOP, CommitIn.THREAD])
async def test_a_failing_checkpoint_is_told_by_the_next_commit(
    tmp_path: Path, where: CommitIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that failed is not tried again: nothing more is acknowledged."""
    from rtour.storage import writer

    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

    def fails(*_: object) -> BaseException:
        return failed

    storage = SqliteStorage(tmp_path / "data", SqliteSettings(commit_in=where, checkpoint_rows=1))
    monkeypatch.setattr(writer, "_checkpoint", fails)
    await v.fill(storage, 1, 1)
    while storage._carrier.failure is None:
        await asyncio.sleep(0)  # until the thread that copies has told
    with pytest.raises(WriteFailedError, match=r"disk I/O error.*See to the disk"):
        await v.fill(storage, 2, 2)
    monkeypatch.undo()
    storage.close()
    assert v.rows(tmp_path / "data" / "rtour.db", "SELECT number FROM invocation") == [(1,)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_IOERR_READ, DiskError),
        (sqlite3.SQLITE_IOERR_FSYNC, DiskError),
        (sqlite3.SQLITE_FULL, DiskError),
        (sqlite3.SQLITE_CANTOPEN, DiskError),
        (sqlite3.SQLITE_CORRUPT_INDEX, DamagedError),
        (sqlite3.SQLITE_NOTADB, DamagedError),
    ],
)
def test_errors_of_sqlite_are_put_into_words(code: int, kind: type[StorageError]) -> None:
    """The disk's failures and damage are told apart; either says what to do."""
    error = sqlite3.OperationalError("as it says")
    error.sqlite_errorcode = code
    found = explained(Path("rtour.db"), error)
    assert type(found) is kind
    assert "as it says" in str(found)
