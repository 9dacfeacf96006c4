"""Logging that knows about replay: what a handler has said before is not said again.

    log = rtour.logging.getLogger(__name__)     silent while this logger's records are replays
    rtour.logging.install()                     the same for all records that reach the root's
                                                handlers, whichever logger they come from

The filter also gives every record `invocation_id` and `invocation_target`, for formats such as
`%(invocation_id)s %(message)s`; outside a handler both are `-`. `invocation` is both with a blank
after them, or nothing: `%(invocation)s%(message)s`.
"""

from __future__ import annotations

import logging
from typing import Final

from rtour.sdk.attempt import current

_NONE: Final = "-"


class RestateLoggingFilter(logging.Filter):
    """Drops records made while the journal is replayed; works on loggers and on handlers."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current.get(None)
        if context is None:
            record.invocation_id = record.invocation_target = _NONE
            record.invocation = ""
            return True
        attempt = context.attempt
        id_, target = attempt.vm.start.debug_id, attempt.target
        record.invocation_id, record.invocation_target = id_, target
        record.invocation = f"{target} {id_} "
        return not attempt.vm.replaying


def getLogger(name: str | None = None) -> logging.Logger:  # noqa: N802 - the standard library's name
    """The standard logger of that name, silent while a handler replays."""
    logger = logging.getLogger(name)
    _add(logger)
    return logger


def install(*handlers: logging.Handler) -> None:
    """Make these handlers replay-aware; without any, all those of the root logger."""
    for handler in handlers or tuple(logging.getLogger().handlers):
        _add(handler)


def _add(filterer: logging.Filterer) -> None:
    if not any(isinstance(known, RestateLoggingFilter) for known in filterer.filters):
        filterer.addFilter(RestateLoggingFilter())
