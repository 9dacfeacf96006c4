"""Nothing is logged that tells of a bug: no traceback, no error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Watch(logging.Handler):
    """Keeps what should not have been logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.complaints.append(logging.Formatter().format(record))

    def assert_quiet(self) -> None:
        """Raises what was complained about since the last look."""
        complaints, self.complaints = self.complaints, []
        assert not complaints, "\n".join(complaints)


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch the server's loggers and asyncio's; what they say goes nowhere else meanwhile."""
    watch = Watch()
    loggers = [logging.getLogger(name) for name in ("rtour", "asyncio")]
    before = [(each, each.propagate, each.level) for each in loggers]
    for each in loggers:
        each.addHandler(watch)
        each.propagate = False
        each.setLevel(logging.WARNING)
    try:
        yield watch
    finally:
        for each, propagate, level in before:
            each.removeHandler(watch)
            each.propagate, each.level = propagate, level
