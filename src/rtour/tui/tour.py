"""The guided tour on screen: the lesson, beside it what the engine does, below it what is missing.

The guide is the bundled tour's (see `rtour.cli.tour`), and comes in as it is. It decides; this
shows. All other views of the UI are a key away, on the learner's own engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Mount, Resize
from textual.message import Message
from textual.widgets import Markdown, Static

from rtour.client import Client
from rtour.client.equivalents import Equivalents, rtour
from rtour.client.journal import JournalEntry
from rtour.client.model import ClockReading, Invocation
from rtour.client.telling import note, result, status, subject, visible
from rtour.client.time import described, driven
from rtour.client.times import ago
from rtour.tui.app import RtourApp
from rtour.tui.paint import Piece, line, stack, status_piece
from rtour.tui.picking import Choice, Pick
from rtour.tui.tour_dialogs import Offer
from rtour.tui.tour_lines import PRINTED, Lines, Told, plain, ran_lines, verdict_lines
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

WIDE, NARROWEST = 110, 40
INVOCATIONS, LOG_LINES = 8, 30
KEYS = "↓ reads on, c lists the commands; enter checks what you did."
SOLVED = "Solved. Enter checks it."
LAST = "That was the last lesson. `rtour example` lists more to start from; q leaves."
CSS = """
#lesson { width: 1fr; padding: 0 1; }
#text { margin: 0; padding: 0; }
#text MarkdownH1 { content-align: left middle; margin: 0 0 1 0; }
#text MarkdownH2 { margin: 1 0; }
#text MarkdownFence > Label { padding: 0 2; }
#text MarkdownTableContent { keyline: none; grid-gutter: 0 1; }
#watch { width: 45%; border-left: vkey $panel; padding: 0 1; }
#watch Static { height: auto; margin-bottom: 1; }
#verdict { height: auto; max-height: 40%; border-top: hkey $panel; padding: 0 1; }
Pick { align: center middle; }
#watch:focus { border-left: vkey $accent; }
#verdict:focus { border-top: hkey $accent; }
#verdict-text { height: auto; }
TourView ToastRack { dock: top; }
.narrow #watch { display: none; }
.narrow.watching #watch { display: block; width: 1fr; border-left: none; }
.narrow.watching #lesson { display: none; }
"""


class Seen(msgspec.Struct, frozen=True):
    """What the engine does: invocations, the latest request's journal, the service's output."""

    invocations: list[Invocation]
    latest: Invocation | None
    journal: list[JournalEntry]
    log: list[str]
    clock: ClockReading | None


class TourView(View[None, Seen]):
    """One lesson at a time."""

    NAME = "tour"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "check", "Check"),
        Binding("h", "hint", "Hint"),
        Binding("s", "solve", "Solve"),
        Binding("n", "step(1)", "Next"),
        Binding("b", "step(-1)", "Prev"),
        Binding("w", "watch", "Watch"),
        Binding("l", "lessons", "Lessons"),
        Binding("tab", "app.focus_next", "Next panel", show=False),
        Binding("q", "app.quit", "Leave", show=False),
    ]

    class Answered(Message):
        """The guide has something to say; `passed` if the lesson is done."""

        def __init__(self, lines: list[Told], *, passed: bool = False) -> None:
            super().__init__()
            self.lines, self.passed = lines, passed

    def __init__(self, workspace: Workspace, guide: Any) -> None:
        super().__init__(workspace)
        self._guide = guide
        self._lesson = guide.current
        self._passed = False
        self._busy = False

    def body(self) -> ComposeResult:
        with Horizontal():
            with VerticalScroll(id="lesson"):
                yield Markdown(self._guide.text(self._lesson), id="text")
            with VerticalScroll(id="watch"):
                yield Static("", id="clock")
                yield Static("", id="invocations")
                yield Static("", id="latest")
                yield Static("", id="output")
        with VerticalScroll(id="verdict"):
            yield Static("", id="verdict-text")

    def on_mount(self) -> None:
        self._focus_reading()
        self._begin(self._guide.theatre.exports())

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "narrow")

    # --- what the engine does ----------------------------------------------------------------

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> Seen:
        del plan
        query = self.workspace.client.query
        clock = (await self.workspace.client.admin.version()).clock
        found = await query.invocations(limit=INVOCATIONS)
        latest = next((each for each in found if each.invoked_by == "ingress"), None)
        latest = latest or next(iter(found), None)
        journal = await query.journal(latest.id) if latest else []
        log = await asyncio.to_thread(self._guide.theatre.said, LOG_LINES)
        return Seen(found, latest, journal, log, clock)

    def show(self, plan: None, data: Seen) -> None:
        del plan
        self._show_clock(data.clock)
        rows = [self._row(each) for each in data.invocations]
        self._put("#invocations", "Invocations, newest first", rows)
        self.query_one("#latest").display = data.latest is not None
        if (latest := data.latest) is not None:
            steps = [self._step_line(latest, each) for each in data.journal if visible(each)]
            self._put("#latest", f"Journal of {latest.target}", steps)
        self._put("#output", "Your service says", [line(each) for each in data.log])

    def _show_clock(self, clock: ClockReading | None) -> None:
        """Says so when the engine's time is not that of the wall."""
        off = clock is not None and driven(clock)
        told = f"The engine's clock: {described(clock)}" if clock and off else ""
        where = self.query_one("#clock", Static)
        where.display = off
        where.update(line(Piece(told, "waiting")))

    def _put(self, where: str, title: str, lines: list[Any]) -> None:
        text = stack(
            line(Piece(title, "strong")), *(lines or [line(Piece("nothing yet", "quiet"))])
        )
        self.query_one(where, Static).update(text)

    def _row(self, each: Invocation) -> Any:
        record = msgspec.to_builtins(each, builtin_types=(type(each.created_at),))
        told = note(record, self._ago)
        return line(status_piece(status(record)), f"  {each.target}  ", Piece(told, "quiet"))

    def _step_line(self, latest: Invocation, entry: JournalEntry) -> Any:
        told = result(entry)
        arrow = f" → {told.text}" if told is not None and told.text else ""
        return line(
            f"{entry.index:>2} ",
            Piece(entry.kind, "name"),
            f" {subject(latest, entry, self._ago)}".rstrip(),
            arrow,
        )

    def _ago(self, at: Any) -> str:
        return ago(at, self.workspace.now()) if at else ""

    def equivalents(self) -> Equivalents:
        """The lesson's own commands, to be copied, and how to check it from the command line."""
        exports = "; ".join(self._guide.theatre.exports())
        todo = [*([exports] if exports else []), *self._guide.commands(self._lesson)]
        return Equivalents(rtour=(*todo, rtour("tour", "check", self._lesson.slug)))

    # --- the learner's keys ------------------------------------------------------------------

    def action_check(self) -> None:
        if self._passed:
            self.action_step(1)
        elif not self._busy:
            self._begin_work("checking …")
            self._check()

    def action_hint(self) -> None:
        """The same as failing once more: one hint more."""
        self._passed = False
        self.action_check()

    def action_solve(self) -> None:
        if not self._busy:
            self._solve()

    def action_watch(self) -> None:
        self.toggle_class("watching")
        self._focus_reading()
        self.action_read_now()  # what is there may be a second old

    def _focus_reading(self) -> None:
        """The arrow keys scroll what there is to read; tab leads to the other panels."""
        hidden = self.has_class("narrow") and self.has_class("watching")
        self.query_one("#watch" if hidden else "#lesson").focus()

    @work(group="guide")
    async def action_lessons(self) -> None:
        """Picks one from the list."""
        choices = [Choice(_lesson_row(row)) for row in self._guide.overview()]
        picked = await self.app.push_screen_wait(Pick("Lessons", choices))
        if picked is not None:
            self._go_to(self._guide.lessons[picked])

    def action_step(self, step: int) -> None:
        """To the next lesson, or the one before."""
        lesson = self._guide.neighbour(self._lesson, step)
        if lesson is not None:
            self._go_to(lesson)
        elif self._passed and step > 0:
            self._say(plain([LAST], "strong"))

    def _go_to(self, lesson: Any) -> None:
        if self._busy:
            return
        self._guide.move(lesson)
        self._lesson = lesson
        self.remove_class("watching")
        self.query_one("#text", Markdown).update(self._guide.text(lesson))
        self.query_one("#lesson").scroll_home(animate=False)
        self._focus_reading()
        self._begin()

    # --- the guide at work -------------------------------------------------------------------

    @work(group="guide")
    async def _check(self) -> None:
        verdict = await self._guide.check(self._lesson)
        lines = verdict_lines(self._guide, self._lesson, verdict)
        self.post_message(self.Answered(lines, passed=verdict.passed))

    @work(group="guide")
    async def _solve(self) -> None:
        if not await self.app.push_screen_wait(self._offer()):
            return
        self._begin_work("solving …")
        ran = await self._guide.solve(self._lesson, self._columns())
        told = [told for each in ran for told in ran_lines(each)]
        self.post_message(self.Answered([*plain([SOLVED], "strong"), *told]))

    def _columns(self) -> int:
        """How wide a command's output may be, to stand in the panel as it was printed."""
        panel = self.query_one("#verdict")
        around = panel.gutter.width + panel.styles.scrollbar_size_vertical + PRINTED
        return max(panel.outer_size.width - around, NARROWEST)

    def _offer(self) -> Offer:
        diff = self._guide.diff(self._lesson).splitlines()
        todo = [f"$ {each}" for each in self._guide.commands(self._lesson)]
        if not diff:
            return Offer("Run the commands of this lesson?", todo)
        folder = self._guide.folder / "app"
        then = ["", "and runs the commands of the lesson:", *todo] if todo else []
        return Offer(f"Put the solution into {folder}?", [*diff, *then])

    @on(Answered)
    def _on_answered(self, message: Answered) -> None:
        self._busy = False
        self._passed = message.passed
        self._say(message.lines)
        self.action_read_now()

    def _begin_work(self, text: str) -> None:
        self._busy = True
        self._say(plain([text], "busy"))

    def _begin(self, exports: Sequence[str] = ()) -> None:
        self._passed = False
        number, count = self._guide.number(self._lesson), len(self._guide.lessons)
        lines = [f"Lesson {number} of {count}. Your files: {self._guide.folder / 'app'}"]
        if exports:
            lines += ["In other terminals, first (c copies):", *exports]
        lines.append(KEYS)
        self._say(plain(lines))

    def _say(self, lines: list[Told]) -> None:
        self.query_one("#verdict-text", Static).update(Lines(lines))
        self.query_one("#verdict").scroll_home(animate=False)


