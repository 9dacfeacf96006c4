"""The log of the server that `rtour up` started: its end, followed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from rtour.client.equivalents import Equivalents
from rtour.tui.paint import Piece, block, line
from rtour.tui.scrolling import Scroll
from rtour.tui.view import View

SHOWN_BYTES = 64 * 1024


class Seen(msgspec.Struct, frozen=True):
    """The end of the log; None where there is none."""

    text: str | None


class LogView(View[Path | None, Seen]):
    """Stays at the end as long as one is there."""

    NAME = "log"

    def body(self) -> ComposeResult:
        with Scroll(id="log"):
            yield Static("", id="log-text")

    def on_mount(self) -> None:
        self.query_one("#log").focus()
        super().on_mount()

    def plan(self) -> Path | None:
        return self.workspace.log

    async def read(self, plan: Path | None) -> Seen:
        return Seen(await asyncio.to_thread(tail, plan) if plan else None)

    def show(self, plan: Path | None, data: Seen) -> None:
        del plan
        if data.text is None:
            told = "this server was not started by `rtour up`; its log is where it was started"
            self.query_one("#log-text", Static).update(line(Piece(f" {told}", "quiet")))
            return
        scroll = self.query_one("#log", VerticalScroll)
        at_end = scroll.scroll_offset.y >= scroll.max_scroll_y
        self.query_one("#log-text", Static).update(block(data.text))
        if at_end:
            scroll.scroll_end(animate=False)

    def equivalents(self) -> Equivalents:
        return Equivalents()


def tail(path: Path) -> str | None:
    """The last lines of a file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - SHOWN_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    return text.split("\n", 1)[-1] if start else text
