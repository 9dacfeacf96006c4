"""One of many, picked from a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from rtour.tui.grid import Column, Grid, Row
from rtour.tui.paint import Piece, line


class Choice(msgspec.Struct, frozen=True):
    """One of the things to pick."""

    text: str


class Pick(ModalScreen[int | None]):
    """Gives the position of the choice, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Cancel")]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static(line(Piece(self._title, "strong")), classes="title")
            yield Grid((Column(title="", grow=1),), id="choices")
            yield Static(line(Piece("enter takes it, esc closes", "quiet")))

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.empty = "nothing yet"
        grid.load([Row(str(n), (each.text,)) for n, each in enumerate(self._choices)])
        grid.focus()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        self.dismiss(int(event.row.key))
