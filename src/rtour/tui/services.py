"""Services and their handlers: what they take, how they are configured, and a way to call them."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from rtour.client import ClientError
from rtour.client.equivalents import Equivalents, curl, rtour
from rtour.client.model import Handler, Service
from rtour.tui.dialogs import Document, Editor
from rtour.tui.grid import Column, Grid, Row
from rtour.tui.invocations import InvocationsView
from rtour.tui.paint import Piece, block, line, stack
from rtour.tui.playground import PlaygroundView
from rtour.tui.record_text import record_text
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

COLUMNS = (
    Column(title="SERVICE / HANDLER", grow=1),
    Column(title="TYPE", widest=13),
    Column(title="REV", widest=4, right=True, from_width=44),
)
CONFIGURABLE = (
    "public",
    "idempotency_retention",
    "workflow_completion_retention",
    "journal_retention",
    "inactivity_timeout",
    "abort_timeout",
)


class ServicesView(View[None, list[Service]]):
    """All services, each with its handlers below it."""

    NAME = "services"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Playground"),
        Binding("d", "describe", "Describe"),
        Binding("e", "configure", "Configure"),
        Binding("i", "invocations", "Invocations"),
    ]

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._services: dict[str, Service] = {}

    def body(self) -> ComposeResult:
        with Horizontal():
            yield Grid(COLUMNS, id="services")
            with VerticalScroll(can_focus=False, classes="detail"):
                yield Static("", id="about-service")

    def on_mount(self) -> None:
        self.grid.focus()
        super().on_mount()

    @property
    def grid(self) -> Grid:
        """The list."""
        return self.query_one("#services", Grid)

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> list[Service]:
        del plan
        return await self.workspace.client.admin.services()

    def show(self, plan: None, data: list[Service]) -> None:
        del plan
        self._services = {service.name: service for service in data}
        self.grid.empty = "no services; press 4 and register a deployment"
        self.grid.load([row for service in data for row in _rows(service)])
        self._show_about()

    @on(Grid.Moved)
    def _show_about(self) -> None:
        service, handler = self._at_cursor()
        text = Text()
        if service and handler:
            text = handler_text(service, handler)
        elif service:
            text = service_text(service)
        self.query_one("#about-service", Static).update(text)

    def _at_cursor(self) -> tuple[Service | None, Handler | None]:
        if self.grid.row is None:
            return None, None
        name, _, handler = self.grid.row.key.partition("/")
        service = self._services.get(name)
        return service, service.handler(handler) if service and handler else None

    # --- keys --------------------------------------------------------------------------------

    @on(Grid.Opened)
    def _opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        service, handler = self._at_cursor()
        if service and handler:
            self.app.push_screen(PlaygroundView(self.workspace, service, handler))
        elif service and service.handlers:
            self.grid.go_to(self.grid.cursor + 1)

    def action_describe(self) -> None:
        service, handler = self._at_cursor()
        what = handler or service
        if what is not None:
            record = msgspec.structs.asdict(what)
            record.pop("handlers", None)
            self.app.push_screen(Document(what.name, record_text(record)))

    def action_invocations(self) -> None:
        service, handler = self._at_cursor()
        if service:
            words = f"service:{service.name}" + (f" handler:{handler.name}" if handler else "")
            self.app.push_screen(InvocationsView(self.workspace, words))

    def action_configure(self) -> None:
        service, _ = self._at_cursor()
        if service and self.may_change():
            self._configure(service)

    @work(group="changing")
    async def _configure(self, service: Service) -> None:
        before = {name: getattr(service, name) for name in CONFIGURABLE}
        text = msgspec.json.format(msgspec.json.encode(before), indent=2).decode()
        edited = await self.app.push_screen_wait(Editor(f"Configuration of {service.name}", text))
        if edited is None:
            return
        try:
            changes = changed_fields(before, edited)
            if changes:
                await self.workspace.client.admin.configure_service(service.name, changes)
        except (ClientError, ValueError) as error:
            self.post_message(self.Done(str(error), failed=True))
        else:
            told = ", ".join(changes) or "nothing"
            self.post_message(self.Done(f"{service.name}: {told} changed"))

    def equivalents(self) -> Equivalents:
        service, handler = self._at_cursor()
        admin_url = self.workspace.client.connection.admin_url
        if service is None:
            return Equivalents(
                rtour=(rtour("services", "list"),), curl=(curl("GET", f"{admin_url}/services"),)
            )
        words = [rtour("services", "describe", service.name), rtour("services", "status")]
        if handler:
            key = "KEY/" if service.keyed else ""
            words.append(rtour("call", f"{service.name}/{key}{handler.name}"))
        return Equivalents(
            rtour=tuple(words), curl=(curl("GET", f"{admin_url}/services/{service.name}"),)
        )


def changed_fields(before: dict[str, Any], text: str) -> dict[str, Any]:
    """The fields of edited JSON that differ; an unknown one is an error."""
    try:
        after = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"this is no JSON object: {error}") from error
    unknown = [name for name in after if name not in before]
    if unknown:
        raise ValueError(f"no setting '{unknown[0]}'; there are {', '.join(before)}")
    return {name: value for name, value in after.items() if value != before[name]}


def service_text(service: Service) -> Text:
    """A service: what it is and how it is configured."""
    lines = [line(Piece(service.name, "strong"), f"  {service.ty}, revision {service.revision}")]
    lines.append(line(Piece(service.deployment_id, "quiet")))
    if service.documentation:
        lines += [Text(), block(service.documentation)]
    lines.append(Text())
    for name in CONFIGURABLE:
        value = getattr(service, name)
        told = "not set" if value is None else str(value)
        lines += [line(Piece(name, "name")), line(f"  {told}")]
    policy = ", ".join(f"{name} {value}" for name, value in service.retry_policy.items())
    return stack(*lines, line(Piece("retry policy", "name")), line(f"  {policy or 'the default'}"))


def handler_text(service: Service, handler: Handler) -> Text:
    """A handler: what it takes and gives."""
    lines = [line(Piece(f"{service.name}/{handler.name}", "strong"), f"  {handler.ty or ''}")]
    if handler.documentation:
        lines.append(block(handler.documentation))
    for label, described, schema in (
        ("takes", handler.input_description, handler.input_json_schema),
        ("gives", handler.output_description, handler.output_json_schema),
    ):
        lines += [Text(), line(Piece(label, "name"), f"  {described}")]
        if schema is not None:
            text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
            lines.append(block(text, "quiet"))
    return stack(*lines, Text(), line(Piece("enter opens the playground", "quiet")))


def _rows(service: Service) -> list[Row]:
    head = Row(
        service.name,
        (
            Piece(service.name, "strong"),
            Piece(service.ty, "quiet"),
            Piece(str(service.revision), "quiet"),
        ),
    )
    last = len(service.handlers) - 1
    return [head] + [
        Row(
            f"{service.name}/{handler.name}",
            (f"{'└' if each == last else '├'} {handler.name}", Piece(handler.ty or "", "quiet")),
        )
        for each, handler in enumerate(service.handlers)
    ]
