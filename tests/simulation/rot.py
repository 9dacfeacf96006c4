"""Damage: what a crash left rots before the next life opens it, in a copy.

Either a bit turns anywhere, or a value changes that nothing hangs on. A storage may refuse the
copy, warn of it, or answer as if nothing had been; it must not answer otherwise and say nothing.
The world itself goes on with the sound files.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from msgspec.structs import replace

from rtour.storage.failures import StorageError
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.storage.mauling import Warnings

Files = dict[str, bytes]
Differences = Callable[[SqliteStorage], list[str]]

PAGE_BYTES = 4096
# Columns that hold something in every row, of the tables that are read back.
VALUES = (
    ("invocation", "modified_at"),
    ("invocation", "created_at"),
    ("journal", "appended_at"),
    ("lock", "holder"),
    ("state", "value"),
    ("document", "json"),
    ("meta", "last_sequence"),
)


def served(
    files: Files,
    folder: Path,
    settings: SqliteSettings,
    differences: Differences,
    random: Random,
    places: Mapping[str, int],
) -> list[str]:
    """Spoil a copy of the files, and answer what a storage tells wrongly without a word.

    Bits turn in the files that `places` names, from the byte on that it says.
    """
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    kind = random.random()
    if kind < 0.4:
        name = random.choice(list(places))
        what = _turn_a_bit(folder / name, random, places[name])
    elif kind < 0.6:
        what = _turn_a_bit_of_an_index(folder / "rtour.db", random)
    else:
        what = _change_a_value(folder / "rtour.db", random)
        # The start would find it: here the reads have to.
        settings = replace(settings, check_bytes_max=0)
    wrong = _told(folder, settings, differences)
    shutil.rmtree(folder)
    return [f"{what}: {words}" for words in wrong]


def _turn_a_bit(path: Path, random: Random, first: int) -> str:
    content = bytearray(path.read_bytes()) if path.exists() else bytearray()
    if len(content) <= first:
        return "nothing"
    bit = random.randrange(first * 8, len(content) * 8)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"bit {bit} of {path.name}"


def _turn_a_bit_of_an_index(database: Path, random: Random) -> str:
    """Indexes have no sums: what they say wrongly is for the check at the start to find."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        query = "SELECT name, rootpage FROM sqlite_schema WHERE type = 'index' ORDER BY name"
        name, page = random.choice(connection.execute(query).fetchall())
    with database.open("r+b") as file:
        at = (page - 1) * PAGE_BYTES + random.randrange(PAGE_BYTES)
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))
    return f"a bit of {name}"


def _change_a_value(database: Path, random: Random) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [
            (table, column, count)
            for table, column in VALUES
            if (count := connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        ]
        table, column, count = random.choice(tables)
        query = f"SELECT * FROM {table} ORDER BY 1, 2 LIMIT 1 OFFSET {random.randrange(count)}"
        cursor = connection.execute(query)
        row = dict(zip([name for name, *_ in cursor.description], cursor.fetchone(), strict=True))
        where = " AND ".join(f"{name} IS ?" for name in row)
        changed = _other(row[column])
        with connection:
            update = f"UPDATE {table} SET {column} = ? WHERE {where}"
            connection.execute(update, (changed, *row.values()))
    return f"another {column} of {table}"


def _other(value: object) -> object:
    if isinstance(value, int):
        return value ^ 1
    return value + b" " if isinstance(value, bytes) else f"{value} "


def _told(folder: Path, settings: SqliteSettings, differences: Differences) -> list[str]:
    warnings = Warnings()
    logger = logging.getLogger("rtour.storage")
    logger.addHandler(warnings)
    storage: SqliteStorage | None = None
    try:
        storage = SqliteStorage(folder, settings)
        storage.recover()
        storage.running_after(0, 1 << 30)
        wrong = differences(storage)
    except StorageError:
        return []
    finally:
        logger.removeHandler(warnings)
        if storage is not None:
            storage.close()
    return [] if warnings.seen else wrong
