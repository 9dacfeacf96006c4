"""Whatever the engine may store comes back equal from the file."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from hypothesis import given

from rtour.engine.model import Invocation, Promise, Sink, StatePatch, Status, Telling
from rtour.protocol.messages import Failure, Value
from rtour.storage import rows

from . import values as v


def null(row: rows.Row) -> rows.Row:
    """The row as SQLite gives it back."""
    absent = [None if value == rows.ABSENT else value for value in row]
    return tuple(bytes(value) if isinstance(value, bytearray) else value for value in absent)


@given(v.born, v.grown, v.living, v.results | v.st.none(), v.maybe_time)
def test_invocations_survive_their_rows(
    born: Mapping[str, object],
    grown: Mapping[str, object],
    status: Status,
    result: Value | Failure | None,
    completed_at: int | None,
) -> None:
    """Every field has its column, in the order that reading expects."""
    plain: Invocation = v.invocation(7, status=status, journal_length=3, **born)
    made = msgspec.structs.replace(plain, result=result, completed_at=completed_at, **grown)
    assert rows.read_invocation(null(rows.born(made) + rows.grown(made))) == made
    # What an update leaves alone must be what the engine leaves alone.
    assert rows.born(made) == rows.born(plain)


@given(v.promises)
def test_promises_survive_their_rows(promise: Promise) -> None:
    """Open ones with their waiters, kept and broken ones with their result."""
    assert rows.read_promise(null(rows.promise(promise))) == promise


@given(v.one_sink)
def test_who_waits_survives_its_row(sink: Sink) -> None:
    """Callers and requests, in the order that SQLite has them in, too."""
    row = rows.waiter(7, sink)
    assert rows.read_waiter(null(row)) == sink
    assert rows.place_of_waiter(sink) == row[1:-1]


@given(v.results)
def test_what_is_told_survives_its_row(result: Value | Failure) -> None:
    """Values and failures, be they empty."""
    told = Telling("inv_7", 7, result)
    assert rows.read_telling(null(rows.telling(told))) == told


@given(v.patches)
def test_state_patches_survive_their_rows(patch: StatePatch) -> None:
    """Names and values of an inboxed patch are bytes, whatever they are."""
    item = v.inbox_item(3, patch)
    assert rows.read_inbox_item(null(rows.inbox_item(item))) == item
