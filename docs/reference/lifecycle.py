"""Draw reference/lifecycle.md from the engine's table of transitions.

    python docs/reference/lifecycle.py

tests/engine/test_lifecycle_page.py fails while the page is not what this prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rtour.engine.model import Status
from rtour.engine.transitions import ALLOWED

PAGE = Path(__file__).with_suffix(".md")

HEAD = """\
# The life of an invocation

<!-- Drawn by docs/reference/lifecycle.py from src/rtour/engine/transitions.py: do not edit. -->

Every change of an invocation's status is one of these arrows; the engine asserts it. A command
that does not fit the status it meets is dropped, or refused with a message: it moves nothing.
"""

MEANING = {
    Status.SCHEDULED: ("scheduled", "waits for its time"),
    Status.INBOXED: ("pending", "waits for the lock of its virtual object"),
    Status.INVOKED: (
        "ready, running, backing-off",
        "waits for a slot, is with its service, or waits for the next attempt",
    ),
    Status.SUSPENDED: ("suspended", "waits for notifications, and costs no memory"),
    Status.PAUSED: ("paused", "waits for a person: `rtour invocations resume`"),
    Status.COMPLETED: ("completed", "its result is kept until retention is over"),
}


def page() -> str:
    """The whole page, ending in a newline."""
    return "\n".join([HEAD, *_diagram(), "", *_statuses(), "", *_moves()]) + "\n"


def _words(command: type) -> str:
    """`AttemptEnded` is attempt-ended."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", command.__name__).lower()


def _arrows() -> dict[tuple[str, str], list[str]]:
    """Which commands lead from one status to another; `[*]` is an absent invocation."""
    arrows: dict[tuple[str, str], list[str]] = {}
    order = [None, *Status]
    for before in order:
        for after in order:
            commands = [
                _words(command)
                for command, moves in ALLOWED.items()
                if after in moves.get(before, ())
            ]
            if commands:
                arrows[before or "[*]", after or "[*]"] = commands
    return arrows


def _diagram() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for (before, after), commands in _arrows().items():
        yield f"    {before} --> {after}: {', '.join(commands)}"
    yield "```"


def _statuses() -> Iterator[str]:
    yield "| stored as | shown as | meaning |"
    yield "|---|---|---|"
    for status, (shown, meaning) in MEANING.items():
        yield f"| {status} | {shown} | {meaning} |"


def _moves() -> Iterator[str]:
    yield "| command | moves |"
    yield "|---|---|"
    names = {None: "absent"}
    for command, moves in ALLOWED.items():
        parts = [
            f"{names.get(before, before)} → "
            + " or ".join(sorted(str(names.get(after, after)) for after in afters))
            for before, afters in moves.items()
        ]
        yield f"| {_words(command)} | {'; '.join(parts) or 'none'} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
