"""A trace as lines of text: a tree on the left, bars over one scale of time on the right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rtour.cli.output import Block, Fields, Line, Look, Node, Span, cell_width, rendered
from rtour.cli.wording import duration, shown
from rtour.client.model import Invocation
from rtour.client.trace import Span as Traced
from rtour.client.trace import ends

WIDTH = 80
TOOK = 7
NARROWEST_BAR = 16
STYLES = {"ok": "green", "failed": "red", "waiting": "yellow"}
# The line of a bar, and the mark of what took no time, for each kind of row.
BARS = {"invocation": "━", "command": "─", "wait": "┄", "signal": "─", "event": "─"}
POINTS = {"invocation": "┃", "command": "•", "wait": "┄", "signal": "◆", "event": "✗"}


def drawn(look: Look, invocation: Invocation, spans: Sequence[Traced], now: datetime) -> str:
    """The picture, as wide as the terminal; in a pipe, 80 columns."""
    width = look.width or WIDTH
    labels = _labels(spans)
    widest = max(cell_width(label) for label in labels)
    room = max(NARROWEST_BAR, width - TOOK - 3 - min(widest, width // 2))
    left = width - TOOK - 3 - room
    begin, end = ends(spans, now)
    lines = [_scale(left, room, end - begin)]
    for label, span in zip(labels, spans, strict=True):
        lines += _row(look, label, span, (begin, end, now), left, room)
    head = Fields(
        (
            ("Trace id", invocation.trace_id or ""),
            ("Invocation", invocation.id),
            ("Began", look.at(begin)),
            ("Took", duration(end - begin)),
        )
    )
    blocks: list[Block] = [head, Node(()), *(Node(line) for line in lines)]
    return rendered(look, blocks)


def _labels(spans: Sequence[Traced]) -> list[str]:
    """Names behind the branches that lead to them."""
    labels: list[str] = []
    lines: list[bool] = []  # per depth: does its branch go on below?
    for span, followed in zip(spans, _followed(spans), strict=True):
        del lines[span.depth :]
        branch = "" if span.depth == 0 else "├ " if followed else "└ "
        guides = "".join("│ " if line else "  " for line in lines[1:])
        lines.append(followed)
        labels.append(f"{guides}{branch}{shown(span.name)}")
    return labels


def _followed(spans: Sequence[Traced]) -> list[bool]:
    """For each row, whether another one of the same parent comes after it."""
    followed: list[bool] = []
    below: set[int] = set()  # depths that occur further down, up to the next row that is higher
    for span in reversed(spans):
        followed.append(span.depth in below)
        below = {depth for depth in below if depth < span.depth} | {span.depth}
    return followed[::-1]


def _scale(left: int, room: int, whole: timedelta) -> Line:
    """`0 … half … all` above the bars."""
    middle, right = duration(whole / 2), duration(whole)
    text = f"0{middle:^{room - 1}}"
    text = text[: room - len(right)] + right
    return (Span(f"{'':{left}} {text}", "dim"),)


def _row(
    look: Look,
    label: str,
    span: Traced,
    times: tuple[datetime, datetime, datetime],
    left: int,
    room: int,
) -> list[Line]:
    begin, end, now = times
    took = span.took(now)
    bar = _bar(span, (span.start_at - begin, took, end - begin), room)
    told = duration(took) if took else ""
    name_style = "bold" if span.kind == "invocation" else ""
    lines: list[Line] = [
        (
            Span(_cut(label, left), name_style),
            " ",
            Span(bar.ljust(room), STYLES[span.status]),
            Span(f" {told:>{TOOK}}", "dim"),
        )
    ]
    if span.message and span.status != "ok":
        lines.append(_message(span, look.width or WIDTH))
    return lines


def _bar(span: Traced, times: tuple[timedelta, timedelta, timedelta], room: int) -> str:
    after, took, whole = times
    scale = (room - 1) / (whole.total_seconds() or 1.0)
    left = min(int(after.total_seconds() * scale), room - 1)
    right = min(int((after + took).total_seconds() * scale), room - 1)
    if not took:
        point = POINTS[span.kind]
        return " " * left + ("‖" if (span.kind, span.status) == ("event", "waiting") else point)
    bar = BARS[span.kind] * (right - left + 1)
    if span.status == "failed":
        bar = bar[:-1] + "✗"
    elif span.end_at is None:
        bar = bar[:-1] + "…"
    return " " * left + bar


def _message(span: Traced, width: int) -> Line:
    """Why it failed, or how it is waiting, on a line of its own."""
    text = f"{'  ' * span.depth}  {shown(span.message or '')}"
    return (Span(_cut(text, width).rstrip(), STYLES[span.status]),)


def _cut(text: str, width: int) -> str:
    """As many columns as there is room for, padded to it."""
    if cell_width(text) > width:
        while cell_width(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - cell_width(text))
