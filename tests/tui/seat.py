"""A seat before the terminal UI: keys in; text screens, messages and requests out.

The server is `tests.cli.fake_server`, which replays what the official one answered. Views read
only when a test presses a key: there is nothing to wait for but the work a key started.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input, TextArea

from rtour.client import Client, Connection
from rtour.tui.app import RtourApp
from rtour.tui.workspace import Workspace
from tests.cli.fake_server import INGRESS, FakeServer

LOCAL = "http://127.0.0.1:9070"
# Only a test that fails waits for so long; the machine may have much else to do.
LONGEST_S = 60


class Seat:
    """One app on one server."""

    def __init__(self, app: RtourApp, pilot: Pilot[Any], messages: list[Message]) -> None:
        self.app = app
        self.pilot = pilot
        self.messages = messages

    @property
    def text(self) -> str:
        """The screen, as text."""
        strips = self.app.screen._compositor.render_strips()
        lines = ("".join(segment.text for segment in strip) for strip in strips)
        return "\n".join(line.rstrip() for line in lines)

    @property
    def toasts(self) -> str:
        """What was notified, in order."""
        return "\n".join(note.message for note in self.app._notifications)

    def posted(self, kind: type[Message]) -> list[Any]:
        """The messages of a kind, oldest first."""
        return [message for message in self.messages if isinstance(message, kind)]

    async def press(self, *keys: str) -> str:
        """Presses keys one by one, waits for what they started, and gives the screen."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()
        return self.text

    async def type_ahead(self, *keys: str) -> str:
        """Presses keys faster than they can be handled, as SSH and pastes bring them."""
        for key in keys:
            self.app.post_message(Key(key, key if len(key) == 1 else None))
        await self.settle()
        return self.text

    async def fill(self, text: str) -> str:
        """Puts text into the field in focus, as pasting does."""
        field = self.app.focused
        assert isinstance(field, Input | TextArea)
        if isinstance(field, Input):
            field.value = text
        else:
            field.text = text
        await self.settle()
        return self.text

    async def go(self, where: str) -> str:
        """Goes somewhere by `:`."""
        await self.press("colon")
        await self.fill(where)
        return await self.press("enter")

    async def until(self, *words: str) -> str:
        """Refreshes until all words are on screen: a real server takes its time."""
        try:
            async with asyncio.timeout(LONGEST_S):
                while not all(word in self.text for word in words):
                    await self.press("r")
        except TimeoutError:
            pytest.fail(f"never on screen: {words}\n{self.text}")
        return self.text

    async def settle(self) -> None:
        """Waits until nothing is under way, but for dialogs that wait for the user."""
        async with asyncio.timeout(LONGEST_S):
            await self.pilot.pause()
            while self._busy():
                while self._busy():
                    # A loop without a rest would take the core that a real server needs.
                    await asyncio.sleep(0.001)
                # What has arrived is shown, and may ask for more.
                await self.pilot.pause()

    def _busy(self) -> bool:
        if self.app.behind:
            return True
        asking = isinstance(self.app.screen, ModalScreen)
        waiting = {"operating", "changing", "picking", "exporting"} if asking else set()
        return any(
            not worker.is_finished and worker.group not in waiting for worker in self.app.workers
        )


@asynccontextmanager
async def opened(
    server: FakeServer,
    folder: Path,
    *,
    admin_url: str = LOCAL,
    size: tuple[int, int] = (80, 24),
    log: Path | None = None,
) -> AsyncIterator[Seat]:
    """The app on a fake server, shown its first screen."""
    connection = Connection(admin_url=admin_url, ingress_url=INGRESS)
    workspace = Workspace(
        Client(connection, transport=server.transport()),
        now=lambda: server.now,
        sleep=lambda _: asyncio.sleep(0),
        refresh_s=None,
        folder=folder,
        log=log,
    )
    async with seated(workspace, size) as seat:
        yield seat


@asynccontextmanager
async def seated(workspace: Workspace, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seat]:
    """The app on any server, shown its first screen."""
    messages: list[Message] = []
    app = RtourApp(workspace)
    async with app.run_test(size=size, message_hook=messages.append) as pilot:
        seat = Seat(app, pilot, messages)
        await seat.settle()
        yield seat
