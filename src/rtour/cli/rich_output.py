"""Blocks on a terminal, by Rich: colours, and everything fitted to the width."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rtour.cli.output import (
    Block,
    Column,
    Fields,
    Grid,
    Heading,
    Line,
    Look,
    Node,
    Paragraph,
    Record,
    Span,
    aligned,
    cell_width,
)
from rtour.cli.tree import TableStyle
from rtour.cli.wording import shown

UNBOUNDED = 100_000
GAP = 2
# A column that may be folded is not squeezed below this.
NARROWEST = 24
INDENT = 4


def printed(look: Look, blocks: Sequence[Block]) -> str:
    """The blocks as text, with escape codes where colour is on."""
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=look.width or UNBOUNDED,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    for position, block in enumerate(blocks):
        if isinstance(block, Heading) and position:
            console.print()
        console.print(_renderable(look, block))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _renderable(look: Look, block: Block) -> RenderableType:
    if isinstance(block, Heading):
        return Text(shown(block.text), style="bold")
    if isinstance(block, Paragraph):
        lines = "\n".join(shown(line) for line in block.text.splitlines())
        return Padding(Text(lines, style=block.style), (0, 0, 0, 2))
    if isinstance(block, Fields):
        return Padding(_fields(block), (0, 0, 0, 2))
    if isinstance(block, Grid):
        return _grid(look, block)
    return _tree(block)


def _grid(look: Look, grid: Grid) -> RenderableType:
    cells = [[column.cell(record, look) for column in grid.columns] for record in grid.records]
    if look.table_style is TableStyle.BORDERS:
        return _bordered(look, grid, cells)
    widths = _natural(look, grid, cells)
    if look.width is None or sum(widths) + GAP * (len(widths) - 1) <= look.width:
        return _rows(look, grid.columns, grid.records, cells, widths)
    return _stacked(look, grid, cells, widths)


def _natural(look: Look, grid: Grid, cells: list[list[str]]) -> list[int]:
    titles = [column.title if look.headers else "" for column in grid.columns]
    return [max(map(cell_width, column)) for column in zip(titles, *cells, strict=True)]


def _stacked(look: Look, grid: Grid, cells: list[list[str]], widths: list[int]) -> RenderableType:
    """As many columns as fit beside each other; the rest below each row, with their titles."""
    assert look.width is not None
    widths = _fitted(grid.columns, widths, look.width)
    count = len(widths)
    beside, below = grid.columns[:count], grid.columns[count:]
    parts: list[RenderableType] = []
    if look.headers:
        parts.append(_rows(look, beside, (), [], widths[:count]))
    bare = _without_header(look)
    for record, row in zip(grid.records, cells, strict=True):
        parts.append(_rows(bare, beside, (record,), [row[:count]], widths[:count]))
        more = _more(below, record, row[count:])
        if more.plain:
            parts.append(Padding(more, (0, 0, 0, INDENT)))
    return Group(*parts)


def _fitted(columns: Sequence[Column], natural: list[int], available: int) -> list[int]:
    """Widths of the columns that fit beside each other; what is left over goes to folded ones."""
    widths = [
        min(width, NARROWEST) if column.fold else width
        for width, column in zip(natural, columns, strict=True)
    ]
    while len(widths) > 1 and sum(widths) + GAP * (len(widths) - 1) > available:
        widths.pop()
    left = available - sum(widths) - GAP * (len(widths) - 1)
    for position, width in enumerate(widths):
        more = max(0, min(natural[position] - width, left))
        widths[position] += more
        left -= more
    return widths


def _without_header(look: Look) -> Look:
    from msgspec.structs import replace  # noqa: PLC0415

    return replace(look, headers=False)


def _more(columns: Sequence[Column], record: Record, row: list[str]) -> Text:
    told = []
    for column, cell in zip(columns, row, strict=True):
        if cell and cell != "-":
            style = column.style(record) if column.style else ""
            told.append(Text.assemble((f"{column.title.lower()} ", "dim"), (cell, style)))
    return Text(", ").join(told)


def _rows(
    look: Look,
    columns: Sequence[Column],
    records: Sequence[Record],
    cells: list[list[str]],
    widths: list[int],
) -> Table:
    made = Table(
        box=None,
        show_header=look.headers,
        header_style="bold",
        pad_edge=False,
        padding=(0, GAP, 0, 0),
    )
    for column, width in zip(columns, widths, strict=True):
        made.add_column(Text(column.title), overflow="fold", width=width)
    _fill(made, columns, records, cells)
    return made


def _bordered(look: Look, grid: Grid, cells: list[list[str]]) -> Table:
    made = Table(box=box.ROUNDED, show_header=look.headers, header_style="bold")
    for column in grid.columns:
        made.add_column(Text(column.title), overflow="fold")
    _fill(made, grid.columns, grid.records, cells)
    return made


def _fill(
    made: Table, columns: Sequence[Column], records: Sequence[Record], cells: list[list[str]]
) -> None:
    for record, row in zip(records, cells, strict=True):
        styles = [column.style(record) if column.style else "" for column in columns]
        made.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=True)))


def _fields(fields: Fields) -> Table:
    made = Table.grid(padding=0)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for label, line in aligned(fields):
        made.add_row(Text(label, style="dim"), _line(line))
    return made


def _tree(node: Node) -> Tree:
    made = Tree(_line(node.line), guide_style="dim")
    _grow(made, node.children)
    return made


def _grow(branch: Tree, children: Sequence[Node]) -> None:
    for child in children:
        _grow(branch.add(_line(child.line)), child.children)


def _line(line: Line | str) -> Text:
    if isinstance(line, str):
        return Text(shown(line))
    parts = [part if isinstance(part, Span) else Span(part) for part in line]
    return Text.assemble(*((part.safe, part.style) for part in parts))
