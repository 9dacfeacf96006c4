"""The guide's words as lines for the screen: what a check found, what a command printed.

A long line goes on below its own words, not below its mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rtour.tui.paint import Piece, Tone, line

OUTPUT_LINES = 16
MARK, FINDING, OUTPUT = 2, 12, 6
PRINTED = 2
"""Columns before what a command printed."""


class Told(msgspec.Struct, frozen=True):
    """One line; what does not fit goes on that many columns further right."""

    piece: Piece
    indent: int = 0


class Lines:
    """Lines below each other, each folded below its own words. A Rich renderable."""

    def __init__(self, lines: Iterable[Told]) -> None:
        self._lines = [(line(each.piece), each.indent) for each in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, indent in self._lines:
            yield from _folded(console, text, options.max_width, indent)


def _folded(console: Console, text: Text, width: int, indent: int) -> Iterable[Text]:
    text.end = "\n"
    first, *more = text.wrap(console, width)
    if not more:
        yield text
        return
    yield first
    rest = text[len(first) :]
    begins = len(rest.plain) - len(rest.plain.lstrip())
    for each in rest[begins:].wrap(console, max(width - indent, 1)):
        yield Text(" " * indent).append_text(each)


def plain(lines: Iterable[str], tone: Tone = "quiet") -> list[Told]:
    """Lines without marks."""
    return [Told(Piece(each, tone)) for each in lines]


def verdict_lines(guide: Any, lesson: Any, verdict: Any) -> list[Told]:
    """How it went first, since the panel is small; below it what is done already."""
    done = [Told(Piece(f"✔ {text}", "good"), MARK) for text in verdict.done]
    if verdict.passed:
        return [Told(Piece("Done. Enter goes on.", "strong")), *done]
    lines = [
        Told(Piece(f"✘ expected  {verdict.expected}", "bad"), FINDING),
        Told(Piece(f"  seen      {verdict.seen}"), FINDING),
    ]
    for hint in guide.help(lesson, verdict):
        first, *rest = hint.splitlines()
        lines.append(Told(Piece(f"  hint      {first}", "waiting"), FINDING))
        lines += [Told(Piece(each), OUTPUT) for each in rest]
    return [*lines, *done]


def ran_lines(ran: Any) -> list[Told]:
    """A command, and the end of what it printed."""
    lines = ran.output.rstrip().splitlines()
    left_out = [Told(Piece("  …", "quiet"))] if len(lines) > OUTPUT_LINES else []
    shown = [Told(Piece(" " * PRINTED + each), OUTPUT) for each in lines[-OUTPUT_LINES:]]
    command = Told(Piece(f"$ {ran.command}", "bad" if ran.code else "name"), OUTPUT)
    return [command, *left_out, *shown]