def _lesson_row(row: dict[str, Any]) -> str:
    mark = "✔" if row["done"] else "▸" if row["current"] else " "
    return f"{mark} {row['number']:>2}  {row['title']}"


class TourApp(RtourApp):
    """The UI, opened at the tour: `0` comes back to it."""

    TITLE = "rtour tour"
    CSS = CSS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("0", "tour", "Tour", show=False)]

    def __init__(self, workspace: Workspace, guide: Any) -> None:
        super().__init__(workspace)
        self.add_mode("tour", lambda: TourView(workspace, guide))

    def on_mount(self, event: Mount | None = None) -> None:
        """Begins here, and not where the UI begins."""
        if event is not None:
            event.prevent_default()
        self.switch_mode("tour")

    def action_tour(self) -> None:
        """Back to the lesson."""
        self.switch_mode("tour")


def run(guide: Any) -> None:
    """Plays the tour until the learner leaves it; everything it has started ends with it."""
    asyncio.run(_run(guide))


async def _run(guide: Any) -> None:
    async with guide.open():
        await app_of(guide, guide.folder / ".tour" / "ui").run_async()


def app_of(guide: Any, folder: Path) -> TourApp:
    """The app on the theatre that is open."""
    log = guide.theatre.state / "server.log"
    workspace = Workspace(Client(guide.theatre.connection), folder=folder, log=log)
    return TourApp(workspace, guide)
