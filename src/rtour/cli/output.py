"""Everything on stdout: tables, documents, JSON. Never anything else.

A command hands over records (dicts that are also its JSON) and says how people may see them. In a
pipe the same rows come out as plain aligned text, streamed; on a terminal Rich fits them to its
width. Rich is imported only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rtour.cli.diagnostics import Misuse
from rtour.cli.tree import Format, TableStyle
from rtour.cli.wording import TimeFormat, duration, instant, payload, shown

# Rich measures every cell: beyond this many rows it is slower than anybody reads.
RICH_ROWS = 1_000

Record = dict[str, Any]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How to render: decided once per run."""

    format: Format = Format.TABLE
    colour: bool = False
    width: int | None = None
    time_format: TimeFormat = TimeFormat.HUMAN
    table_style: TableStyle = TableStyle.COMPACT
    headers: bool = True
    columns: tuple[str, ...] = ()
    now: Callable[[], datetime]

    @property
    def rich(self) -> bool:
        """Whether Rich is worth its import."""
        return self.colour or self.width is not None or self.table_style is TableStyle.BORDERS

    def at(self, value: datetime | None) -> str:
        """An instant."""
        return instant(value, self.time_format, self.now()) if value else ""


class Span(msgspec.Struct, frozen=True):
    """Text with a style; it is escaped here, whatever it holds."""

    text: str
    style: str = ""

    @property
    def safe(self) -> str:
        """The text as it may reach a terminal."""
        return shown(self.text)


Line = tuple[Span | str, ...]


class Column(msgspec.Struct, frozen=True):
    """A column: a key of the record, a title, and how to show it."""

    key: str
    title: str
    show: Callable[[Record, Look], str] | None = None
    style: Callable[[Record], str] | None = None
    fold: bool = False

    def cell(self, record: Record, look: Look) -> str:
        """The cell's text, on one line and harmless."""
        if self.show is not None:
            return shown(self.show(record, look))
        return _value(record.get(self.key), look)


class Node(msgspec.Struct, frozen=True):
    """A tree of lines."""

    line: Line
    children: tuple[Node, ...] = ()


class Heading(msgspec.Struct, frozen=True):
    """A title above a block."""

    text: str


class Fields(msgspec.Struct, frozen=True):
    """Labels and values, aligned; fields without a value are left out."""

    rows: tuple[tuple[str, Line | str], ...]


class Paragraph(msgspec.Struct, frozen=True):
    """Lines as they are, escaped one by one."""

    text: str
    style: str = ""


class Grid(msgspec.Struct, frozen=True):
    """A table within a document."""

    columns: tuple[Column, ...]
    records: tuple[Record, ...]


Block = Heading | Fields | Paragraph | Grid | Node


def table(look: Look, columns: Sequence[Column], records: Sequence[Record]) -> str:
    """Records in the chosen format."""
    columns = _chosen(look, columns, records)
    if look.format in (Format.JSON, Format.JSONL):
        if look.columns:
            records = [{column.key: r.get(column.key) for column in columns} for r in records]
        return json_text(records) if look.format is Format.JSON else _jsonl(records)
    if look.format is Format.TEXT:
        rows = (_row(look, columns, record) for record in records)
        return "".join("\t".join(row) + "\n" for row in rows)
    if look.rich and len(records) <= RICH_ROWS:
        return _rich(look, [Grid(tuple(columns), tuple(records))])
    return "".join(f"{line}\n" for line in _plain_table(look, columns, records))


def item(look: Look, columns: Sequence[Column], record: Record) -> str:
    """One record: an object in JSON, a table of one row for people."""
    if look.format is Format.JSON:
        if look.columns:
            record = {each.key: record.get(each.key) for each in _chosen(look, columns, [record])}
        return json_text(record)
    return table(look, columns, [record])


def document(look: Look, record: Record, blocks: Callable[[], Sequence[Block]]) -> str:
    """One thing: its JSON, or the blocks that show it."""
    if look.format is Format.JSON:
        return json_text(record)
    if look.format is Format.JSONL:
        return _jsonl([record])
    if look.format is Format.TEXT:
        return "".join(f"{key}\t{_value(value, look)}\n" for key, value in record.items())
    return rendered(look, blocks())


