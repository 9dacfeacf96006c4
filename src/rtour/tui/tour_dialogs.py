"""What opens above a lesson: the solution, to be read before it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from rtour.tui.paint import Piece, Tone, line, stack

# Fit on the smallest terminal, with the question above and the keys below them.
FEW_LINES = 10
DIFF_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "@": "quiet"}


class Offer(ModalScreen[bool]):
    """Shows a change to the learner's files, all of it, and waits for a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No"),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]
    DEFAULT_CSS = """
    Offer { align: center middle; }
    Offer .dialog { width: 90%; max-width: 110; }
    """

    def __init__(self, question: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._question = question
        self._lines = lines

    def compose(self) -> ComposeResult:
        pieces = (Piece(each, DIFF_TONES.get(each[:1], "plain")) for each in self._lines)
        with Vertical(classes="dialog tall" if len(self._lines) > FEW_LINES else "dialog"):
            yield Static(line(Piece(self._question, "strong")), classes="title")
            with VerticalScroll():
                yield Static(stack(*(line(each) for each in pieces)))
            yield Static(line(Piece("y does it, n leaves all as it is, ↑↓ scroll", "quiet")))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
