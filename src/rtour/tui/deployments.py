"""Deployments: where services live, whether they are drained; register and remove."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from rtour.client import ClientError
from rtour.client.equivalents import Equivalents, curl, rtour
from rtour.client.model import Deployment
from rtour.client.times import duration
from rtour.client.wording import plural
from rtour.tui.dialogs import Ask, Document
from rtour.tui.grid import Column, Grid, Row
from rtour.tui.invocations import InvocationsView
from rtour.tui.paint import Piece, line, stack
from rtour.tui.record_text import record_text
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

COLUMNS = (
    Column(title="ENDPOINT", grow=2),
    Column(title="SERVICES", grow=2),
    Column(title="AGE", widest=10, right=True),
    Column(title="WORK", widest=14),
    Column(title="SDK", widest=24, from_width=110),
    Column(title="ID", widest=30, from_width=130),
)


class Seen(msgspec.Struct, frozen=True):
    """The deployments, how much each still has to do, and which serve the latest revisions."""

    deployments: list[Deployment]
    unfinished: dict[str, int]
    current: frozenset[str]


class DeploymentsView(View[None, Seen]):
    """One row per deployment, and the one under the cursor below."""

    NAME = "deployments"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "register", "Register"),
        Binding("enter", "open", "Open", show=False),
        Binding("d", "describe", "Describe"),
        Binding("x", "remove", "Remove"),
        Binding("i", "invocations", "Invocations"),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._seen: Seen | None = None

    def body(self) -> ComposeResult:
        yield Grid(COLUMNS, id="deployments")
        with VerticalScroll(can_focus=False, id="value"):
            yield Static("", id="about-deployment")

    def on_mount(self) -> None:
        self.grid.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        """The list."""
        return self.query_one("#deployments", Grid)

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> Seen:
        del plan
        client = self.workspace.client
        deployments, unfinished, services = await asyncio.gather(
            client.admin.deployments(),
            client.query.unfinished_by_deployment(),
            client.admin.services(),
        )
        current = frozenset(service.deployment_id for service in services)
        return Seen(deployments, unfinished, current)

    def show(self, plan: None, data: Seen) -> None:
        del plan
        self._seen = data
        self.grid.empty = "no deployments; n registers one"
        now = self.workspace.now()
        rows = [
            Row(
                each.id,
                (
                    each.endpoint,
                    ", ".join(service.name for service in each.services),
                    Piece(duration(now - each.created_at), "quiet"),
                    _work(each, data),
                    Piece(each.sdk_version or "", "quiet"),
                    Piece(each.id, "quiet"),
                ),
            )
            for each in data.deployments
        ]
        self.grid.load(rows)
        self._show_about()

    @on(Grid.Moved)
    def _show_about(self) -> None:
        deployment = self._current()
        text = _about(deployment, self._seen) if deployment and self._seen else Text()
        self.query_one("#about-deployment", Static).update(text)

    def _current(self) -> Deployment | None:
        if self._seen is None or self.grid.row is None:
            return None
        key = self.grid.row.key
        return next((each for each in self._seen.deployments if each.id == key), None)

    # --- keys --------------------------------------------------------------------------------

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.action_describe()

    def action_open(self) -> None:
        self.action_describe()

    def action_describe(self) -> None:
        deployment = self._current()
        if deployment is not None:
            record = msgspec.structs.asdict(deployment)
            record["services"] = [
                f"{each.name} rev {each.revision}" for each in deployment.services
            ]
            self.app.push_screen(Document(deployment.endpoint, record_text(record)))

    def action_invocations(self) -> None:
        deployment = self._current()
        if deployment is not None:
            words = f"deployment:{deployment.id}"
            self.app.push_screen(InvocationsView(self.workspace, words))

    def action_register(self) -> None:
        if self.may_change():
            self._register()

    def action_remove(self) -> None:
        deployment = self._current()
        if deployment is not None and self.may_change():
            self._remove(deployment)

    @work(group="changing")
    async def _register(self) -> None:
        question = "Register the services at which URL?"
        uri = await self.app.push_screen_wait(Ask(question, "http://localhost:9080"))
        if uri is None:
            return
        try:
            made = await self.workspace.client.admin.register({"uri": uri})
        except ClientError as error:
            self.post_message(self.Done(str(error), failed=True))
            return
        names = ", ".join(service.name for service in made.services)
        word = "registered" if made.created else "was registered already"
        self.post_message(self.Done(f"{made.id} {word}: {names}"))

    @work(group="changing")
    async def _remove(self, deployment: Deployment) -> None:
        left = self._seen.unfinished.get(deployment.id, 0) if self._seen else 0
        lines = [deployment.endpoint, deployment.id]
        if left:
            lines += [
                "",
                f"{plural(left, 'invocation')} bound to it cannot go on without it!",
            ]
        if self._seen and deployment.id in self._seen.current:
            lines += ["", "It serves the latest revision of its services: they go with it."]
        lines += ["", f"$ {rtour('deployments', 'remove', deployment.id, '--force')}"]
        if not await self.confirmed("Remove this deployment?", lines):
            return
        try:
            await self.workspace.client.admin.remove_deployment(deployment.id)
        except ClientError as error:
            self.post_message(self.Done(str(error), failed=True))
        else:
            self.post_message(self.Done(f"{deployment.id} removed"))

    def equivalents(self) -> Equivalents:
        url = f"{self.workspace.client.connection.admin_url}/deployments"
        words, curls = [rtour("deployments", "list")], [curl("GET", url)]
        deployment = self._current()
        if deployment is not None:
            words += [
                rtour("deployments", "describe", deployment.id),
                rtour("deployments", "register", deployment.endpoint),
            ]
            body = msgspec.json.encode({"uri": deployment.endpoint})
            headers = {"content-type": "application/json"}
            curls.append(curl("POST", url, headers=headers, body=body))
        return Equivalents(rtour=tuple(words), curl=tuple(curls))


def _work(deployment: Deployment, seen: Seen) -> Piece:
    left = seen.unfinished.get(deployment.id, 0)
    if left:
        return Piece(f"● {left} bound", "good")
    if deployment.id in seen.current:
        return Piece("○ current", "plain")
    return Piece("✓ drained", "quiet")


def _about(deployment: Deployment, seen: Seen) -> Text:
    protocol = f"{deployment.min_protocol_version} to {deployment.max_protocol_version}"
    lines = [line(Piece(deployment.endpoint, "strong"), Piece(f"  {deployment.id}", "quiet"))]
    lines.append(line(f"protocol {protocol}, SDK {deployment.sdk_version or 'unknown'}"))
    left = seen.unfinished.get(deployment.id, 0)
    if left:
        lines.append(line(f"{plural(left, 'unfinished invocation')} bound to it: keep it running"))
    elif deployment.id not in seen.current:
        lines.append(line("drained: nothing needs it any more, x removes it"))
    lines += [line(f"  {each.name}, revision {each.revision}") for each in deployment.services]
    return stack(*lines)
