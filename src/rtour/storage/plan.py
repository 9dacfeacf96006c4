"""The statements that store a batch: prepared constants with their rows, in a safe order.

Rows go before ranges would remove them: deletions of whole invocations, journals and object state
first, then what is put, then single deletions.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtour.engine.model import Invocation
from rtour.storage import rows, sums
from rtour.storage.batch import UNSET, Batch, ObjectChanges
from rtour.storage.rows import ABSENT, Row

Step = tuple[str, list[Row]]


def _mark(column: str) -> str:
    return f"nullif(?, {ABSENT})" if column in rows.NULLABLE else "?"


def _insert(table: str, columns: tuple[str, ...], verb: str = "INSERT") -> str:
    """The statement for rows that have their sum behind them."""
    return _statement(table, (*columns, "sum"), verb)


def _statement(table: str, columns: tuple[str, ...], verb: str = "INSERT") -> str:
    marks = ", ".join(map(_mark, columns))
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({marks})"


FORGET_INVOCATION = "DELETE FROM invocation WHERE number = ?"
FORGET_JOURNAL = "DELETE FROM journal WHERE number = ?"
FORGET_EVENTS = "DELETE FROM event WHERE number = ?"
_GROWN = (*rows.GROWN_COLUMNS, "grown_sum")
INSERT_INVOCATION = _statement("invocation", (*rows.BORN_COLUMNS, "born_sum", *_GROWN))
UPDATE_INVOCATION = (
    f"UPDATE invocation SET {', '.join(f'{name} = {_mark(name)}' for name in _GROWN)} "  # noqa: S608
    "WHERE number = ?"
)
INSERT_ENTRY = _insert("journal", ("number", *rows.ENTRY_COLUMNS))
INSERT_EVENT = _insert("event", ("number", "type", "after_index", "appended_at", "error"))
PUT_LOCK = _insert("lock", ("service", "key", "holder"), "REPLACE")
DELETE_LOCK = "DELETE FROM lock WHERE service = ? AND key = ?"
PUT_INBOX = _insert("inbox", ("service", "key", "sequence", "invocation_id", "patch"), "REPLACE")
DELETE_INBOX = "DELETE FROM inbox WHERE service = ? AND key = ? AND sequence = ?"
CLEAR_STATE = "DELETE FROM state WHERE service = ? AND key = ?"
PUT_STATE = _insert("state", ("service", "key", "name", "value"), "REPLACE")
DELETE_STATE = "DELETE FROM state WHERE service = ? AND key = ? AND name = ?"
CLEAR_PROMISES = "DELETE FROM promise WHERE service = ? AND key = ?"
PUT_PROMISE = _insert("promise", ("service", "key", "name", *rows.PROMISE_COLUMNS), "REPLACE")
PUT_WAITER = _insert("waiter", rows.WAITER_COLUMNS, "REPLACE")
DELETE_WAITER = (
    "DELETE FROM waiter WHERE number = ? AND waiter = ? AND completion_id = ? AND type = ?"
)
PUT_TELLING = _insert("telling", rows.TELLING_COLUMNS, "REPLACE")
DELETE_TELLING = "DELETE FROM telling WHERE number = ?"
PUT_TIMER = _insert("timer", rows.TIMER_COLUMNS, "REPLACE")
DELETE_TIMER = (
    f"DELETE FROM timer WHERE {' AND '.join(f'{name} = ?' for name in rows.TIMER_COLUMNS)}"  # noqa: S608
)
PUT_DOCUMENT = _insert("document", ("kind", "id", "json"), "REPLACE")
DELETE_DOCUMENT = "DELETE FROM document WHERE kind = ? AND id = ?"
SET_PLACE = "UPDATE meta SET last_sequence = ?, last_at = ?, sum = ?"


def plan(batch: Batch) -> list[Step]:
    """Everything to execute for the batch, without the statements that have no rows."""
    steps = [*_invocations(batch), *_journals(batch)]
    if batch.objects:
        steps += _objects(batch)
    if batch.waiters or batch.tellings:
        steps += _waiters(batch)
    if batch.timers:
        steps += _timers(batch)
    if batch.documents:
        steps += _documents(batch)
    steps.append((SET_PLACE, [_summed((batch.sequence, batch.at))]))
    return [step for step in steps if step[1]]


def _summed(row: Row) -> Row:
    return (*row, sums.of(row))


def _invocations(batch: Batch) -> Iterator[Step]:
    base = batch.base
    new: list[Row] = []
    changed: list[Row] = []
    for invocation in batch.invocations.values():
        if invocation is None:
            continue
        if invocation.number > base:
            new.append(_summed(rows.born(invocation)) + _grown(invocation))
        else:
            changed.append((*_grown(invocation), invocation.number))
    yield FORGET_INVOCATION, [(number,) for number in batch.forgotten]
    yield INSERT_INVOCATION, new
    yield UPDATE_INVOCATION, changed


def _grown(invocation: Invocation) -> Row:
    row = rows.grown(invocation)
    return (*row, sums.of((invocation.number, *row)))


def _journals(batch: Batch) -> Iterator[Step]:
    dropped: list[Row] = []
    entries: list[Row] = []
    events: list[Row] = []
    for number, changes in batch.journals.items():
        if changes.dropped:
            dropped.append((number,))
        entries += [_summed((number, *rows.entry(entry))) for entry in changes.entries]
        events += [_summed((number, *rows.event(event))) for event in changes.events]
    yield FORGET_JOURNAL, dropped
    yield FORGET_EVENTS, dropped
    yield INSERT_ENTRY, entries
    yield INSERT_EVENT, events


def _objects(batch: Batch) -> Iterator[Step]:
    held: list[Row] = []
    freed: list[Row] = []
    for name, changes in batch.objects.items():
        if changes.lock is None:
            freed.append(name)
        elif changes.lock is not UNSET:
            held.append(_summed((*name, changes.lock)))
    yield DELETE_LOCK, freed
    yield PUT_LOCK, held
    changed = list(batch.objects.items())
    yield from _inboxes(changed)
    yield from _states(changed)
    yield from _promises(changed)


def _inboxes(changed: list[tuple[tuple[str, str], ObjectChanges]]) -> Iterator[Step]:
    put: list[Row] = []
    deleted: list[Row] = []
    for name, changes in changed:
        for sequence, item in changes.inbox.items():
            if item is None:
                deleted.append((*name, sequence))
            else:
                put.append(_summed((*name, *rows.inbox_item(item))))
    yield DELETE_INBOX, deleted
    yield PUT_INBOX, put


def _states(changed: list[tuple[tuple[str, str], ObjectChanges]]) -> Iterator[Step]:
    put: list[Row] = []
    deleted: list[Row] = []
    for name, changes in changed:
        for key, value in changes.state.items():
            if value is None:
                deleted.append((*name, bytearray(key)))
            else:
                put.append(_summed((*name, bytearray(key), bytearray(value))))
    yield CLEAR_STATE, [name for name, changes in changed if changes.state_cleared]
    yield PUT_STATE, put
    yield DELETE_STATE, deleted


def _promises(changed: list[tuple[tuple[str, str], ObjectChanges]]) -> Iterator[Step]:
    yield CLEAR_PROMISES, [name for name, changes in changed if changes.promises_cleared]
    yield (
        PUT_PROMISE,
        [
            _summed((*name, key, *rows.promise(promise)))
            for name, changes in changed
            for key, promise in changes.promises.items()
        ],
    )


def _waiters(batch: Batch) -> Iterator[Step]:
    put: list[Row] = []
    deleted: list[Row] = []
    for number, sinks in batch.waiters.items():
        for sink, kept in sinks.items():
            row = rows.waiter(number, sink)
            if kept:
                put.append(_summed(row))
            else:
                deleted.append(row[:-1])
    yield DELETE_WAITER, deleted
    yield PUT_WAITER, put
    told = [(number,) for number, telling in batch.tellings.items() if telling is None]
    yield DELETE_TELLING, told
    begun = [_summed(rows.telling(telling)) for telling in batch.tellings.values() if telling]
    yield PUT_TELLING, begun


def _timers(batch: Batch) -> Iterator[Step]:
    yield DELETE_TIMER, [rows.timer(timer) for timer, kept in batch.timers.items() if not kept]
    put = [_summed(rows.timer(timer)) for timer, kept in batch.timers.items() if kept]
    yield PUT_TIMER, put


def _documents(batch: Batch) -> Iterator[Step]:
    put: list[Row] = []
    deleted: list[Row] = []
    for (kind, id_), json in batch.documents.items():
        if json is None:
            deleted.append((kind._value_, id_))
        else:
            put.append(_summed((kind._value_, id_, json.decode())))
    yield DELETE_DOCUMENT, deleted
    yield PUT_DOCUMENT, put
