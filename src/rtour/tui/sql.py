"""The SQL console: an editor that knows tables and columns, results as a table, a history."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from rtour.client import ClientError
from rtour.client.equivalents import Equivalents, curl_query, rtour
from rtour.client.wording import plural
from rtour.tui.dialogs import Ask, Document
from rtour.tui.grid import Column, Grid, Row
from rtour.tui.history import History
from rtour.tui.paint import Piece, Tone, line
from rtour.tui.picking import Choice, Pick
from rtour.tui.record_text import record_text
from rtour.tui.sql_editor import SqlEditor
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

START = (
    "SELECT id, target, status, created_at FROM sys_invocation ORDER BY created_at DESC LIMIT 50"
)
# More is for a pipe: rtour sql … -o jsonl
MAX_ROWS = 10_000
Record = dict[str, Any]


class SqlView(View[None, dict[str, list[str]]]):
    """One statement at a time."""

    NAME = "sql"
    AUTO_REFRESH = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "run", "Run", priority=True),
        Binding("f3", "history", "History", priority=True),
        Binding("f6", "export", "Export", priority=True),
        Binding("e", "edit", "Edit", show=False),
        Binding("enter,d", "open", "Open the row", show=False),
    ]

    class Answered(Message):
        """A statement was answered."""

        def __init__(self, rows: list[Record], took_s: float) -> None:
            super().__init__()
            self.rows, self.took_s = rows, took_s

    class Refused(Message):
        """A statement was refused."""

        def __init__(self, error: ClientError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._rows: list[Record] = []
        self._history = History(workspace.folder / "sql.jsonl", str)

    def body(self) -> ComposeResult:
        yield SqlEditor(START, id="statement", classes="typing")
        yield Static(line(Piece(" ctrl+r runs, tab completes, f3 history", "quiet")), id="said")
        yield Grid((), id="results")

    def on_mount(self) -> None:
        self.grid.empty = ""
        self.editor.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        """The results."""
        return self.query_one("#results", Grid)

    @property
    def editor(self) -> SqlEditor:
        """The statement."""
        return self.query_one(SqlEditor)

    def focus_main(self) -> None:
        self.grid.focus()

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> dict[str, list[str]]:
        """Tables and columns, for completion."""
        del plan
        return await self.workspace.client.query.columns()

    def show(self, plan: None, data: dict[str, list[str]]) -> None:
        del plan
        self.editor.know(data)

    # --- running -----------------------------------------------------------------------------

    def action_run(self) -> None:
        sql = self.editor.text.strip().rstrip(";")
        if sql:
            self._history.add(sql)
            self._say("running …", "waiting")
            self._run(sql)

    @work(exclusive=True, group="running")
    async def _run(self, sql: str) -> None:
        started = monotonic()
        try:
            rows = await self.workspace.client.query.rows(sql)
        except ClientError as error:
            self.post_message(self.Refused(error))
        else:
            self.post_message(self.Answered(rows, monotonic() - started))

    @on(Answered)
    def _on_answered(self, message: Answered) -> None:
        self._rows = message.rows[:MAX_ROWS]
        names = columns_of(self._rows)
        last = len(names) - 1
        self.grid.set_columns(
            [Column(title=n, grow=int(each == last)) for each, n in enumerate(names)]
        )
        self.grid.empty = "no rows"
        self.grid.load([_row(n, each, names) for n, each in enumerate(self._rows)])
        cut = f", the first {MAX_ROWS} shown" if len(message.rows) > MAX_ROWS else ""
        took = f"{round(message.took_s * 1000)}ms"
        self._say(f"{plural(len(message.rows), 'row')} in {took}{cut}; esc goes to them", "good")

    @on(Refused)
    def _on_refused(self, message: Refused) -> None:
        self._say(f"✗ {message.error}", "bad")

    def _say(self, text: str, tone: Tone) -> None:
        self.query_one("#said", Static).update(line(Piece(f" {text}", tone)))

    # --- keys --------------------------------------------------------------------------------

    def action_edit(self) -> None:
        self.editor.focus()

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if self.grid.row is not None:
            record = self._rows[int(self.grid.row.key)]
            self.app.push_screen(Document("Row", record_text(record)))

    @work(group="picking")
    async def action_history(self) -> None:
        earlier = list(reversed(self._history.all()))
        choices = [Choice(" ".join(each.split())) for each in earlier]
        picked = await self.app.push_screen_wait(Pick("Earlier statements", choices))
        if picked is not None:
            self.editor.text = earlier[picked]

    @work(group="exporting")
    async def action_export(self) -> None:
        question = f"Write {plural(len(self._rows), 'row')} to which file (.csv or .json)?"
        name = await self.app.push_screen_wait(Ask(question, "rows.csv"))
        if name is None:
            return
        try:
            path = await asyncio.to_thread(write_new, name, self._rows)
        except OSError as error:
            self.post_message(self.Done(f"not written: {error}", failed=True))
        else:
            self.post_message(self.Done(f"{plural(len(self._rows), 'row')} in {path}"))

    def equivalents(self) -> Equivalents:
        sql = self.editor.text.strip()
        url = self.workspace.client.connection.admin_url
        return Equivalents(rtour=(rtour("sql", sql),), curl=(curl_query(url, sql),), sql=(sql,))


def write_new(name: str, rows: list[Record]) -> Path:
    """Writes rows into a new file; not over something else: a typo must not cost a file."""
    path = Path(name).expanduser()
    text = as_csv(rows) if path.suffix == ".csv" else as_json_text(rows)
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def columns_of(rows: list[Record]) -> list[str]:
    """All columns, in the order they appear: NULL ones are absent from a row."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: list[Record]) -> str:
    """Rows as CSV with a header."""
    names, out = columns_of(rows), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def as_json_text(rows: list[Record]) -> str:
    """Rows as a JSON array."""
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _row(position: int, record: Record, names: list[str]) -> Row:
    return Row(str(position), tuple(_cell(record.get(name))[:500] for name in names))
