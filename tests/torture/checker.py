"""The independent check: the data file and the witness log against what clients were promised.

It knows SQLite and JSON, and nothing of the server's code.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.torture.load import Ack


def problems(database: Path, effects: Path, acks: list[Ack]) -> list[str]:
    """Every way in which the file or the log contradicts the promises; none is the hope.

    To be asked when all is answered and the server has stopped.
    """
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [
            *_soundness(connection),
            *_nothing_left(connection),
            *_journals(connection),
            *_counters(connection, acks),
            *_results(connection, acks),
            *_witnesses(effects, acks),
        ]


def _soundness(connection: sqlite3.Connection) -> Iterator[str]:
    for (answer,) in connection.execute("PRAGMA integrity_check"):
        if answer != "ok":
            yield f"the file is damaged: {answer}"


def _nothing_left(connection: sqlite3.Connection) -> Iterator[str]:
    for table in ("lock", "inbox", "timer"):
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        if count:
            yield f"{count} rows are left in {table}"
    query = "SELECT id, status FROM invocation WHERE status != 'completed'"
    for id_, status in connection.execute(query):
        yield f"{id_} has not ended: {status}"


def _journals(connection: sqlite3.Connection) -> Iterator[str]:
    query = """
        SELECT i.id, i.journal_length, count(j.idx), coalesce(max(j.idx), -1)
        FROM invocation i LEFT JOIN journal j ON j.number = i.number GROUP BY i.number
    """
    for id_, length, count, last in connection.execute(query):
        if not length == count == last + 1:
            yield f"the journal of {id_} should have {length} entries, has {count}, last is {last}"


def _counters(connection: sqlite3.Connection, acks: list[Ack]) -> Iterator[str]:
    """A counter's value is how often it was promised to have counted, and no number is double."""
    promised: dict[str, list[int]] = defaultdict(list)
    for ack in acks:
        promised[ack.counter].append(ack.value)
    query = "SELECT key, value FROM state WHERE service = 'Counter' AND name = x'76616c7565'"
    stored = {key: int(json.loads(value)) for key, value in connection.execute(query)}
    for counter in sorted(promised.keys() | stored.keys()):
        values, value = sorted(promised[counter]), stored.get(counter, 0)
        if value < len(values):
            yield f"lost: {counter} is {value}, {len(values)} were acknowledged"
        elif value > len(values):
            yield f"doubled: {counter} is {value}, only {len(values)} were acknowledged"
        elif values != list(range(1, value + 1)):
            yield f"{counter} gave wrong numbers: {values}"


def _results(connection: sqlite3.Connection, acks: list[Ack]) -> Iterator[str]:
    """What is stored under a key is what its client was told."""
    query = "SELECT idempotency_key, success FROM invocation WHERE target_service = 'Counter'"
    stored = dict(connection.execute(query))
    for ack in acks:
        result = stored.get(ack.op)
        if result is None:
            yield f"lost: nothing is stored of {ack.op}"
        elif json.loads(result) != {"value": ack.value, "effect": ack.effect}:
            yield f"{ack.op} was told {ack}, stored is {result!r}"


def _witnesses(effects: Path, acks: list[Ack]) -> Iterator[str]:
    """Every effect that an answer names has happened, for that operation."""
    seen = set(effects.read_text().split("\n"))
    for ack in acks:
        if ack.effect not in seen or ack.effect.partition("#")[0] != ack.op:
            yield f"{ack.op} names an effect that nobody saw: {ack.effect}"
