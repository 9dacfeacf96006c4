"""What `rtour doctor` says of the data folder here: read only, and only while no server has it."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from rtour.cli.finding import Finding
from rtour.cli.wording import plural, size
from rtour.errors import RtourError

if TYPE_CHECKING:
    from sqlite_utils import Database

    from rtour.cli.session import Session

WHAT = "data folder"


def look(session: Session) -> list[Finding]:
    """Findings on the folder that `rtour server` would use here, if there is one."""
    from rtour.server.settings import load  # noqa: PLC0415

    try:
        settings = load(session.world.env)
    except RtourError as error:
        return [Finding("problem", "server settings", str(error), "docs/reference/settings.md")]
    folder = session.file(settings.data)
    database = folder / "rtour.db"
    if not database.is_file():
        return []
    found = list(_open_to_others(folder))
    owner = _running(folder / "lock")
    if owner is not None:
        return [*found, Finding("ok", WHAT, f"{folder}, in use by process {owner}")]
    if _was_killed(database):
        finding = f"{folder}, its last server was killed: nothing is lost, the next one goes on"
        return [*found, Finding("ok", WHAT, finding)]
    return [*found, _inside(folder, database)]


def thorough(folder: Path) -> list[Finding]:
    """A check of every page and row, whether a server uses the folder or not."""
    from rtour.storage.checking import SHOWN_MAX, check  # noqa: PLC0415

    try:
        damage = check(folder / "rtour.db")
    except RtourError as error:
        return [Finding("problem", WHAT, str(error), "rtour restore BACKUP")]
    if not damage:
        return [Finding("ok", WHAT, f"{folder}: every page and every row is as it was written")]
    advice = f"stop the server, then: rtour restore BACKUP --data {folder}"
    found = [Finding("problem", WHAT, words, advice) for words in damage]
    if len(found) == SHOWN_MAX:
        found.append(Finding("problem", WHAT, "and perhaps more", advice))
    return found


def _open_to_others(folder: Path) -> list[Finding]:
    if sys.platform == "win32" or not folder.stat().st_mode & 0o077:
        return []
    finding = f"{folder}: others can read what your services store"
    return [Finding("warning", WHAT, finding, f"chmod 700 {folder}")]


def _running(lock: Path) -> int | None:
    """The process that has the folder. The lock itself is not tried: a server may want it now."""
    try:
        owner = int(lock.read_text("utf-8"))
        if sys.platform != "win32":  # where signal 0 would be ctrl-C
            os.kill(owner, 0)
    except (OSError, ValueError):
        return None
    return owner


def _was_killed(database: Path) -> bool:
    """A server that ends in peace leaves nothing beside the database that is of use."""
    from rtour.storage.ledger import reading  # noqa: PLC0415

    log = Path(f"{database}-wal")
    with reading.opened(database) as ledger:
        return ledger.last > 0 or (log.is_file() and log.stat().st_size > 0)


def _inside(folder: Path, file: Path) -> Finding:
    from sqlite_utils import Database  # noqa: PLC0415 - 70 ms

    # Immutable: SQLite makes no file beside it and takes no lock.
    connection = sqlite3.connect(f"file:{quote(str(file))}?immutable=1", uri=True)
    try:
        return _told(folder, file, Database(connection))
    except sqlite3.Error as error:
        advice = f"keep a copy of {folder}, and start with another: rtour server --data DIR"
        return Finding("problem", WHAT, f"{file}: {error}", advice)
    finally:
        connection.close()


def _told(folder: Path, file: Path, database: Database) -> Finding:
    from rtour.storage.schema import APPLICATION_ID, MIGRATIONS  # noqa: PLC0415

    ((application,),) = database.execute("PRAGMA application_id")
    ((version,),) = database.execute("PRAGMA user_version")
    if application != APPLICATION_ID:
        advice = "name another folder: rtour server --data DIR, or RTOUR_DATA"
        return Finding("problem", WHAT, f"{file} is not a file of rtour's", advice)
    if version > len(MIGRATIONS):
        finding = f"{file} has schema {version}, this rtour knows {len(MIGRATIONS)}"
        return Finding("problem", WHAT, finding, "update rtour")
    invocations = database.table("invocation")
    unfinished = invocations.count_where("status != 'completed'")
    counts = (
        plural(invocations.count, "invocation"),
        f"{unfinished} unfinished",
        f"{plural(database.table('state').count, 'value')} of state",
    )
    return Finding("ok", WHAT, f"{folder}, {size(file.stat().st_size)}: {', '.join(counts)}")
