"""Text of any length is looked at in a time that grows as it does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rtour.server.query.dialect.parsing import parse
from rtour.server.query.failures import QueryFailed
from rtour.server.query.postgres.session import Session

LONG = 200_000
CPU_S = 5.0  # what is quadratic takes minutes


@contextmanager
def soon() -> Iterator[None]:
    """Raises if the block takes more of the processor's time than that."""

    def stop(*_: object) -> None:
        raise AssertionError(f"more than {CPU_S:g} s of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_much_white_space_in_a_statement() -> None:
    """Within it, around it, and between semicolons."""
    for text in (
        "SELECT" + " " * LONG + "1",
        "SELECT 1" + " ;" * LONG,
        " " * LONG + "SELECT 1",
        "-- a\n" * (LONG // 10) + "SELECT 1",
    ):
        with soon():
            assert parse(text).form == "rows"
    with soon(), pytest.raises(QueryFailed):
        parse("/*" * LONG)


@pytest.mark.parametrize("start", ["show", "show a", "begin", "start", "set x to", "show a.b c"])
@pytest.mark.parametrize("end", ["", ";", "; ;", "!;x"])
def test_what_is_a_formality_is_known_soon(start: str, end: str) -> None:
    """The server decides it itself, for all its clients wait meanwhile."""

    async def send(_: bytes) -> None:
        raise AssertionError("nothing is answered yet")

    with soon():
        Session(None, send)._is_formal(start + " " * LONG + end)  # type: ignore[arg-type]


def test_formalities() -> None:
    """Transactions, settings and what shows them; with a semicolon or without."""

    async def send(_: bytes) -> None:
        raise AssertionError("nothing is answered yet")

    session = Session(None, send)  # type: ignore[arg-type]
    formal = ("begin", " Start \n Transaction ;", "SHOW a.b", "set x = 1; ", "show  jit", ";", "")
    assert [text for text in formal if not session._is_formal(text)] == []
    others = ("beginning", "show tables", "show all", "begin; select 1", "select 1", "show a;b")
    assert [text for text in others if session._is_formal(text)] == []
