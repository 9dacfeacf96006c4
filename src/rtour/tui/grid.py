"""A table over a window of rows, so that a hundred thousand are as quick as ten.

The grid knows how many rows there are and holds those around the visible ones. When it needs
others it posts `WindowWanted`; whoever owns it reads them and calls `load`. The cursor stays on its
row, by key, while rows come and go around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import ClassVar

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from rtour.client.wording import shown
from rtour.tui.paint import STYLES, Piece

MARGIN = 60
GAP = 2
NARROWEST = 8
MEASURED = 500


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: `grow` shares what is left; columns with `from_width` hide on narrow screens."""

    title: str
    grow: int = 0
    widest: int = 40
    right: bool = False
    from_width: int = 0


class Row(msgspec.Struct, frozen=True):
    """A row: `key` names it for good; `tone` of cells is theirs."""

    key: str
    cells: tuple[Piece | str, ...]
    fresh: bool = False


class Window(msgspec.Struct, frozen=True):
    """Rows `first` to `first + count`."""

    first: int
    count: int


class Grid(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows to move over, open, and select; left and right are free for others."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--cursor",
        "grid--selected",
        "grid--fresh",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("g,home", "go(0)", "First row", show=False),
        Binding("G,end", "go(-1)", "Last row", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("enter", "open", "Open", show=False),
        Binding("space", "select", "Select", show=False),
        Binding("ctrl+a", "select_all", "Select all that are read", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, grid: Grid, row: Row | None) -> None:
            super().__init__()
            self.grid, self.row = grid, row

        @property
        def control(self) -> Grid:
            return self.grid

    class Opened(Message):
        """The row under the cursor was opened."""

        def __init__(self, grid: Grid, row: Row) -> None:
            super().__init__()
            self.grid, self.row = grid, row

        @property
        def control(self) -> Grid:
            return self.grid

    class WindowWanted(Message):
        """Rows are needed that are not here."""

        def __init__(self, grid: Grid) -> None:
            super().__init__()
            self.grid = grid

        @property
        def control(self) -> Grid:
            return self.grid

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        selectable: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._selectable = selectable
        self._rows: Sequence[Row] = ()
        self._first = 0
        self._natural: list[int] = [cell_len(column.title) for column in columns]
        self.total = 0
        self.cursor = 0
        self.selected: dict[str, Row] = {}
        self.empty = "reading…"

    # --- what it shows -----------------------------------------------------------------------

    @property
    def window(self) -> Window:
        """The rows worth having: the visible ones and some around them."""
        first = max(0, int(self.scroll_target_y) - MARGIN)
        return Window(first, self._page + 2 * MARGIN)

    @property
    def row(self) -> Row | None:
        """The row under the cursor, if it is here."""
        return self._at(self.cursor)

    @property
    def rows(self) -> Sequence[Row]:
        """The rows that are here."""
        return self._rows

    def chosen(self) -> list[Row]:
        """The selected rows, or else the one under the cursor."""
        if self.selected:
            return list(self.selected.values())
        return [self.row] if self.row else []

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Another kind of table."""
        self._columns = tuple(columns)
        self._natural = [cell_len(column.title) for column in columns]
        self.selected.clear()
        self.go_to(0)

    def load(self, rows: Sequence[Row], *, first: int = 0, total: int | None = None) -> None:
        """Shows rows, the first of which is number `first` of `total`."""
        before = self.row
        self._follow(before, rows, first)
        self._rows, self._first = rows, first
        self.total = len(rows) if total is None else max(total, first + len(rows))
        self.cursor = max(0, min(self.cursor, self.total - 1))
        self._measure(rows)
        self.virtual_size = Size(self.size.width, self.total + 1)
        self.refresh()
        after = self.row
        if (after and after.key) != (before and before.key) or after != before:
            self.post_message(self.Moved(self, after))

    def go_to(self, position: int) -> None:
        """Moves the cursor."""
        before = self.cursor
        self.cursor = max(0, min(position, self.total - 1))
        region = Region(0, self.cursor + 1, 1, 1)
        if self.cursor < self.scroll_target_y or self.cursor == 0:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif region.y >= self.scroll_target_y + self.size.height:
            self.scroll_to(y=region.y - self.size.height + 1, animate=False, immediate=True)
        self.refresh()
        if self.cursor != before:
            self.post_message(self.Moved(self, self.row))
        self._want()

    # --- keys and mouse ----------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self.go_to(self.cursor + by)

    def action_go(self, position: int) -> None:
        self.go_to(self.total - 1 if position < 0 else position)

    def action_page(self, by: int) -> None:
        self.go_to(self.cursor + by * max(1, self._page - 1))

    def action_open(self) -> None:
        if self.row:
            self.post_message(self.Opened(self, self.row))

    def action_select(self) -> None:
        if not self._selectable or self.row is None:
            return
        if self.selected.pop(self.row.key, None) is None:
            self.selected[self.row.key] = self.row
        self.go_to(self.cursor + 1)

    def action_select_all(self) -> None:
        if not self._selectable:
            return
        every = {row.key: row for row in self._rows}
        self.selected = {} if self.selected.keys() == every.keys() else every
        if self.selected and len(every) < self.total:
            self.notify(
                f"selected the {len(every)} rows that are read, of {self.total}", severity="warning"
            )
        self.refresh()

    def on_click(self, event: Click) -> None:
        position = event.y - 1 + int(self.scroll_y)
        if event.y < 1 or position >= self.total:
            return
        self.go_to(position)
        if event.chain == 2:
            self.action_open()

    def on_resize(self, _: Resize) -> None:
        self.virtual_size = Size(self.size.width, self.total + 1)
        self.call_after_refresh(self._want)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._want()

    # --- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            header = self.get_component_rich_style("grid--header")
            titles = tuple(column.title for column in self._columns)
            return self._strip(Row("", titles), header, width)
        position = y - 1 + int(self.scroll_y)
        if position >= self.total:
            message = self._message(y - 2, width) if self.total == 0 else ""
            return Strip([Segment(message.ljust(width), self.rich_style + Style(dim=True))])
        row = self._at(position)
        if row is None:
            return Strip([Segment("  ·".ljust(width), self.rich_style + Style(dim=True))])
        return self._strip(row, self._style(position, row), width, plain=position == self.cursor)

    def _message(self, number: int, width: int) -> str:
        lines = wrap(self.empty, max(10, width - 4))
        return f"  {lines[number]}" if 0 <= number < len(lines) else ""

    def _style(self, position: int, row: Row) -> Style:
        style = self.rich_style
        if row.fresh:
            style += self.get_component_rich_style("grid--fresh", partial=True)
        if row.key in self.selected:
            style += self.get_component_rich_style("grid--selected", partial=True)
        if position == self.cursor:
            style += self.get_component_rich_style("grid--cursor", partial=True)
            # Without colours the cursor is still to be seen.
            style += Style(reverse=self.app.no_color, bold=True)
        return style

    def _strip(self, row: Row, style: Style, width: int, *, plain: bool = False) -> Strip:
        mark = "▌" if row.key in self.selected else " "
        segments = [Segment(mark, style)]
        for column, cell, wide in zip(self._columns, row.cells, self._fit(width), strict=False):
            if not wide:
                continue
            piece = cell if isinstance(cell, Piece) else Piece(cell)
            # A cell is a character or more; what cannot be seen need not be escaped.
            text = cut(shown(piece.text[: 4 * wide + 4]), wide)
            text = text.rjust(wide) if column.right else set_cell_size(text, wide)
            # On the colour of the cursor no other colour is easy to read.
            tone = "" if plain and self.has_focus else STYLES[piece.tone]
            segments.append(Segment(text, style + Style.parse(tone)))
            segments.append(Segment(" " * GAP, style))
        return Strip(segments).adjust_cell_length(width, style).crop(0, width)

    def _fit(self, width: int) -> list[int]:
        """Widths of the columns: as wide as their text, growing ones share the rest."""
        shown_ = [column.from_width <= width for column in self._columns]
        widths = [
            min(natural, column.widest) if here and not column.grow else 0
            for natural, column, here in zip(self._natural, self._columns, shown_, strict=True)
        ]
        growing = [
            position
            for position, column in enumerate(self._columns)
            if column.grow and shown_[position]
        ]
        room = width - 1 - GAP * sum(shown_)
        _squeeze(widths, room - NARROWEST * len(growing))
        left = room - sum(widths)
        # The least demanding first, so that what they leave goes to the others.
        waiting = sorted(growing, key=lambda each: self._natural[each] / self._columns[each].grow)
        while waiting:
            weights = sum(self._columns[each].grow for each in waiting)
            position = waiting.pop(0)
            share = left * self._columns[position].grow // weights
            widths[position] = max(4, min(share, self._natural[position]))
            left -= widths[position]
        if growing:
            widths[growing[-1]] += max(0, left)
        return widths

    # --- inside ------------------------------------------------------------------------------

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _at(self, position: int) -> Row | None:
        offset = position - self._first
        return self._rows[offset] if 0 <= offset < len(self._rows) else None

    def _measure(self, rows: Sequence[Row]) -> None:
        """Columns only ever get wider: a table that twitches is hard to read."""
        for row in rows[:MEASURED]:
            for position, cell in enumerate(row.cells[: len(self._natural)]):
                text = cell.text if isinstance(cell, Piece) else cell
                wide = cell_len(shown(text[:200]))
                self._natural[position] = max(self._natural[position], wide)

    def _follow(self, before: Row | None, rows: Sequence[Row], first: int) -> None:
        if before is None or self.cursor == 0:
            return
        for offset, row in enumerate(rows):
            if row.key == before.key:
                by = first + offset - self.cursor
                self.cursor += by
                if by:
                    self.virtual_size = Size(self.size.width, max(self.total, self.cursor) + 1)
                    self.scroll_to(y=self.scroll_y + by, animate=False, immediate=True)
                return

    def _want(self) -> None:
        top = int(self.scroll_target_y)
        bottom = min(self.total, top + self._page)
        if top < self._first or bottom > self._first + len(self._rows):
            self.post_message(self.WindowWanted(self))


def _squeeze(widths: list[int], room: int) -> None:
    """Takes from the widest until all fit, or none is wide any more."""
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1


def cut(text: str, width: int) -> str:
    """At most `width` cells, with a sign where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"
