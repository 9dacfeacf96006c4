"""How much is logged, and of what: `info`, or `info,rtour.kafka=debug,asyncio=error`.

A directive is a level, or a name and a level: of one of our subjects, of everything of ours
(`rtour`), or of another library's logger. The more exact name wins, the later of two equal ones.
The official server's filters are read as they are meant: `restate` is all of ours.
"""

from __future__ import annotations

import logging
import re
from typing import Final

import msgspec

from rtour.errors import RtourError

OURS: Final = "rtour"
# Subjects that have a logger, with what they tell.
SUBJECTS: Final = {
    "access": "who may use the ports",
    "admin": "the admin port: deployments, operations on invocations",
    "attempt": "commands and notifications of each attempt",
    "cleaner": "what is forgotten after its retention",
    "front": "connections of clients",
    "ingress": "requests of clients, and at debug why they are refused",
    "invoker": "attempts: begun, failed, suspended, ended",
    "kafka": "subscriptions",
    "kafka.librdkafka": "the library that they read with",
    "processor": "what the engine could not decide",
    "query": "SQL",
    "server": "start and stop",
    "storage": "the data file",
    "tasks": "tasks in the background that broke",
    "time": "the driven clock",
    "tracing": "spans on their way to the collector",
}
LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
_NAME: Final = re.compile(r"[A-Za-z_][\w-]*(?:(?:\.|::)[A-Za-z_][\w-]*)*")
_OFFICIAL: Final = "restate"


class BadLevels(RtourError):  # noqa: N818 - reads as the fact it reports
    """Directives that cannot be used; the message says which, and what can."""


class Levels(msgspec.Struct, frozen=True):
    """Levels in the numbers of `logging`: of all that is ours, and of loggers by their names."""

    ours: int
    others: dict[str, int]


def parse(text: str) -> Levels:
    """Read directives. Raises BadLevels."""
    ours, others = logging.INFO, {}
    for directive in filter(None, (part.strip() for part in text.split(","))):
        name, equals, word = directive.rpartition("=")
        level = _level(word, directive)
        logger = _logger(name.strip(), directive) if equals else OURS
        if logger == OURS:
            ours = level
        elif logger is not None:
            others[logger] = level
    return Levels(ours, others)


def _level(word: str, directive: str) -> int:
    level = LEVELS.get(word.strip().lower())
    if level is None:
        raise BadLevels(
            f"'{directive}' names no level: expected {', '.join(LEVELS)}, or NAME=LEVEL, "
            "such as info,rtour.kafka=debug"
        )
    return level


def _logger(name: str, directive: str) -> str | None:
    """The logger that a name means; None for a part of the official server that we do not have."""
    if not _NAME.fullmatch(name):
        raise BadLevels(
            f"'{directive}' names nothing that logs: expected NAME=LEVEL, such as rtour.kafka=debug"
        )
    if name == _OFFICIAL:
        return OURS
    if name.startswith(_OFFICIAL):  # restate_ingress_http::handler
        part = name.removeprefix(_OFFICIAL).strip("_:").partition("_")[0].partition(":")[0]
        return f"{OURS}.{part}" if part in SUBJECTS else None
    subject = name.removeprefix(f"{OURS}.")
    if subject != name and subject not in SUBJECTS:
        raise BadLevels(
            f"'{directive}': there is no {name}; there are "
            f"{', '.join(f'{OURS}.{each}' for each in SUBJECTS)}, and {OURS} for all of them"
        )
    return name
