"""The files of a storage: what a power cut leaves of them, and what they say."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from pathlib import Path
from random import Random

from rtour.storage.memory import Tables
from rtour.storage.sqlite import SqliteStorage

PAGE_BYTES = 4096
DATABASE, LOG = "rtour.db", "rtour.db-wal"
LEDGER = ("rtour.db-ledger-0", "rtour.db-ledger-1")
NAMES = (DATABASE, LOG, *LEDGER)
ALL = 1 << 30
_LOG_HEAD, _FRAME_HEAD = 32, 24  # bytes

Files = dict[str, bytes]


def cut_off(old: bytes, new: bytes, random: Random) -> bytes:
    """What a file may hold between what was synced of it and what was written."""
    old = old.ljust(len(new), b"\0")  # as it is made longer
    new = new.ljust(len(old), b"\0")
    if old == new:
        return new
    first, last = _difference(old, new)
    kept = random.randint(first, last)
    content = bytearray(new[:kept] + old[kept:])
    if kept - first > 2 * PAGE_BYTES and random.random() < 0.5:
        hole = random.randrange(first, kept - PAGE_BYTES)
        content[hole : hole + PAGE_BYTES] = bytes(PAGE_BYTES)
    return bytes(content)


def folded_in_part(before: Files, after: Files, random: Random) -> Files:
    """The database and its log when power fails in a checkpoint.

    The log is whole: it is begun anew only once the database is synced.
    """
    return {DATABASE: in_part(before[DATABASE], after[DATABASE], random), LOG: before[LOG]}


def in_part(old: bytes, new: bytes, random: Random) -> bytes:
    """A database some of whose pages are still the old."""
    if old == new:
        return new
    pages = [
        (new if random.random() < 0.5 else old)[at : at + PAGE_BYTES]
        for at in range(0, len(new), PAGE_BYTES)
    ]
    while pages and not pages[-1]:  # the end has not arrived
        pages.pop()
    return b"".join(page.ljust(PAGE_BYTES, b"\0") for page in pages)


def is_folded_in(database: Path) -> bool:
    """Whether the database has all that its log has, by the index that SQLite keeps of the log."""
    index = database.with_name(f"{database.name}-shm").read_bytes()
    (frames,) = struct.unpack_from("=I", index, 16)
    (folded_in,) = struct.unpack_from("=I", index, 96)
    return bool(frames == folded_in)


def first_commit_end(log: bytes) -> int:
    """Where the first commit in a write-ahead log ends: with a frame that says how many pages."""
    for at in range(_LOG_HEAD, len(log) - _FRAME_HEAD, _FRAME_HEAD + PAGE_BYTES):
        (pages,) = struct.unpack_from(">I", log, at + 4)
        if pages:
            return at + _FRAME_HEAD + PAGE_BYTES
    return len(log)


def _difference(old: bytes, new: bytes) -> tuple[int, int]:
    """The first and the last byte in which they differ; they are equally long."""
    first = next(at for at in range(len(new)) if old[at] != new[at])
    last = next(at for at in range(len(new) - 1, -1, -1) if old[at] != new[at])
    return first, last


def differences(real: SqliteStorage, tables: Tables) -> list[str]:
    """What the file says otherwise than the shadow."""
    view, found = real.view, []
    for invocation in tables.invocations.values():
        if view.invocation(invocation.id) != invocation:
            found.append(f"{invocation} is stored as {view.invocation(invocation.id)}")
        elif view.entries(invocation) != tables.journals.get(invocation.number, []):
            found.append(f"the journal of {invocation.id}")
    for (service, key), state in tables.states.items():
        if view.all_state(service, key) != state:
            found.append(f"the state of {service}/{key}")
    for (service, key), holder in tables.locks.items():
        if view.lock(service, key) != holder:
            found.append(f"the lock of {service}/{key}")
    for (service, key), inbox in tables.inboxes.items():
        if {item.sequence: item for item in view.inbox(service, key)} != inbox:
            found.append(f"the inbox of {service}/{key}")
    if real.timers_after(None, ALL) != sorted(tables.timers):
        found.append("the timers")
    return found + _too_much(real.path, tables)


def _too_much(path: Path, tables: Tables) -> list[str]:
    """Rows that nobody wrote, or that should be gone."""
    expected = {
        "invocation": len(tables.invocations),
        "journal": sum(map(len, tables.journals.values())),
        "event": sum(map(len, tables.events.values())),
        "lock": len(tables.locks),
        "inbox": sum(map(len, tables.inboxes.values())),
        "state": sum(map(len, tables.states.values())),
        "promise": sum(map(len, tables.promises.values())),
        "timer": len(tables.timers),
        "document": len(tables.documents),
    }
    with contextlib.closing(sqlite3.connect(path)) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in expected
        }
    return [
        f"{counts[table]} rows of {table} instead of {expected[table]}"
        for table in expected
        if counts[table] != expected[table]
    ]
