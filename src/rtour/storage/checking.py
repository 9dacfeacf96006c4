"""Everything that can be known about the soundness of a file: `python -m rtour.storage.checking`.

A check of all pages and all rows takes about 20 s for a million invocations, so only small files
are checked before the server starts. Of others it checks the frame (the header, the schema, the
log, the place, all that it takes up again), serves, and has a process of its own check the rest.
Every row is checked again whenever it is read.

SQLite's own check finds what does not hang together: a row that its index does not know, keys out
of order, pages that are lost or used twice. The sums find what hangs together and is not what was
written. Between them no bit of a row can turn unseen.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from rtour.storage import sums
from rtour.storage.failures import (
    READ_ERRORS,
    DamagedError,
    ForeignFileError,
    RowDamagedError,
    StorageError,
    explained,
    row_damage,
)
from rtour.storage.ledger import reading
from rtour.storage.reader import Reader
from rtour.storage.schema import found_version, schema_sum
from rtour.storage.sums import SUMS, Sum

SHOWN_MAX = 20
"""More damage than this says nothing new."""

_NICENESS = 10


def read_only(path: Path, *, still: bool = False) -> sqlite3.Connection:
    """A connection that cannot change the file; `still` says that nobody else does either."""
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def problems(connection: sqlite3.Connection, path: Path, version: int) -> list[str]:
    """The damage that a check of everything finds, in words; at most `SHOWN_MAX` of it."""
    found: list[str] = []
    try:
        found.extend(itertools.islice(_problems(connection, version), SHOWN_MAX))
    except READ_ERRORS as error:
        damage = explained(path, error)
        if not isinstance(damage, DamagedError):
            raise
        found.append(damage.reason)
    return found


def _problems(connection: sqlite3.Connection, version: int) -> Iterator[str]:
    for (answer,) in connection.execute(f"PRAGMA integrity_check({SHOWN_MAX})"):
        if answer != "ok":
            yield answer.removeprefix("*** in database main ***\n")
    kinds = [kind for kind in SUMS if kind.since <= version]
    if not kinds:
        return  # it has no sums yet
    yield from frame_problems(connection)
    sums.register(connection)
    for kind in kinds:
        yield from _wrong_sums(connection, kind)


def frame_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Damage to what holds the tables together, cheap to find in a file of any size."""
    rows = connection.execute("SELECT schema_sum FROM meta").fetchall()
    if len(rows) != 1:
        yield f"the table meta has {len(rows)} rows instead of one"
    elif rows[0][0] != schema_sum(connection):
        yield "its tables are not defined as they were"


def _wrong_sums(connection: sqlite3.Connection, kind: Sum) -> Iterator[str]:
    query = (
        f"SELECT {', '.join(kind.key)} FROM {kind.table} "  # noqa: S608 - our own names
        f"WHERE {kind.column} IS NOT row_sum({', '.join(kind.columns)})"
    )
    for key in connection.execute(query):
        yield row_damage(kind.table, key)


def check(path: Path, *, still: bool = False) -> list[str]:
    """The damage to a data file, whether a server runs on it or not.

    Raises StorageError where it is no data file, or of a later version of rtour.
    """
    if not path.is_file():
        raise StorageError(f"There is no data file {path}.")
    with contextlib.closing(read_only(path, still=still)) as connection:
        try:
            version = found_version(connection, path)
        except READ_ERRORS as error:
            raise explained(path, error) from error
        if version == 0:
            raise ForeignFileError(path)
        lost = [] if still else list(ledger_problems(connection, path))
        return lost + problems(connection, path, version)


def ledger_problems(connection: sqlite3.Connection, path: Path) -> Iterator[str]:
    """Commits that neither the database nor its ledger has, though there are later ones."""
    ledger = reading.copied(path)
    if not ledger.last:
        return
    with contextlib.suppress(RowDamagedError):  # a check of the rows finds that, too
        place, _ = Reader(connection, path).place()
        try:
            ledger.behind(place)
        except reading.MissingError as error:
            yield str(error)


def main() -> int:
    """Print the damage, a line each; ends with 1 if there is any, and early when stdin does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's terminal means the server
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    try:
        found = check(Path(sys.argv[1]))
    except DamagedError as error:
        found = [error.reason]
    for problem in found:
        sys.stdout.write(f"{' '.join(problem.split())}\n")
    return 1 if found else 0


def _end_with_stdin() -> None:
    """Whoever asked is gone when stdin is: what is found then interests nobody."""
    while os.read(0, 1):  # not through `sys.stdin`, whose lock would outlive the interpreter
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
