"""The dashboard: how much, how fast, how slow, and where it queues; drawn as bars and lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import timedelta

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from rtour.client.equivalents import Equivalents, curl_query, rtour
from rtour.client.pulse import Pulse, pulse, rate
from rtour.client.times import duration
from rtour.tui.grid import cut
from rtour.tui.paint import SIGNS, TONES, Piece, Tone, line, stack
from rtour.tui.scrolling import Scroll
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

STEPS = "▁▂▃▄▅▆▇█"
KEPT = 120
NAME = 26
LONGEST_BAR = 100
SQL = "SELECT status, COUNT(1) AS n FROM sys_invocation GROUP BY status"


class DashboardView(View[None, Pulse]):
    """One look per second, the last two minutes of them as lines."""

    NAME = "dashboard"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._last: Pulse | None = None
        self._created: deque[float] = deque(maxlen=KEPT)
        self._ended: deque[float] = deque(maxlen=KEPT)

    def body(self) -> ComposeResult:
        with Scroll(id="board"):
            yield Static(line(Piece("reading…", "quiet")), id="board-text")

    def on_mount(self) -> None:
        self.query_one("#board").focus()
        super().on_mount()

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> Pulse:
        del plan
        return await pulse(self.workspace.client.query, self.workspace.now())

    def show(self, plan: None, data: Pulse) -> None:
        del plan
        if self._last is not None:
            seconds = (data.at - self._last.at).total_seconds()
            self._created.append(rate(self._last.census.total, data.census.total, seconds))
            self._ended.append(rate(self._last.ended, data.ended, seconds))
        self._last = data
        self.query_one("#board-text", Static).update(self._board(data))

    def _board(self, seen: Pulse) -> Text:
        width = max(40, self.size.width - 4)
        lines = [
            *_titled("Invocations", f"{seen.census.total} in all"),
            *_status_bars(seen, width),
            *_titled("Rates", "per second"),
            _spark("created", self._created, width),
            _spark("ended", self._ended, width),
            *_titled("Unfinished per service"),
            *_bars(seen.per_service, width, "good"),
            *_titled("Backlog per key", "waiting in line"),
            *_bars(seen.backlog, width, "waiting"),
            *_titled("Slowest handlers", "the middle one, and the longest, of the last 300"),
        ]
        for slow in seen.slowest:
            times = f"{_time(slow.middle_s):>8} {_time(slow.longest_s):>8}  of {slow.count}"
            lines.append(line(f" {cut(slow.handler, NAME):<{NAME}} ", Piece(times, "plain")))
        return stack(*lines[1:])

    def equivalents(self) -> Equivalents:
        url = self.workspace.client.connection.admin_url
        return Equivalents(
            rtour=(rtour("services", "status"), rtour("sql", SQL)),
            curl=(curl_query(url, SQL),),
            sql=(SQL,),
        )


def _titled(title: str, more: str = "") -> list[Text]:
    return [Text(), line(Piece(title, "strong"), Piece(f"  {more}", "quiet"))]


def _status_bars(seen: Pulse, width: int) -> list[Text]:
    counts = seen.census.by_status
    most = max(counts.values(), default=1)
    return [
        _bar(f"{SIGNS.get(name, '?')} {name}", count, most, width, TONES.get(name, "plain"))
        for name, count in counts.items()
    ]


def _bars(counts: Sequence[tuple[str, int]], width: int, tone: Tone) -> list[Text]:
    most = max((count for _, count in counts), default=1)
    if not counts:
        return [line(Piece(" none", "quiet"))]
    return [_bar(name, count, most, width, tone) for name, count in counts]


def _bar(name: str, count: int, most: int, width: int, tone: Tone) -> Text:
    room = min(LONGEST_BAR, width - NAME - 10)
    bar = "█" * max(1, round(count / most * room))
    return line(f" {cut(name, NAME):<{NAME}} {count:>7} ", Piece(bar, tone))


def _spark(name: str, values: Sequence[float], width: int) -> Text:
    room = width - NAME - 10
    shown = list(values)[-room:]
    now = shown[-1] if shown else 0.0
    return line(f" {name:<{NAME}} {now:>7.1f} ", Piece(sparkline(shown), "busy"))


def sparkline(values: Sequence[float]) -> str:
    """Values as eighths of a line; the highest is full."""
    top = max(values, default=0.0)
    if top <= 0:
        return STEPS[0] * len(values)
    last = len(STEPS) - 1
    return "".join(STEPS[min(last, round(value / top * last))] for value in values)


def _time(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))
