"""Everything on stderr, and the exit codes. Never data: that is `output`'s.

An error is three short lines: what happened, what was expected, what to do next. No panels, no
tracebacks; `-v` adds where it came from.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TextIO

from rtour.cli.wording import shown
from rtour.errors import InvalidId, RtourError


class ExitCode(IntEnum):
    """The exit codes, a stable part of the interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNREACHABLE = 5
    INVOCATION_FAILED = 6
    TIMEOUT = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class CliError(RtourError):
    """Something the command line itself found wrong."""

    def __init__(
        self,
        message: str,
        *,
        expected: str = "",
        hint: str = "",
        exit_code: ExitCode = ExitCode.FAILED,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint
        self.exit_code = exit_code


class Misuse(CliError):  # noqa: N818 - reads as the fact it reports
    """The command line was used wrongly."""

    def __init__(self, message: str, *, expected: str = "", hint: str = "") -> None:
        super().__init__(message, expected=expected, hint=hint, exit_code=ExitCode.USAGE)


def exit_code(error: RtourError) -> ExitCode:
    """The exit code that stands for an error."""
    if isinstance(error, CliError):
        return error.exit_code
    if isinstance(error, InvalidId):
        return ExitCode.USAGE
    from rtour.client import failures  # noqa: PLC0415 - only an error of the client needs it

    table: list[tuple[type[RtourError], ExitCode]] = [
        (failures.Unreachable, ExitCode.UNREACHABLE),
        (failures.NotFound, ExitCode.NOT_FOUND),
        (failures.Conflict, ExitCode.CONFLICT),
        (failures.NotReady, ExitCode.CONFLICT),
        (failures.InvocationFailed, ExitCode.INVOCATION_FAILED),
        (failures.TimedOut, ExitCode.TIMEOUT),
    ]
    return next((code for kind, code in table if isinstance(error, kind)), ExitCode.FAILED)


def report(error: RtourError, stderr: TextIO) -> ExitCode:
    """Prints an error; answers the exit code."""
    message = shown(str(getattr(error, "message", error)), newlines=True)
    code = error.restate_code
    if code and code not in message:
        message = f"[{code}] {message}"
    lines = [f"error: {message}"]
    for label, value in (("expected", "expected"), ("next", "hint")):
        text = getattr(error, value, "")
        if text:
            lines.append(f"  {label}: {shown(text)}")
    stderr.write("\n".join(lines) + "\n")
    return exit_code(error)


def usage(message: str, command: str, stderr: TextIO) -> ExitCode:
    """Prints a mistake in the use of `command`."""
    stderr.write(f"error: {shown(message)}\n  next: {command} --help\n")
    return ExitCode.USAGE
