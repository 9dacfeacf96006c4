"""Logging: silent in replays, whichever logger speaks; and it says which invocation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest

import rtour
from tests.sdk.peer import Peer

service = rtour.Service("S")


class Lines(logging.Handler):
    """Keeps what it is given, formatted."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(invocation_target)s %(invocation_id)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """A replay-aware handler on the root logger."""
    handler = Lines()
    rtour.logging.install(handler)
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


async def step() -> None:
    logging.getLogger("library.deep").info("inside a run")


@service.handler()
async def speaks(ctx: rtour.Context) -> None:
    log = logging.getLogger("app.child")
    log.info("begin")
    await ctx.run_typed("step", step)
    log.info("between")
    await ctx.sleep(timedelta(seconds=1))
    log.info("end")


async def test_each_line_is_said_once(lines: Lines) -> None:
    """Three attempts, one story; propagated records and those of libraries included."""
    peer = Peer(service, streaming=False)
    await peer.invoke("S/speaks")
    assert peer.attempts == 3
    said = [line for line in lines.lines if "S/speaks" in line]
    assert said == [
        "S/speaks inv_1test begin",
        "S/speaks inv_1test inside a run",
        "S/speaks inv_1test between",
        "S/speaks inv_1test end",
    ]


def test_outside_of_handlers_nothing_is_dropped(lines: Lines) -> None:
    """Other records pass, with `-` for the invocation."""
    logging.getLogger("app").info("hello")
    assert lines.lines == ["- - hello"]
    lines.setFormatter(logging.Formatter("%(invocation)s%(message)s"))
    logging.getLogger("app").info("hello")
    assert lines.lines[1:] == ["hello"]


def test_get_logger_filters_once() -> None:
    """Asking for the same logger again adds no second filter."""
    first, again = rtour.getLogger("once"), rtour.logging.getLogger("once")
    assert first is again is logging.getLogger("once")
    assert len(first.filters) == 1
    assert isinstance(first.filters[0], rtour.RestateLoggingFilter)
