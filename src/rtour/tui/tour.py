"""The guided tour on screen: the lesson, beside it what the engine does, below it what is missing.

The guide is the bundled tour's (see `rtour.cli.tour`), and comes in as it is. It decides; this
shows. All other views of the UI are a key away, on the learner's own engine.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Mount, Resize
from textual.message import Message
from textual.widgets import Markdown, Static

from rtour.client import Client
from rtour.client.equivalents import Equivalents, rtour
from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation
from rtour.client.telling import note, result, status, subject, visible
from rtour.client.times import ago
from rtour.tui.app import RtourApp
from rtour.tui.paint import Piece, line, stack, status_piece
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

WIDE = 110
USUAL_PORTS = (8080, 9070)
INVOCATIONS, LOG_LINES = 8, 12
CSS = """
#lesson { width: 1fr; padding: 0 1; }
#text { margin: 0; padding: 0; }
#text MarkdownH1 { content-align: left middle; margin: 0 0 1 0; }
#watch { width: 45%; border-left: vkey $panel; padding: 0 1; }
#watch Static { height: auto; margin-bottom: 1; }
#verdict { height: auto; max-height: 40%; border-top: hkey $panel; padding: 0 1; }
#verdict-text { height: auto; }
.narrow #watch { display: none; }
.narrow.watching #watch { display: block; width: 1fr; border-left: none; }
.narrow.watching #lesson { display: none; }
"""


class Seen(msgspec.Struct, frozen=True):
    """What the engine does: invocations, the journal of the latest, the service's output."""

    invocations: list[Invocation]
    journal: list[JournalEntry]
    log: list[str]


class TourView(View[None, Seen]):
    """One lesson at a time."""

    NAME = "tour"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "check", "Check"),
        Binding("h", "hint", "Hint"),
        Binding("s", "solve", "Solve"),
        Binding("n", "step(1)", "Next"),
        Binding("b", "step(-1)", "Back"),
        Binding("w", "watch", "Watch"),
        Binding("l", "lessons", "Lessons"),
    ]

    class Told(Message):
        """The guide has something to say; `passed` if the lesson is done."""

        def __init__(self, lines: list[Piece], *, passed: bool = False) -> None:
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
            with VerticalScroll(id="watch", can_focus=False), Vertical():
                yield Static("", id="invocations")
                yield Static("", id="latest")
                yield Static("", id="output")
        with VerticalScroll(id="verdict", can_focus=False):
            yield Static("", id="verdict-text")

    def on_mount(self) -> None:
        self.query_one("#lesson").focus()
        self._begin()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "narrow")

    # --- what the engine does ----------------------------------------------------------------

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> Seen:
        del plan
        query = self.workspace.client.query
        found = await query.invocations(limit=INVOCATIONS)
        journal = await query.journal(found[0].id) if found else []
        log = await asyncio.to_thread(self._guide.theatre.log_lines, "service", LOG_LINES)
        return Seen(found, journal, log)

    def show(self, plan: None, data: Seen) -> None:
        del plan
        rows = [self._row(each) for each in data.invocations]
        self._put("#invocations", "Invocations", rows)
        if data.invocations:
            latest = data.invocations[0]
            steps = [self._step_line(latest, each) for each in data.journal if visible(each)]
            self._put("#latest", f"Journal of {latest.target}", steps)
        self._put("#output", "Your service says", [line(each) for each in data.log])

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
        arrow = f" → {told.text}" if told is not None else ""
        return line(
            f"{entry.index:>2} ",
            Piece(entry.kind, "name"),
            f" {subject(latest, entry, self._ago)}",
            arrow,
        )

    def _ago(self, at: Any) -> str:
        return ago(at, self.workspace.now()) if at else ""

    def equivalents(self) -> Equivalents:
        """What is on screen, from the command line."""
        return Equivalents(rtour=(rtour("tour", "check", self._lesson.slug),))

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

    def action_lessons(self) -> None:
        rows = self._guide.overview()
        self.post_message(self.Told([_lesson_row(row) for row in rows]))

    def action_step(self, step: int) -> None:
        """To the next lesson, or the one before."""
        lesson = self._guide.neighbour(self._lesson, step)
        if lesson is None or self._busy:
            return
        self._guide.move(lesson)
        self._lesson = lesson
        self.remove_class("watching")
        self.query_one("#text", Markdown).update(self._guide.text(lesson))
        self.query_one("#lesson").scroll_home(animate=False)
        self._begin()

    # --- the guide at work -------------------------------------------------------------------

    @work(group="guide")
    async def _check(self) -> None:
        verdict = await self._guide.check(self._lesson)
        lines = verdict_pieces(self._guide, self._lesson, verdict)
        self.post_message(self.Told(lines, passed=verdict.passed))

    @work(group="guide")
    async def _solve(self) -> None:
        diff = self._guide.diff(self._lesson).splitlines()
        folder = self._guide.folder / "app"
        if not await self.confirmed(
            f"Put the solution into {folder}?", diff or ["run its commands"]
        ):
            return
        self._begin_work("solving …")
        ran = await self._guide.solve(self._lesson)
        told = [Piece(f"$ {each.command}", "name" if each.code == 0 else "bad") for each in ran]
        self.post_message(self.Told([*told, Piece("Enter checks it.", "quiet")]))

    @on(Told)
    def _on_told(self, message: Told) -> None:
        self._busy = False
        self._passed = message.passed
        self._say(message.lines)

    def _begin_work(self, text: str) -> None:
        self._busy = True
        self._say([Piece(text, "busy")])

    def _begin(self) -> None:
        self._passed = False
        number, count = self._guide.number(self._lesson), len(self._guide.lessons)
        lines = [f"Lesson {number} of {count}. Your files: {self._guide.folder / 'app'}"]
        where = self._guide.theatre.connection
        if self._guide.theatre.ports[:2] != USUAL_PORTS:
            lines.append(
                "In other terminals, first: export "
                f"RTOUR_ADMIN_URL={where.admin_url} RTOUR_INGRESS_URL={where.ingress_url}"
            )
        lines.append("Enter checks what you did.")
        self._say([Piece(each, "quiet") for each in lines])

    def _say(self, lines: list[Piece]) -> None:
        self.query_one("#verdict-text", Static).update(stack(*(line(each) for each in lines)))
        self.query_one("#verdict").scroll_home(animate=False)


def verdict_pieces(guide: Any, lesson: Any, verdict: Any) -> list[Piece]:
    """What is done, what is missing, and as many hints as were earned."""
    lines = [Piece(f"✔ {text}", "good") for text in verdict.done]
    if verdict.passed:
        return [*lines, Piece("Done. Enter goes on.", "strong")]
    lines += [Piece(f"✘ expected  {verdict.expected}", "bad"), Piece(f"  seen      {verdict.seen}")]
    hints = [text for hint in guide.help(lesson, verdict) for text in hint.splitlines()]
    return [*lines, *(Piece(f"  hint      {hint}", "waiting") for hint in hints)]


def _lesson_row(row: dict[str, Any]) -> Piece:
    mark = "✔" if row["done"] else "▸" if row["current"] else " "
    return Piece(f"{mark} {row['number']:>2}  {row['title']}", "good" if row["done"] else "plain")


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
