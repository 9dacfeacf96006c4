"""The ledger's commits that a database does not have, stored there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rtour.storage.batch import Batch
from rtour.storage.failures import DamagedError
from rtour.storage.ledger.reading import Contents, MissingError
from rtour.storage.plan import plan
from rtour.storage.reader import Reader
from rtour.storage.writer import transact

_RECORDS_AT_ONCE = 2_000  # in memory


def replay(connection: sqlite3.Connection, path: Path, ledger: Contents) -> None:
    """Store them in order, each whole.

    Raises DamagedError if one of them is gone, or the database does not say which it has.
    """
    if not ledger.last:
        return
    place, _ = Reader(connection, path).place()
    try:
        commits = ledger.behind(place)
    except MissingError as error:
        raise DamagedError(path, error) from error
    cursor = connection.cursor()
    batch, records = Batch(place), 0
    for commit in commits:
        for sequence, at, changes in commit:
            batch.add(changes, sequence, at)
        records += len(commit)
        if records >= _RECORDS_AT_ONCE:
            transact(cursor, plan(batch))
            batch, records = Batch(batch.sequence), 0
    if records:
        transact(cursor, plan(batch))
