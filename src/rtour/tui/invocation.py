"""One invocation: its journal walked entry by entry, live, and back in time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.css.query import NoMatches
from textual.widgets import Static, TabbedContent, TabPane

from rtour.client import ClientError
from rtour.client.awaited import awaited, awakeables
from rtour.client.equivalents import Equivalents, curl, curl_query, rtour
from rtour.client.family import family, first_caller
from rtour.client.journal import JournalEntry, JournalEvent
from rtour.client.model import Invocation, StateRow
from rtour.client.query import quote, select
from rtour.client.rewinding import journal_after, state_after
from rtour.client.telling import status
from rtour.client.times import duration
from rtour.client.why import Reason, explain
from rtour.tui.dialogs import Document, Editor
from rtour.tui.entry_text import entry_text, event_text
from rtour.tui.family_rows import family_rows
from rtour.tui.grid import Column, Grid
from rtour.tui.journal_rows import entry_of, event_of, journal_rows
from rtour.tui.operating import OperatingView
from rtour.tui.paint import Piece, line, stack, status_piece
from rtour.tui.record_text import record_text
from rtour.tui.state_text import state_text
from rtour.tui.timeline import timeline
from rtour.tui.workspace import Workspace

JOURNAL = (
    Column(title="#", widest=4, right=True),
    Column(title="ENTRY", widest=14),
    Column(title="WHAT", grow=1),
    Column(title="AT", widest=7, right=True, from_width=44),
)
FAMILY = (Column(title="WHO CALLED WHOM", grow=1), Column(title="STATUS", widest=13))
TABS = ("entry", "time", "family", "state")


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation and all that belongs to it."""

    invocation: Invocation
    journal: list[JournalEntry]
    events: list[JournalEvent]
    reason: Reason
    root: Invocation
    called: dict[str, list[Invocation]]
    state: list[StateRow]


class Plan(msgspec.Struct, frozen=True):
    """Which invocation; and what is known of it, so that a large journal is read only once."""

    id: str
    known: Story | None


