"""The last line of every view: the keys that work here, as many as fit, each to be clicked.

One widget that draws a line, where textual's Footer is a dozen: on a slow machine that is the
difference between a view that opens at once and one that one waits for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.text import Text
from textual.app import RenderResult
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget

# These stay at the right end, whatever else has to go.
ALWAYS = ("screen.help", "app.command_palette")


class Key(msgspec.Struct, frozen=True):
    """A key, as textual and as people call it, and what it does."""

    key: str
    name: str
    does: str

    @property
    def width(self) -> int:
        """In cells, with the space before and after."""
        return cell_len(self.name) + cell_len(self.does) + 3


class KeyLine(Widget):
    """Keys of the view and of what is in focus on the left; help and palette on the right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-line--key"}

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def on_unmount(self) -> None:
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _bindings_changed(self, _: Screen[object]) -> None:
        self.refresh()

    def on_click(self, event: Click) -> None:
        """As if the key had been pressed."""
        for start, end, key in self._places:
            if start <= event.x < end:
                self.app.simulate_key(key)

    def render(self) -> RenderResult:
        """The line; keys that do not fit are left out whole: `?` knows them all."""
        keys = dict(self._keys())
        right = [keys.pop(action) for action in ALWAYS if action in keys]
        room = self.size.width - sum(key.width for key in right)
        self._places = []
        text = Text(no_wrap=True)
        for key in keys.values():
            if text.cell_len + key.width > room:
                break
            self._put(text, key)
        text.append(" " * max(0, room - text.cell_len))
        for key in right:
            self._put(text, key)
        return text

    def _put(self, text: Text, key: Key) -> None:
        start = text.cell_len
        style = self.get_component_rich_style("key-line--key", partial=True)
        text.append(f" {key.name}", style).append(f" {key.does} ")
        self._places.append((start, text.cell_len, key.key))

    def _keys(self) -> Iterable[tuple[str, Key]]:
        """By action, and of several keys for one the first."""
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            palette = binding.key == self.app.COMMAND_PALETTE_BINDING
            if binding.action in seen or not (binding.show or palette):
                continue
            seen.add(binding.action)
            name = self.app.get_key_display(binding)
            if palette:
                yield ALWAYS[1], Key(binding.key, name, "Palette")
            else:
                yield binding.action, Key(binding.key, name, binding.description)
