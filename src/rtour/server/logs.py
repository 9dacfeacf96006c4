"""Logs: one line per thing that happened, with the invocation it happened to.

Records may carry `extra={"invocation": Invocation}`; its id and target go into the line. Human
lines go to stderr in colour on a terminal; JSON lines have the keys time, level, logger, message,
invocation and target. Credentials that got into a message are masked (`rtour.redaction`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from rtour.redaction import Redactor, redact

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}


class HumanFormatter(logging.Formatter):
    """`12:01:02.345 INFO  Counter/Ada/add inv_1… message`."""

    def __init__(self, *, colour: bool, redact: Redactor = redact) -> None:
        super().__init__()
        self._colour = colour
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelno, '0')}m{level}\x1b[0m"
        subject = ""
        invocation = getattr(record, "invocation", None)
        if invocation is not None:
            subject = f"{invocation.target} {invocation.id} "
            if self._colour:
                subject = f"\x1b[2m{subject}\x1b[0m"
        message = self._redact(record.getMessage())
        line = f"{at:%H:%M:%S}.{int(record.msecs):03} {level} {subject}{message}"
        if record.exc_info:
            line += "\n" + self._redact(self.formatException(record.exc_info))
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, redact: Redactor = redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        invocation = getattr(record, "invocation", None)
        if invocation is not None:
            fields |= {"invocation": invocation.id, "target": str(invocation.target)}
        if record.exc_info:
            fields["exception"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


def configure(level: str, style: str, redacted_headers: Iterable[str] = ()) -> None:
    """Send rtour's logs to stderr; other libraries only from warnings up."""
    mask = Redactor(redacted_headers)
    handler = logging.StreamHandler(sys.stderr)
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(
        JsonFormatter(mask) if style == "json" else HumanFormatter(colour=colour, redact=mask)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("rtour").setLevel(_LEVELS[level.lower()])
