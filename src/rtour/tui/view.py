"""A view: reads, shows, and reads again; keeps what it shows while the server is away.

    plan()        on the screen's side: what to read, as plain values
    read(plan)    in a worker: asks the server, touches no widget
    show(plan, d) on the screen's side: puts the answer on screen

The next reading starts when the last one was shown, after the pace of the workspace or four times
as long as the reading took: a slow server is asked less often. Never are two under way: what is
wanted meanwhile (a filter typed letter by letter, a list scrolled) is one reading afterwards, since
a query that is given up costs the server more than one that is answered.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from rtour.client import ClientError, Unreachable
from rtour.client.equivalents import Equivalents
from rtour.tui.dialogs import CommandsPanel, Confirm, HelpScreen, Jump
from rtour.tui.key_line import KeyLine
from rtour.tui.top_line import TopLine
from rtour.tui.workspace import Workspace

P = TypeVar("P")
D = TypeVar("D")
SLOWEST_S = 30.0


class View(Screen[None], Generic[P, D]):
    """One place of the UI."""

    NAME: ClassVar[str] = ""
    AUTO_REFRESH: ClassVar[bool] = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", show=False),
        Binding("r", "read_now", "Refresh", show=False),
    ]

    class Arrived(Message):
        """What was read."""

        def __init__(self, plan: Any, data: Any, took_s: float) -> None:
            super().__init__()
            self.plan, self.data, self.took_s = plan, data, took_s

    class ReadFailed(Message):
        """What went wrong while reading."""

        def __init__(self, error: ClientError, took_s: float) -> None:
            super().__init__()
            self.error, self.took_s = error, took_s

    class Done(Message):
        """A change was made."""

        def __init__(self, text: str, *, failed: bool = False) -> None:
            super().__init__()
            self.text, self.failed = text, failed

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        self._next: Timer | None = None
        self._away = False
        self._under_way = False
        self._again = False

    def compose(self) -> ComposeResult:
        yield TopLine(self.workspace, self.NAME)
        yield from self.body()
        yield KeyLine()

    # --- what each view says for itself ------------------------------------------------------

    def body(self) -> ComposeResult:
        """The widgets between the top line and the keys."""
        raise NotImplementedError

    def plan(self) -> P:
        """What to read next."""
        raise NotImplementedError

    async def read(self, plan: P) -> D:
        """Reads; runs in a worker and touches no widget."""
        raise NotImplementedError

    def show(self, plan: P, data: D) -> None:
        """Puts what was read on screen."""
        raise NotImplementedError

    def equivalents(self) -> Equivalents:
        """How to get what is on screen without this UI."""
        return Equivalents()

    # --- reading -----------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.action_read_now()

    def on_screen_resume(self) -> None:
        if not self.is_mounted:
            return
        self.top_line.refresh()
        if self.AUTO_REFRESH:
            self.action_read_now()

    def on_screen_suspend(self) -> None:
        self._stop()

    def action_read_now(self) -> None:
        self._stop()
        if self._under_way:
            self._again = True
            return
        self._under_way, self._again = True, False
        self._reading(self.plan())

    @work(group="reading")
    async def _reading(self, plan: P) -> None:
        started = monotonic()
        try:
            await self.workspace.look_at_clock()
            data = await self.read(plan)
        except ClientError as error:
            self.post_message(self.ReadFailed(error, monotonic() - started))
        else:
            self.post_message(self.Arrived(plan, data, monotonic() - started))

    @on(Arrived)
    def _on_arrived(self, message: Arrived) -> None:
        if self._away:
            self._away = False
            self.workspace.forget_clock()
            self.notify("the server is back")
        self.top_line.say("")
        self.show(message.plan, message.data)
        self._later(message.took_s)

    @on(ReadFailed)
    def _on_read_failed(self, message: ReadFailed) -> None:
        self._away = self._away or isinstance(message.error, Unreachable)
        self.top_line.say(f"✗ {message.error}", alarm=True)
        # Knocking at a closed door costs nobody anything.
        self._later(0.0 if self._away else message.took_s)

    def _later(self, took_s: float) -> None:
        self._under_way = False
        if self._again:
            self.action_read_now()
            return
        pace = self.workspace.refresh_s
        if pace is None or not self.is_current or not (self.AUTO_REFRESH or self._away):
            return
        self._stop()
        self._next = self.set_timer(min(SLOWEST_S, max(pace, 4 * took_s)), self.action_read_now)

    def _stop(self) -> None:
        if self._next is not None:
            self._next.stop()
            self._next = None

    # --- keys all views have -----------------------------------------------------------------

    @property
    def top_line(self) -> TopLine:
        """The line that says where we are and how the server is."""
        return self.query_one(TopLine)

    def action_back(self) -> None:
        focused = self.focused
        if isinstance(focused, Widget) and "typing" in focused.classes:
            self.set_focus(None)
            self.focus_main()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def focus_main(self) -> None:
        """Where the focus goes when a field is left."""

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(self.active_bindings))

    def action_commands(self) -> None:
        self.app.push_screen(CommandsPanel(self.equivalents()))

    def action_jump(self) -> None:
        self.app.push_screen(Jump(), self._jumped)

    def _jumped(self, where: str | None) -> None:
        if where:
            self.app.post_message(Jump.Wanted(where))

    # --- changing things ---------------------------------------------------------------------

    def may_change(self) -> bool:
        """Whether the server may be changed; says so if not."""
        if self.workspace.read_only:
            self.notify(
                f"{self.workspace.host} is not this machine: read-only. "
                "`:write` allows changes until you leave.",
                severity="warning",
            )
        return not self.workspace.read_only

    async def confirmed(self, question: str, lines: list[str]) -> bool:
        """Asks before something that cannot be undone; call it from a worker."""
        return await self.app.push_screen_wait(Confirm(question, lines)) is True

    @on(Done)
    def _on_done(self, message: Done) -> None:
        self.notify(message.text, severity="error" if message.failed else "information")
        self.action_read_now()