class InvocationView(OperatingView[Plan, Story | None]):
    """The journal on the left, the entry under the cursor and its surroundings on the right."""

    NAME = "invocations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l,right", "tab(1)", "Next tab"),
        Binding("h,left", "tab(-1)", "Previous tab", show=False),
        Binding("t", "rewind", "Time travel"),
        Binding("u", "caller", "Caller", show=False),
        Binding("o", "resolve", "Resolve the awakeable it waits for", show=False),
        Binding("d", "describe", "Describe", show=False),
        Binding("J", "scroll_detail(3)", "Scroll the entry down", show=False),
        Binding("I", "scroll_detail(-3)", "Scroll the entry up", show=False),
    ]

    def __init__(self, workspace: Workspace, invocation_id: str) -> None:
        super().__init__(workspace)
        self.invocation_id = invocation_id
        self._story: Story | None = None
        self._rewound = False

    def body(self) -> ComposeResult:
        yield Static("", id="about")
        with Horizontal():
            yield Grid(JOURNAL, id="journal")
            with TabbedContent(id="tabs"):
                with TabPane("Entry", id="entry"), VerticalScroll(can_focus=False):
                    yield Static("", id="entry-text")
                with TabPane("Time", id="time"), VerticalScroll(can_focus=False):
                    yield Static("", id="time-text")
                with TabPane("Family", id="family"):
                    yield Grid(FAMILY, id="family-tree")
                with TabPane("State", id="state"), VerticalScroll(can_focus=False):
                    yield Static("", id="state-text")

    def on_mount(self) -> None:
        self.journal.empty = "reading the journal"
        self.journal.focus()
        super().on_mount()

    @property
    def journal(self) -> Grid:
        """The list of entries."""
        return self.query_one("#journal", Grid)

    # --- reading -----------------------------------------------------------------------------

    def plan(self) -> Plan:
        return Plan(self.invocation_id, self._story)

    async def read(self, plan: Plan) -> Story | None:
        query, known = self.workspace.client.query, plan.known
        invocation = await query.invocation(plan.id)
        if invocation is None:
            return None
        same = known is not None and _version(known.invocation) == _version(invocation)
        reason, root, state, events = await asyncio.gather(
            explain(query, invocation, self.workspace.now()),
            first_caller(query, invocation),
            self._state(invocation),
            query.events(plan.id),
        )
        return Story(
            invocation=invocation,
            journal=known.journal if known and same else await query.journal(plan.id, heads=True),
            events=events,
            reason=reason,
            root=root,
            called=await family(query, root),
            state=state,
        )

    async def _state(self, invocation: Invocation) -> list[StateRow]:
        if invocation.target_service_key is None:
            return []
        return await self.workspace.client.query.state(
            invocation.target_service_name, invocation.target_service_key, heads=True
        )

    # --- showing -----------------------------------------------------------------------------

    def show(self, plan: Plan, data: Story | None) -> None:
        if data is None:
            gone = "It is gone: ended without retention, or purged." if self._story else "unknown"
            self.top_line.say(f"{plan.id}: {gone}", alarm=True)
            return
        self._story = data
        self._show_all(data)

    def _show_all(self, story: Story) -> None:
        self.query_one("#about", Static).update(self._about(story))
        self._show_journal(story)
        rows = family_rows(story.root, story.called, story.invocation.id)
        self.query_one("#family-tree", Grid).load(rows)
        self._show_detail()

    def _show_journal(self, story: Story) -> None:
        self.journal.empty = "no journal: it has not started, or was kept without one"
        now, entry = self.workspace.now(), self._entry()
        until = entry.index if entry and self._rewound else None
        self.journal.load(
            journal_rows(story.invocation, story.journal, story.events, now, until=until)
        )

    def _about(self, story: Story) -> Text:
        invocation = story.invocation
        name = status(msgspec.structs.asdict(invocation))
        took = ""
        if invocation.completed_at:
            took = f" took {duration(invocation.completed_at - invocation.created_at)}"
        head = line(status_piece(name), "  ", Piece(invocation.target, "strong"), took)
        lines = [head, line(Piece(invocation.id, "quiet")), line(story.reason.sentence)]
        if self._rewound:
            entry = self._entry()
            after = f"entry {entry.index}" if entry else "the start"
            lines[1] = line(Piece(f"⏪ as it was after {after}; j/k steps, t returns", "waiting"))
        return stack(*lines)

    @on(Grid.Moved, "#journal")
    def _moved(self) -> None:
        self._show_detail()
        if self._rewound and self._story:
            self.query_one("#about", Static).update(self._about(self._story))
            self._show_journal(self._story)

    def _show_detail(self) -> None:
        story = self._story
        if story is None:
            return
        now, entry = self.workspace.now(), self._entry()
        entries = story.journal
        if self._rewound and entry is not None:
            entries = journal_after(entries, entry.index)
            entry = next((each for each in entries if each.index == entry.index), entry)
        event = event_of(story.events, self.journal.row)
        detail = Text()
        if event is not None:
            detail = event_text(event)
        elif entry is not None:
            detail = entry_text(story.invocation, entry, now)
        try:
            width = self.query_one("#tabs").size.width - 4
            self.query_one("#entry-text", Static).update(detail)
            bars = timeline(story.invocation, entries, story.events, now, width)
            self.query_one("#time-text", Static).update(bars)
            self.query_one("#state-text", Static).update(self._state_text(story))
        except NoMatches:
            return  # the tabs are not mounted yet; the next reading shows it

    def _state_text(self, story: Story) -> Text:
        entry = self._entry()
        if self._rewound and entry is not None:
            then = state_after(story.journal, entry.index)
            return state_text(then, f"after entry {entry.index}, as far as the journal tells")
        current: dict[str, bytes | None] = {row.key: row.value for row in story.state}
        key = story.invocation.target_service_key
        if key is None:
            return line(Piece("a plain service: no state", "quiet"))
        return state_text(current, f"{story.invocation.target_service_name}/{key}, now")

    def _entry(self) -> JournalEntry | None:
        story = self._story
        return entry_of(story.journal, self.journal.row) if story else None

    # --- keys --------------------------------------------------------------------------------

    def action_tab(self, by: int) -> None:
        tabs = self.query_one("#tabs", TabbedContent)
        tabs.active = TABS[(TABS.index(tabs.active) + by) % len(TABS)]
        # In the tree j, k and enter are for those that are in it.
        main = self.query_one("#family-tree", Grid) if tabs.active == "family" else self.journal
        main.focus()

    def action_rewind(self) -> None:
        self._rewound = not self._rewound
        self.set_class(self._rewound, "rewound")
        if self._story:
            self._show_all(self._story)

    def action_scroll_detail(self, by: int) -> None:
        tabs = self.query_one("#tabs", TabbedContent)
        for scroll in tabs.query(f"#{tabs.active} VerticalScroll").results(VerticalScroll):
            scroll.scroll_relative(y=by, animate=False)

    @on(Grid.Opened, "#journal")
    def _entry_opened(self) -> None:
        """Follows a call; shows anything else in full."""
        story, entry = self._story, self._entry()
        if story is None:
            return
        if entry is not None and entry.invocation_id and entry.kind in ("Call", "OneWayCall"):
            self._follow(entry.invocation_id)
        elif (event := event_of(story.events, self.journal.row)) is not None:
            self.app.push_screen(Document("Beside the journal", event_text(event)))
        elif entry is not None:
            text = entry_text(story.invocation, entry, self.workspace.now())
            self.app.push_screen(Document(f"Entry {entry.index}", text))

    @on(Grid.Opened, "#family-tree")
    def _relative_opened(self, event: Grid.Opened) -> None:
        self._follow(event.row.key)

    def action_caller(self) -> None:
        if self._story and self._story.invocation.invoked_by_id:
            self._follow(self._story.invocation.invoked_by_id)
        else:
            self.notify("it was called from outside")

    def _follow(self, invocation_id: str) -> None:
        if invocation_id != self.invocation_id:
            self.app.push_screen(InvocationView(self.workspace, invocation_id))

    def action_describe(self) -> None:
        if self._story:
            record = msgspec.structs.asdict(self._story.invocation)
            self.app.push_screen(Document(self.invocation_id, record_text(record)))

    def action_resolve(self) -> None:
        if self._story is None:
            self.notify("it waits for no awakeable")
        elif self.may_change():
            self._resolve(self._story.invocation)

    @work(group="changing")
    async def _resolve(self, invocation: Invocation) -> None:
        try:
            waiting_on = await awaited(self.workspace.client.query, invocation)
        except ClientError as error:
            self.post_message(self.Done(f"not resolved: {error}", failed=True))
            return
        waits = awakeables(invocation, waiting_on)
        if waits:
            await self._ask_and_resolve(waits[0])
        else:
            self.notify("it waits for no awakeable")

    async def _ask_and_resolve(self, awakeable: str) -> None:
        title = f"JSON that resolves {awakeable}"
        text = await self.app.push_screen_wait(Editor(title, "null"))
        if text is None:
            return
        try:
            body = msgspec.json.format(text, indent=-1).encode()
            await self.workspace.client.ingress.resolve_awakeable(awakeable, body)
        except (ClientError, msgspec.DecodeError) as error:
            self.post_message(self.Done(f"not resolved: {error}", failed=True))
        else:
            self.post_message(self.Done(f"{awakeable} resolved"))

    def chosen(self) -> list[Invocation]:
        return [self._story.invocation] if self._story else []

    def equivalents(self) -> Equivalents:
        sql = select("*", "sys_journal", [f"id = {quote(self.invocation_id)}"], "index")
        urls = self.workspace.client.connection
        words = [rtour("invocations", "describe", self.invocation_id)]
        words += [
            rtour("why", self.invocation_id),
            rtour("invocations", "tree", self.invocation_id),
        ]
        if self._story and self._story.reason.next:
            words.append(self._story.reason.next)
        cancel = f"{urls.admin_url}/invocations/{self.invocation_id}/cancel"
        curls = (curl_query(urls.admin_url, sql), curl("PATCH", cancel))
        return Equivalents(rtour=tuple(dict.fromkeys(words)), curl=curls, sql=(sql,))


def _version(invocation: Invocation) -> tuple[object, ...]:
    """What changes whenever the journal does."""
    return (invocation.status, invocation.modified_at, invocation.journal_size)
