"""The state of virtual objects and workflows: browsed, watched, edited with a version check."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from rtour.client import ClientError
from rtour.client.equivalents import Equivalents, curl_query, rtour
from rtour.client.heads import size_of
from rtour.client.model import StateRow
from rtour.client.state_listing import StateListing, count_state, read_state_window
from rtour.client.state_writing import Settled, holder, settled
from rtour.client.wording import payload, plural, pretty, size
from rtour.tui.dialogs import Document, Editor
from rtour.tui.grid import Column, Grid, Row, Window
from rtour.tui.invocations import InvocationsView
from rtour.tui.paint import Piece, block, line, stack
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

COLUMNS = (
    Column(title="OBJECT", grow=2),
    Column(title="NAME", widest=24),
    Column(title="VALUE", grow=3),
    Column(title="SIZE", widest=9, right=True, from_width=90),
)
MAX_EDITED = 256 * 1024
# How many readings a change stays marked.
MARKED = 5


class Plan(msgspec.Struct, frozen=True):
    """What to read."""

    filter: str
    window: Window


class Seen(msgspec.Struct, frozen=True):
    """What was read."""

    total: int
    rows: list[StateRow]


class StateView(View[Plan, Seen]):
    """Values, one per row; those that changed while one looked are marked."""

    NAME = "state"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("enter", "open", "Open", show=False),
        Binding("w", "watch", "Watch object"),
        Binding("e", "edit", "Edit"),
        Binding("x", "clear", "Clear value"),
        Binding("X", "clear_object", "Clear object", show=False),
        Binding("i", "invocations", "Invocations"),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._filter = ""
        self._known: dict[str, StateRow] = {}
        self._marked: dict[str, int] = {}

    def body(self) -> ComposeResult:
        yield Input(
            "",
            placeholder="text, service:Cart key:Mary name:tickets",
            id="filter",
            classes="typing",
        )
        yield Grid(COLUMNS, id="state")
        with VerticalScroll(can_focus=False, id="value"):
            yield Static("", id="value-text")

    def on_mount(self) -> None:
        self.query_one("#filter").display = False
        self.grid.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        """The list."""
        return self.query_one("#state", Grid)

    def focus_main(self) -> None:
        self.query_one("#filter").display = bool(self._filter)
        self.grid.focus()

    # --- reading and showing -----------------------------------------------------------------

    def plan(self) -> Plan:
        return Plan(self._filter, self.grid.window)

    async def read(self, plan: Plan) -> Seen:
        query = self.workspace.client.query
        wanted = StateListing(plan.filter, plan.window.first, plan.window.count)
        total, rows = await asyncio.gather(
            count_state(query, plan.filter), read_state_window(query, wanted)
        )
        return Seen(total, rows)

    def show(self, plan: Plan, data: Seen) -> None:
        self.grid.empty = "nothing matches" if plan.filter else "no object has state"
        now = {_key(row): row for row in data.rows}
        self._mark(now)
        self._known = now
        rows = [_row(row, key in self._marked) for key, row in now.items()]
        self.grid.load(rows, first=plan.window.first, total=data.total)
        self._show_value()

    def _mark(self, now: Mapping[str, StateRow]) -> None:
        self._marked = {key: left - 1 for key, left in self._marked.items() if left > 1}
        if not self._known:
            return
        for key, row in now.items():
            before = self._known.get(key)
            if before is not None and (before.value, before.digest) != (row.value, row.digest):
                self._marked[key] = MARKED

    @on(Grid.WindowWanted)
    def _window_wanted(self) -> None:
        self.action_read_now()

    @on(Grid.Moved)
    def _show_value(self) -> None:
        row = self._current()
        text = line(Piece("", "quiet"))
        if row is not None:
            head = line(Piece(row.key, "strong"), Piece(f"  {size(size_of(row.value))}", "quiet"))
            text = stack(head, block(pretty(row.value)))
        self.query_one("#value-text", Static).update(text)

    def _current(self) -> StateRow | None:
        return self._known.get(self.grid.row.key) if self.grid.row else None

    # --- keys --------------------------------------------------------------------------------

    @on(Grid.Opened)
    def _opened(self) -> None:
        row = self._current()
        if row is not None:
            title = f"{row.service_name}/{row.service_key}  {row.key}"
            self.app.push_screen(Document(title, block(pretty(row.value))))

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.value != self._filter:
            self._refilter(event.value)

    def _refilter(self, text: str) -> None:
        self._filter = text
        self._known, self._marked = {}, {}
        self.grid.go_to(0)
        self.action_read_now()

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self.focus_main()

    def action_watch(self) -> None:
        """Narrows to the object under the cursor, and back."""
        row = self._current()
        field = self.query_one("#filter", Input)
        if self._filter:
            field.value = ""
        elif row is not None:
            field.value = f"object:{_quoted(f'{row.service_name}/{row.service_key}')}"
        field.display = bool(field.value)

    def action_back(self) -> None:
        if self._filter:
            self.query_one("#filter", Input).value = ""
            self._refilter("")
            self.focus_main()
        else:
            super().action_back()

    def action_invocations(self) -> None:
        row = self._current()
        if row is not None:
            words = f"service:{row.service_name} key:{_quoted(row.service_key)}"
            self.app.push_screen(InvocationsView(self.workspace, words))

    def action_edit(self) -> None:
        row = self._current()
        if row is not None and self.may_change():
            self._edit(row)

    def action_clear(self) -> None:
        row = self._current()
        if row is not None and self.may_change():
            self._clear(row, row.key)

    def action_clear_object(self) -> None:
        row = self._current()
        if row is not None and self.may_change():
            self._clear(row, None)

    # --- changing ----------------------------------------------------------------------------

    @work(group="changing")
    async def _edit(self, row: StateRow) -> None:
        try:
            before = await self._state_of(row)
        except ClientError as error:
            self.post_message(self.Done(str(error), failed=True))
            return
        value = before.get(row.key, row.value)
        try:
            text = editable(value)
        except ValueError as error:
            self.post_message(self.Done(str(error), failed=True))
            return
        title = f"{row.service_name}/{row.service_key}  {row.key}"
        edited = await self.app.push_screen_wait(Editor(title, text))
        if edited is None or edited == text:
            return
        try:
            after = edited_value(value, edited)
        except ValueError as error:
            self.post_message(self.Done(f"not written: {error}", failed=True))
            return
        await self._write(row, before, {**before, row.key: after})

    @work(group="changing")
    async def _clear(self, row: StateRow, name: str | None) -> None:
        """Clears one name of an object, or all; what is shown and confirmed, and nothing later."""
        place = f"{row.service_name}/{row.service_key}"
        try:
            before = await self._state_of(row)
        except ClientError as error:
            self.post_message(self.Done(str(error), failed=True))
            return
        cleared = {each: value for each, value in before.items() if name in (None, each)}
        question = f"Clear all state of {place}, {plural(len(cleared), 'value')}?"
        if name is not None:
            question = f"Clear this value of {place}?"
        lines = [f"{each} = {payload(value)}" for each, value in cleared.items()]
        if name is None:
            lines += ["", f"$ {rtour('kv', 'clear', place)}"]
        if cleared and await self.confirmed(question, lines):
            after = {each: value for each, value in before.items() if each not in cleared}
            await self._write(row, before, after)

    async def _state_of(self, row: StateRow) -> dict[str, bytes]:
        rows = await self.workspace.client.query.state(row.service_name, row.service_key)
        return {each.key: each.value for each in rows}

    async def _write(
        self, row: StateRow, before: dict[str, bytes], after: dict[str, bytes]
    ) -> None:
        client, service, key = self.workspace.client, row.service_name, row.service_key
        try:
            version = client.query.state_version(before)
            await client.admin.write_state(service, key, after, version)
            seen = await settled(
                client.query, service, key, before=before, after=after, sleep=self.workspace.sleep
            )
            behind = await holder(client.query, service, key) if seen is Settled.WAITING else None
        except ClientError as error:
            self.post_message(self.Done(str(error), failed=True))
            return
        text = f"{service}/{key}: {seen.value}" + (f" behind {behind}" if behind else "")
        self.post_message(self.Done(text, failed=seen is Settled.DROPPED))

    def equivalents(self) -> Equivalents:
        sql = StateListing(self._filter, 0, 100).sql()
        url = self.workspace.client.connection.admin_url
        row = self._current()
        words = []
        if row is not None:
            words = [
                rtour("kv", "get", row.service_name, row.service_key),
                rtour("kv", "get", "-w", row.service_name, row.service_key, row.key),
            ]
        return Equivalents(rtour=tuple(words), curl=(curl_query(url, sql),), sql=(sql,))


def editable(value: bytes) -> str:
    """A value as text to edit: all of it, and numbers as they were written."""
    if len(value) > MAX_EDITED:
        raise ValueError(f"{size(len(value))} is too much to edit here: rtour kv patch, kv set")
    try:
        return msgspec.json.format(value, indent=2).decode("utf-8")
    except msgspec.DecodeError:
        pass
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("this value is no text: rtour kv set --binary") from error


def edited_value(before: bytes, text: str) -> bytes:
    """The bytes to write: JSON stays JSON, in the compact form that SDKs write; text stays text."""
    try:
        msgspec.json.format(before)
    except msgspec.DecodeError:
        return text.encode()
    try:
        return msgspec.json.format(text, indent=-1).encode()
    except msgspec.DecodeError as error:
        raise ValueError(f"the value was JSON, and this is none: {error}") from error


def _quoted(text: str) -> str:
    return text if text.isidentifier() else "'" + text.replace("'", "'\"'\"'") + "'"


def _key(row: StateRow) -> str:
    return f"{row.service_name}\0{row.service_key}\0{row.key}"


def _row(row: StateRow, fresh: bool) -> Row:
    return Row(
        _key(row),
        (
            f"{row.service_name}/{row.service_key}",
            Piece(row.key, "name"),
            payload(row.value),
            Piece(size(size_of(row.value)), "quiet"),
        ),
        fresh,
    )
