"""The first line of every view: where we are, on which server, and how that server is."""

from __future__ import annotations

from datetime import timedelta

from rich.text import Text
from textual.app import RenderResult
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from rtour.client.model import ClockReading
from rtour.client.time import SAME_CLOCK_MS, driven
from rtour.client.times import duration
from rtour.client.wording import shown
from rtour.tui.grid import cut
from rtour.tui.workspace import Workspace

PLACES = (
    ("1", "inv", "invocations"),
    ("2", "svc", "services"),
    ("3", "state", "state"),
    ("4", "dp", "deployments"),
    ("5", "sql", "sql"),
    ("6", "dash", "dashboard"),
    ("7", "log", "log"),
)


def titled(name: str) -> str:
    """The name of a place where it begins a line."""
    return "SQL" if name == "sql" else name.capitalize()


# From here on the clock and the name of the server both fit.
WIDE = 110


class PlaceWanted(Message):
    """Somebody wants to go to a place."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place


class TopLine(Widget):
    """Places by number, the one we are at marked; then the server, or what is wrong with it."""

    said = reactive("")
    alarm = reactive(False)

    def __init__(self, workspace: Workspace, name: str) -> None:
        super().__init__()
        self._workspace = workspace
        self._place = name
        self.set_class(not workspace.local, "remote")

    def say(self, text: str, *, alarm: bool = False) -> None:
        """Shows a word on the server's state; empty: all is well."""
        self.said, self.alarm = text, alarm
        clock = self._workspace.clock
        self.set_class(alarm, "alarm")
        self.set_class(clock is not None and driven(clock), "driven")
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Goes to the place under the mouse."""
        position = 1
        for key, short, name in PLACES:
            position += len(f" {key} {short} ")
            if event.x < position:
                self.app.post_message(PlaceWanted(name))
                return

    def render(self) -> RenderResult:
        """The line, cut to the width; what is wrong comes before where we are."""
        places = Text(" ", no_wrap=True)
        for key, short, name in PLACES:
            style = "bold reverse" if name == self._place else ""
            places.append(f" {key} {short} ", style)
        if self.said:
            return Text(cut(f" {shown(self.said)}", self.size.width), no_wrap=True)
        right = self._server()
        places.truncate(max(0, self.size.width - len(right) - 1))
        space = self.size.width - places.cell_len - len(right)
        return places.append(" " * max(1, space) + right, "bold")

    def _server(self) -> str:
        host = self._workspace.host
        clock = self._workspace.clock
        if clock is not None and driven(clock):
            host = f"{clock_word(clock)}  {host}" if self.size.width >= WIDE else clock_word(clock)
        if self._workspace.local:
            return f"{host} "
        mode = "READ-ONLY" if self._workspace.read_only else "CHANGES ALLOWED"
        return cut(f"{mode} on REMOTE {host}", self.size.width - 1) + " "


def clock_word(clock: ClockReading) -> str:
    """That the server's time is another one, as loud as it fits: `CLOCK +15m STOPPED`."""
    words = "CLOCK"
    if abs(clock.offset_ms) >= SAME_CLOCK_MS:
        off = duration(timedelta(milliseconds=abs(clock.offset_ms)))
        words += f" {'+' if clock.offset_ms > 0 else '-'}{off}"
    return words + {"frozen": " STOPPED", "auto": " LEAPING"}.get(clock.mode, "")
