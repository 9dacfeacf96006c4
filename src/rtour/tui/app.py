"""The app: places, jumps between them, and the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen

from rtour.client import Client, Connection
from rtour.client.wording import shown
from rtour.tui.clock_commands import clock_commands
from rtour.tui.dashboard import DashboardView
from rtour.tui.deployments import DeploymentsView
from rtour.tui.dialogs import Jump, resolve_jump
from rtour.tui.invocation import InvocationView
from rtour.tui.invocations import InvocationsView
from rtour.tui.log import LogView
from rtour.tui.services import ServicesView
from rtour.tui.sql import SqlView
from rtour.tui.state import StateView
from rtour.tui.top_line import PLACES, PlaceWanted, TopLine, titled
from rtour.tui.typing_ahead import TypingAhead
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

VIEWS: dict[str, Callable[[Workspace], View[Any, Any]]] = {
    "invocations": InvocationsView,
    "services": ServicesView,
    "state": StateView,
    "deployments": DeploymentsView,
    "sql": SqlView,
    "dashboard": DashboardView,
    "log": LogView,
}


class RtourApp(TypingAhead):
    """A view of one server."""

    TITLE = "rtour"
    CSS_PATH = "rtour.tcss"
    # Keys of all views stand here, so that each view's own come first in the footer.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "screen.commands", "Commands"),
        Binding("colon", "screen.jump", "Go", key_display=":"),
        Binding("question_mark,f1", "screen.help", "Help", key_display="?"),
        *(Binding(key, f"place('{name}')", titled(name), show=False) for key, _, name in PLACES),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        for name, make in VIEWS.items():
            self.add_mode(name, _factory(make, workspace))

    def on_mount(self) -> None:
        self.switch_mode("invocations")

    async def on_unmount(self) -> None:
        await self.workspace.client.__aexit__()

    def action_help_quit(self) -> None:
        """Ctrl-c where it copies nothing: the end, as everywhere in a terminal."""
        self.exit()

    def action_place(self, name: str) -> None:
        """Goes to a place, at the top of it."""
        if name in VIEWS:
            self.switch_mode(name)

    @on(PlaceWanted)
    def _place_wanted(self, event: PlaceWanted) -> None:
        self.action_place(event.place)

    @on(Jump.Wanted)
    def _jump_wanted(self, event: Jump.Wanted) -> None:
        where = event.where
        if where.startswith("inv_"):
            self.push_screen(InvocationView(self.workspace, where))
        elif where in ("q", "quit"):
            self.exit()
        elif where == "write":
            self.workspace.read_only = False
            self.notify(f"changes to {self.workspace.host} are allowed until you leave")
            for line in self.screen.query(TopLine):
                line.refresh()
        elif name := resolve_jump(where):
            self.action_place(name)
        else:
            self.notify(f"no view '{where}'", severity="warning")

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Shows a note. It may repeat what strangers wrote: escaped, and never markup."""
        del markup
        text = shown(message, newlines=True)
        super().notify(text, title=title, severity=severity, timeout=timeout, markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Textual's own commands, and the places."""
        yield from super().get_system_commands(screen)
        for key, _, name in PLACES:
            help_text = f"Go to the {name} view (key {key})"
            yield SystemCommand(titled(name), help_text, lambda n=name: self.action_place(n))
        if isinstance(screen, View):
            yield SystemCommand(
                "As commands", "What is on screen, as rtour, curl, SQL", screen.action_commands
            )
            yield from clock_commands(screen)


def _factory(
    make: Callable[[Workspace], View[Any, Any]], workspace: Workspace
) -> Callable[[], Screen[Any]]:
    return lambda: make(workspace)


def run(admin_url: str, ingress_url: str) -> None:
    """Opens the UI on a server, until the user leaves it."""
    folder = Path.home() / ".local" / "state" / "rtour" / "ui"
    run_on(Connection(admin_url=admin_url, ingress_url=ingress_url), folder=folder)


def run_on(connection: Connection, *, folder: Path, log: Path | None = None) -> None:
    """The same, with a token, time limits, a folder for histories, and the server's log."""
    RtourApp(Workspace(Client(connection), folder=folder, log=log)).run()