def rendered(look: Look, blocks: Sequence[Block]) -> str:
    """Blocks for people."""
    return _rich(look, blocks) if look.rich else _plain(look, blocks)


def json_text(value: Any) -> str:
    """Indented JSON; bytes must have been turned into something people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _rich(look: Look, blocks: Sequence[Block]) -> str:
    from rtour.cli.rich_output import printed  # noqa: PLC0415

    return printed(look, blocks)


def _jsonl(records: Iterable[Record]) -> str:
    return "".join(msgspec.json.encode(record).decode() + "\n" for record in records)


def _chosen(look: Look, columns: Sequence[Column], records: Sequence[Record]) -> Sequence[Column]:
    if not look.columns:
        return columns
    by_key = {column.key: column for column in columns}
    known = [*by_key, *(key for key in (records[0] if records else ()) if key not in by_key)]
    chosen = []
    for name in look.columns:
        key = name.lower().replace("-", "_")
        if key not in known and records:
            raise Misuse(f"no column '{name}'", expected=f"some of {', '.join(known)}")
        chosen.append(by_key.get(key, Column(key, key.upper().replace("_", "-"))))
    return chosen


def _value(value: Any, look: Look) -> str:
    """Any JSON value in one cell."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return look.at(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, bytes):
        return payload(value)
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return shown(", ".join(value))
    if isinstance(value, (int, float)):
        return str(value)
    return shown(msgspec.json.encode(value).decode())


def _row(look: Look, columns: Sequence[Column], record: Record) -> list[str]:
    return [column.cell(record, look) for column in columns]


# --- plain text ----------------------------------------------------------------------------------


def _plain(look: Look, blocks: Sequence[Block]) -> str:
    return "".join(f"{line}".rstrip() + "\n" for line in _plain_lines(look, blocks))


def _plain_lines(look: Look, blocks: Sequence[Block]) -> Iterator[str]:
    for position, block in enumerate(blocks):
        if isinstance(block, Heading):
            yield from ("", block.text) if position else (block.text,)
        elif isinstance(block, Fields):
            yield from (f"  {label}{line_text(line)}" for label, line in aligned(block))
        elif isinstance(block, Paragraph):
            yield from (f"  {shown(line)}" for line in block.text.splitlines())
        elif isinstance(block, Grid):
            rows = _plain_table(look, block.columns, block.records)
            yield from (f"  {line}" for line in rows)
        else:
            yield from _plain_tree(block)


def _plain_table(look: Look, columns: Sequence[Column], records: Sequence[Record]) -> Iterator[str]:
    """Aligned columns, two spaces between them, never cut."""
    rows = [_row(look, columns, record) for record in records]
    if look.headers:
        rows.insert(0, [column.title for column in columns])
    widths = [max(map(cell_width, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        padded = (
            cell + " " * (width - cell_width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _plain_tree(node: Node, indent: str = "", branch: str = "") -> Iterator[str]:
    yield f"{indent}{branch}{line_text(node.line)}"
    deeper = indent + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    for position, child in enumerate(node.children):
        last = position == len(node.children) - 1
        yield from _plain_tree(child, deeper, "└── " if last else "├── ")


def line_text(line: Line | str) -> str:
    """A line without its styles."""
    if isinstance(line, str):
        return shown(line)
    return "".join(part.safe if isinstance(part, Span) else shown(part) for part in line)


def cell_width(cell: str) -> int:
    """How many columns of a terminal a cell takes."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(cell)


def aligned(fields: Fields) -> list[tuple[str, Line | str]]:
    """The fields that have a value, labels padded to one width."""
    rows = [(label, line) for label, line in fields.rows if line_text(line)]
    width = max((len(label) for label, _ in rows), default=0) + 2
    return [(label.ljust(width), line) for label, line in rows]


def record_of(struct: Any, **more: Any) -> Record:
    """A struct's fields as a record, with what the command adds."""
    fields: Mapping[str, Any] = msgspec.structs.asdict(struct)
    return {**fields, **more}
