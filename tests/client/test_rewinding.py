"""Time travel: journal and state as they were after an entry."""

from __future__ import annotations

from rtour.client.journal import JournalEntry, Outcome
from rtour.client.rewinding import journal_after, state_after


def entry(index: int, kind: str, name: str | None = None, **fields: object) -> JournalEntry:
    """An entry of the kinds that matter here."""
    return JournalEntry(index=index, kind=kind, name=name, **fields)  # type: ignore[arg-type]


def read(index: int, name: str, value: bytes | None) -> JournalEntry:
    """A read of state, answered at once."""
    return entry(index, "GetEagerState", name, outcome=Outcome(value=value))


JOURNAL = [
    entry(0, "Input"),
    read(1, "tickets", None),
    entry(2, "SetState", "tickets", value=b"[1]"),
    entry(3, "Call", completion_id=1, completed_by=5, outcome=Outcome(value=b"true")),
    entry(4, "ClearState", "tickets"),
    entry(5, "Call", notification=True, completion_id=1),
    read(6, "user", b'"m"'),
    entry(7, "ClearAllState"),
]


def test_state_follows_the_entries() -> None:
    """Writes show from their entry on; a name that is read later was so from the start."""
    assert state_after(JOURNAL, 0) == {"tickets": None, "user": b'"m"'}
    assert state_after(JOURNAL, 3) == {"tickets": b"[1]", "user": b'"m"'}
    assert state_after(JOURNAL, 4) == {"tickets": None, "user": b'"m"'}
    assert state_after(JOURNAL, 7) == {"tickets": None, "user": None}


def test_a_read_after_a_write_says_nothing_of_the_start() -> None:
    """What the invocation wrote itself is not taken for what was there before."""
    journal = [entry(0, "SetState", "n", value=b"1"), read(1, "n", b"1")]
    assert state_after(journal, -1) == {}


def test_a_call_is_open_until_its_completion() -> None:
    """Entries after the point are gone, and what completed after it waits again."""
    then = journal_after(JOURNAL, 4)
    assert [each.index for each in then] == [0, 1, 2, 3, 4]
    assert then[3].open
    assert then[3].outcome is None
    assert not journal_after(JOURNAL, 5)[3].open
