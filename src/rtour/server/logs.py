"""Logs: one line per thing that happened, with the invocation it happened to.

Records may carry `extra={"invocation": Invocation}`; its id, target and trace go into the line.
Human lines go to stderr in colour on a terminal; JSON lines have the keys time, level, logger,
message, invocation, target and trace_id. Credentials that got into a message are masked
(`rtour.redaction`). How much is told, and of what, `log_levels` says.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from rtour.engine.commands import Invoke
from rtour.engine.model import Invocation
from rtour.redaction import Redactor, redact
from rtour.server import log_levels
from rtour.server.trace_context import trace_id

_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}


class Concerned(msgspec.Struct, frozen=True):
    """The invocation that a record is about; of some, only the id is known."""

    id: str
    target: str | None = None
    trace_id: str | None = None


def concerned(record: logging.LogRecord) -> Concerned | None:
    """Which invocation a record is about, if any."""
    told = getattr(record, "invocation", None)
    if isinstance(told, Invocation | Invoke):
        return Concerned(told.id, str(told.target), trace_id(told))
    id_ = getattr(told, "id", None)
    return Concerned(id_) if isinstance(id_, str) else None


class HumanFormatter(logging.Formatter):
    """`12:01:02.345 INFO    Counter/Ada/add inv_1… message (trace 4bf9…)`."""

    def __init__(self, *, colour: bool, redact: Redactor = redact) -> None:
        super().__init__()
        self._colour = colour
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelno, '0')}m{level}\x1b[0m"
        subject = trace = ""
        about = concerned(record)
        if about is not None:
            subject = self._dim(f"{about.target or ''} {about.id} ".lstrip())
            trace = self._dim(f" (trace {about.trace_id})") if about.trace_id else ""
        message = self._redact(record.getMessage())
        line = f"{at:%H:%M:%S}.{int(record.msecs):03} {level} {subject}{message}{trace}"
        if record.exc_info:
            line += "\n" + self._redact(self.formatException(record.exc_info))
        return line

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colour else text


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
        about = concerned(record)
        if about is not None:
            known = {"invocation": about.id, "target": about.target, "trace_id": about.trace_id}
            fields |= {name: value for name, value in known.items() if value is not None}
        if record.exc_info:
            fields["exception"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


def configure(levels: str, style: str, redacted_headers: Iterable[str] = ()) -> None:
    """Send logs to stderr; of other libraries only from warnings up, unless `levels` names them.

    Raises BadLevels for directives that cannot be used.
    """
    wanted = log_levels.parse(levels)
    mask = Redactor(redacted_headers)
    handler = logging.StreamHandler(sys.stderr)
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    handler.setFormatter(
        JsonFormatter(mask) if style == "json" else HumanFormatter(colour=colour, redact=mask)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(log_levels.OURS).setLevel(wanted.ours)
    for name, level in wanted.others.items():
        logging.getLogger(name).setLevel(level)
