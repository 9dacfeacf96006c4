"""Invocations: a live list to filter, sort, select in, and act on."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from rtour.client.equivalents import Equivalents, curl, curl_query, rtour
from rtour.client.filtering import list_options
from rtour.client.listing import Census, Listing, Order, census, listing
from rtour.client.model import Invocation
from rtour.client.telling import note, status
from rtour.client.times import ago, duration
from rtour.client.wording import first_line
from rtour.tui.grid import Column, Grid, Row, Window
from rtour.tui.invocation import InvocationView
from rtour.tui.operating import OperatingView
from rtour.tui.paint import SIGNS, TONES, Piece, line, status_piece
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

COLUMNS = (
    Column(title="STATUS", widest=13),
    Column(title="TARGET", grow=1),
    Column(title="AGE", widest=8, right=True),
    Column(title="NOTE", grow=1),
    Column(title="TRIES", widest=5, right=True, from_width=110),
    Column(title="ID", widest=38, from_width=130),
)


class Plan(msgspec.Struct, frozen=True):
    """What to read: the filter, the order, the rows."""

    filter: str
    order: Order
    window: Window


class Seen(msgspec.Struct, frozen=True):
    """What was read."""

    census: Census
    rows: list[Invocation]


class InvocationsView(OperatingView[Plan, Seen]):
    """The list."""

    NAME = "invocations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "sort", "Sort", show=False),
        Binding("enter", "open", "Open", show=False),
        Binding("d", "open", "Describe", show=False),
        Binding("a", "all", "Show completed ones too or not", show=False),
    ]

    def __init__(self, workspace: Workspace, start_filter: str = "") -> None:
        super().__init__(workspace)
        self._filter = start_filter
        self._order = Order.NEWEST
        self._unfinished_only = False
        self._known: dict[str, Invocation] = {}

    def body(self) -> ComposeResult:
        yield Static("", id="census")
        yield Input(
            self._filter,
            placeholder="text, status:running,failed service:Cart key:Mary handler:add",
            id="filter",
            classes="typing",
        )
        yield Grid(COLUMNS, selectable=True, id="list")

    def on_mount(self) -> None:
        self.query_one("#filter").display = bool(self._filter)
        self.grid.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        """The list itself."""
        return self.query_one("#list", Grid)

    def focus_main(self) -> None:
        self.query_one("#filter").display = bool(self._filter)
        self.grid.focus()

    # --- reading and showing -----------------------------------------------------------------

    def plan(self) -> Plan:
        return Plan(self._whole_filter(), self._order, self.grid.window)

    async def read(self, plan: Plan) -> Seen:
        query = self.workspace.client.query
        counted, rows = await asyncio.gather(
            census(query, plan.filter),
            listing(query, Listing(plan.filter, plan.order, plan.window.first, plan.window.count)),
        )
        return Seen(counted, rows)

    def show(self, plan: Plan, data: Seen) -> None:
        now = self.workspace.now()
        # Selected ones may have left the window, and are still to be acted upon.
        kept = {key: self._known[key] for key in self.grid.selected if key in self._known}
        self._known = kept | {each.id: each for each in data.rows}
        rows = [_row(each, now) for each in data.rows]
        self.grid.empty = (
            "nothing matches; esc clears the filter"
            if plan.filter
            else "none yet: 4 registers a deployment, 2 calls a handler"
        )
        self.grid.load(rows, first=plan.window.first, total=data.census.total)
        self._show_census(data.census)

    def _show_census(self, seen: Census) -> None:
        pieces: list[Piece | str] = [" "]
        words = len("  ".join(f"● {n} {name}" for name, n in seen.by_status.items()))
        named = words + 12 < self.size.width
        for name, count in seen.by_status.items():
            sign, tone = SIGNS.get(name, "?"), TONES.get(name, "plain")
            pieces += [Piece(f"{sign} {count}{f' {name}' if named else ''}", tone), "  "]
        if not seen.by_status:
            pieces.append(Piece("no invocations", "quiet"))
        order = "" if self._order is Order.NEWEST else f"by {self._order.value}  "
        chosen = f"{len(self.grid.selected)} selected  " if self.grid.selected else ""
        some = "unfinished only  " if self._unfinished_only else ""
        pieces.append(Piece(f"{chosen}{order}{some}", "strong"))
        self.query_one("#census", Static).update(line(*pieces))

    def _whole_filter(self) -> str:
        return f"{self._filter} {'is:unfinished' if self._unfinished_only else ''}".strip()

    @on(Grid.WindowWanted)
    def _window_wanted(self) -> None:
        self.action_read_now()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        self.app.push_screen(InvocationView(self.workspace, event.row.key))

    def action_open(self) -> None:
        self.grid.action_open()

    # --- filter and order --------------------------------------------------------------------

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        if event.value != self._filter:
            self._filter = event.value
            self.grid.go_to(0)
            self.action_read_now()

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self.focus_main()

    def action_back(self) -> None:
        if self.focused is self.grid and self.grid.selected:
            self.grid.selected.clear()
            self.grid.refresh()
        elif self._filter:
            self.query_one("#filter", Input).value = ""
            self._filter = ""
            self.focus_main()
            self.action_read_now()
        else:
            super().action_back()

    def action_sort(self) -> None:
        orders = list(Order)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.grid.go_to(0)
        self.action_read_now()

    def action_all(self) -> None:
        self._unfinished_only = not self._unfinished_only
        self.grid.go_to(0)
        self.action_read_now()

    def chosen(self) -> list[Invocation]:
        return [self._known[row.key] for row in self.grid.chosen() if row.key in self._known]

    @on(View.Done)
    def _cleared(self) -> None:
        self.grid.selected.clear()

    def equivalents(self) -> Equivalents:
        window = self.grid.window
        sql = Listing(self._whole_filter(), self._order, window.first, 100).sql()
        admin_url = self.workspace.client.connection.admin_url
        options = list_options(self._whole_filter())
        commands = [rtour("sql", sql)]
        if options is not None:
            commands = [rtour("invocations", "list", *options, "-w")]
        curls = [curl_query(admin_url, sql)]
        for row in self.grid.chosen()[:1]:
            commands += [rtour("invocations", "describe", row.key), rtour("why", row.key)]
            curls.append(curl("PATCH", f"{admin_url}/invocations/{row.key}/cancel"))
        return Equivalents(rtour=tuple(commands), curl=tuple(curls), sql=(sql,))


def _note(invocation: Invocation, now: datetime) -> str:
    """As `rtour invocations list` has it, but the error first: here the end may be cut."""

    def at(instant: datetime | None) -> str:
        return ago(instant, now) if instant else ""

    if invocation.status != "backing-off" or not invocation.last_failure:
        text = note(msgspec.structs.asdict(invocation), at)
    else:
        again = f", next {at(invocation.next_retry_at)}" if invocation.next_retry_at else ""
        failure = first_line(invocation.last_failure)
        text = f"{failure}  (attempt {invocation.retry_count or 1}{again})"
    # What every exception is told with says nothing.
    return text.removeprefix("[500 Internal] ")


def _row(invocation: Invocation, now: datetime) -> Row:
    record = msgspec.structs.asdict(invocation)
    tries = invocation.retry_count or 0
    text = _note(invocation, now)
    return Row(
        invocation.id,
        (
            status_piece(status(record)),
            invocation.target,
            Piece(duration(now - invocation.created_at), "quiet"),
            Piece(
                text, "bad" if invocation.last_failure or invocation.completion_failure else "quiet"
            ),
            Piece(str(tries) if tries > 1 else "", "quiet"),
            Piece(invocation.id, "quiet"),
        ),
    )
