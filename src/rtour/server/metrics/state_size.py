"""How much state there is: a query over all of it, made seldom and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from rtour.server.metrics.exposition import Sample
from rtour.server.query.engine import Queries
from rtour.server.query.failures import QueryFailed
from rtour.server.tasks import TaskSet

log = logging.getLogger("rtour.query")

QUERY: Final = "SELECT SUM(key_length + value_length) AS bytes FROM state"
# Between two queries: a while, and long enough that they take a hundredth of the time.
WHILE_S: Final = 60.0
TIMES: Final = 100


class _Sum(msgspec.Struct, frozen=True):
    bytes: int = 0  # left out if there is no state


class _Answer(msgspec.Struct, frozen=True):
    rows: tuple[_Sum]


class StateSize:
    """What was found last; whoever reads it may cause the next look. Lives on one event loop."""

    def __init__(self, queries: Queries, tasks: TaskSet) -> None:
        self._queries = queries
        self._tasks = tasks
        self._bytes: int | None = None
        self._due = 0.0

    def read(self) -> Iterator[Sample]:
        """The sample, if it is known by now."""
        if asyncio.get_running_loop().time() >= self._due:
            self._due = float("inf")  # while it looks
            self._tasks.spawn(self._look(), "size of the state")
        if self._bytes is not None:
            yield {}, self._bytes

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = b"".join([piece async for piece in self._queries.ask(QUERY, "json")])
            self._bytes = msgspec.json.decode(answer, type=_Answer).rows[0].bytes
        except QueryFailed as error:
            log.warning("The size of the state is not known: %s", error)
        finally:
            took_s = loop.time() - began
            self._due = loop.time() + max(WHILE_S, took_s * TIMES)
