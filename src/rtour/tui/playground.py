"""The playground: a handler's input as a form or as JSON, called or sent, and what it answered."""

from __future__ import annotations

import json
from time import monotonic
from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Label, Static, TextArea

from rtour.client import JSON, ClientError, InvocationFailed, Target
from rtour.client.equivalents import Equivalents, Request, curl
from rtour.client.forms import WHOLE, Field, MisfilledError, example, fields, filled
from rtour.client.model import Handler, Service
from rtour.client.wording import pretty
from rtour.tui.history import History
from rtour.tui.invocation import InvocationView
from rtour.tui.paint import Piece, block, line, stack
from rtour.tui.picking import Choice, Pick
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the form, as typed; kept in the history."""

    service: str
    handler: str
    key: str = ""
    json: str | None = None
    texts: dict[str, str] = {}
    headers: str = ""
    idempotency_key: str = ""
    delay: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    text: str
    failed: bool
    took_s: float
    invocation_id: str | None


class PlaygroundView(View[None, None]):
    """One handler, to be tried."""

    NAME = "services"
    AUTO_REFRESH = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "call", "Call", priority=True),
        Binding("ctrl+t", "send", "Send", priority=True),
        Binding("ctrl+o", "follow", "Follow", priority=True),
        Binding("f2", "toggle_json", "JSON", priority=True),
        Binding("f3", "history", "History", priority=True),
        Binding("f4", "commands", "curl", priority=True),
    ]

    class Answered(Message):
        """A request came back."""

        def __init__(self, answer: Answer) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, workspace: Workspace, service: Service, handler: Handler) -> None:
        super().__init__(workspace)
        self._service, self._handler = service, handler
        self._fields: list[Field] = fields(handler.input_json_schema) or []
        self._takes_input = handler.input_description != "none"
        self._json_mode = self._takes_input and not self._fields
        self._answer: Answer | None = None
        self._history = History(workspace.folder / "playground.jsonl", Draft)

    def body(self) -> ComposeResult:
        described = self._handler.input_description
        yield Static(line(Piece(self._title(), "strong"), f"  takes {described}", ""), id="about")
        with Horizontal():
            with VerticalScroll(id="form", can_focus=False):
                if self._service.keyed:
                    yield from _labelled("key", "the key of the object", "of-key")
                yield from self._inputs()
                yield from _labelled("headers", "name=value, name=value", "of-headers")
                yield from _labelled("idempotency key", "once per key", "of-idempotency")
                yield from _labelled("delay", "10s, 15m, PT1H (only for send)", "of-delay")
            with VerticalScroll(classes="detail", can_focus=False):
                yield Static(line(Piece("ctrl+r calls, ctrl+t sends", "quiet")), id="answer")

    def _inputs(self) -> ComposeResult:
        if not self._takes_input:
            return
        for position, field in enumerate(self._fields):
            star = "" if field.required else " (optional)"
            label = f"{field.name or 'input'}: {field.kind}{star}"
            hint = field.description or " | ".join(field.choices)
            yield from _labelled(label, hint, f"field-{position}", field.default, "form-field")
        start = json.dumps(example(self._handler.input_json_schema), indent=2)
        yield Label("JSON (or as a content-type header says)", classes="json-field")
        yield TextArea(start, id="json", classes="typing json-field", show_line_numbers=False)

    def on_mount(self) -> None:
        self._show_mode()
        first = next(iter(self.query("#form .typing")), None)
        self.set_focus(first)

    def _show_mode(self) -> None:
        self.query(".form-field").set(display=not self._json_mode)
        self.query(".json-field").set(display=self._json_mode)

    def plan(self) -> None:
        return None

    async def read(self, plan: None) -> None:
        return plan

    def show(self, plan: None, data: None) -> None:
        """Nothing here changes by itself."""

    # --- the form ----------------------------------------------------------------------------

    def draft(self) -> Draft:
        """What is typed now."""
        texts = {
            field.name: self._text(f"field-{position}")
            for position, field in enumerate(self._fields)
        }
        json_text = None
        if self._json_mode:
            json_text = self.query_one("#json", TextArea).text
        return Draft(
            service=self._service.name,
            handler=self._handler.name,
            key=self._text("of-key") if self._service.keyed else "",
            json=json_text,
            texts=texts,
            headers=self._text("of-headers"),
            idempotency_key=self._text("of-idempotency"),
            delay=self._text("of-delay"),
        )

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

    def request(self, *, send: bool) -> Request:
        """The request that the form stands for; `MisfilledError` says what is wrong with it."""
        draft = self.draft()
        if self._service.keyed and not draft.key:
            raise MisfilledError(f"{self._service.name} is a {self._service.ty}: it needs a key")
        headers = _headers(draft.headers)
        if draft.idempotency_key:
            headers["idempotency-key"] = draft.idempotency_key
        body = self._body(draft, headers.get("content-type", "application/json"))
        return Request(
            target=Target(draft.service, draft.handler, draft.key or None),
            body=body,
            headers={**(JSON if body is not None else {}), **headers},
            send=send,
            delay=draft.delay or None,
        )

    def _body(self, draft: Draft, content_type: str) -> bytes | None:
        if not self._takes_input:
            return None
        if draft.json is not None and "json" not in content_type:
            return draft.json.encode()
        if draft.json is None:
            return json.dumps(filled(self._fields, draft.texts), ensure_ascii=False).encode()
        try:
            json.loads(draft.json)
        except ValueError as error:
            advice = "content-type=text/plain in the headers sends it as it is"
            raise MisfilledError(f"this is no JSON: {error}; {advice}") from error
        return draft.json.encode()

    # --- asking and answering ----------------------------------------------------------------

    def action_call(self) -> None:
        self._ask(send=False)

    def action_send(self) -> None:
        self._ask(send=True)

    def _ask(self, *, send: bool) -> None:
        if not self.may_change():
            return
        try:
            request = self.request(send=send)
        except MisfilledError as error:
            self.notify(str(error), severity="error")
            return
        self._history.add(without_secrets(self.draft()))
        waiting = line(
            Piece(f"{'sending to' if send else 'calling'} {request.target} …", "waiting")
        )
        self.query_one("#answer", Static).update(waiting)
        self._asking(request)

    @work(exclusive=True, group="asking")
    async def _asking(self, request: Request) -> None:
        self.post_message(self.Answered(await ask(self.workspace, request)))

    @on(Answered)
    def _on_answered(self, message: Answered) -> None:
        self._answer = message.answer
        self.query_one("#answer", Static).update(_answer_text(message.answer))

    def action_follow(self) -> None:
        if self._answer and self._answer.invocation_id:
            self.app.push_screen(InvocationView(self.workspace, self._answer.invocation_id))
        else:
            self.notify("no invocation yet: call or send first")

    def action_toggle_json(self) -> None:
        if not self._fields:
            return
        if not self._json_mode:
            try:
                value = filled(self._fields, self.draft().texts)
                self.query_one("#json", TextArea).text = json.dumps(value, indent=2)
            except MisfilledError as error:
                self.notify(str(error), severity="warning")
        self._json_mode = not self._json_mode
        self._show_mode()

    @work(group="picking")
    async def action_history(self) -> None:
        mine = [
            each
            for each in reversed(self._history.all())
            if (each.service, each.handler) == (self._service.name, self._handler.name)
        ]
        choices = [Choice(f"{each.key}  {_short(each)}".strip()) for each in mine]
        picked = await self.app.push_screen_wait(Pick("Earlier requests", choices))
        if picked is not None:
            self._fill(mine[picked])

    def _fill(self, draft: Draft) -> None:
        if self._service.keyed:
            self.query_one("#of-key", Input).value = draft.key
        for position, field in enumerate(self._fields):
            self.query_one(f"#field-{position}", Input).value = draft.texts.get(field.name, "")
        if draft.json is not None:
            self.query_one("#json", TextArea).text = draft.json
        self.query_one("#of-headers", Input).value = draft.headers
        self.query_one("#of-idempotency", Input).value = draft.idempotency_key
        self.query_one("#of-delay", Input).value = draft.delay
        self._json_mode = self._takes_input and (draft.json is not None or not self._fields)
        self._show_mode()

    def equivalents(self) -> Equivalents:
        url = self.workspace.client.connection.ingress_url
        try:
            both = [self.request(send=False), self.request(send=True)]
        except MisfilledError:
            return Equivalents(curl=(curl("POST", f"{url}/{self._title()}"),))
        return Equivalents(
            rtour=tuple(each.rtour() for each in both),
            curl=tuple(each.curl(url) for each in both),
        )

    def _title(self) -> str:
        return f"{self._service.name}/{self._handler.name}"


async def ask(workspace: Workspace, request: Request) -> Answer:
    """Makes a request; a failure is an answer too."""
    ingress, started = workspace.client.ingress, monotonic()
    failed, invocation_id = False, None
    try:
        if request.send:
            sent = await ingress.send(
                request.target, request.body, headers=request.headers, delay=request.delay
            )
            text, invocation_id = f"{sent.status}", sent.invocation_id
            text += f", starts at {sent.execution_time}" if sent.execution_time else ""
        else:
            reply = await ingress.call(request.target, request.body, headers=request.headers)
            text, invocation_id = (
                pretty(reply.body) if reply.body else "(empty)",
                reply.invocation_id,
            )
    except ClientError as error:
        failed, text = True, f"{error}\n{error.hint}".strip()
        invocation_id = error.invocation_id if isinstance(error, InvocationFailed) else None
    took_s = monotonic() - started
    return Answer(text=text, failed=failed, took_s=took_s, invocation_id=invocation_id)


def without_secrets(draft: Draft) -> Draft:
    """What may be kept in a file: headers that let one in are not."""
    headers = {name: value for name, value in _headers(draft.headers).items() if name not in SECRET}
    kept = ", ".join(f"{name}={value}" for name, value in headers.items())
    return msgspec.structs.replace(draft, headers=kept)


def _answer_text(answer: Answer) -> Text:
    word = Piece("✗ failed", "bad") if answer.failed else Piece("✓ answered", "good")
    head = line(word, Piece(f"  after {round(answer.took_s * 1000)}ms", "quiet"))
    lines = [head, Text(), block(answer.text, "bad" if answer.failed else "plain")]
    if answer.invocation_id:
        lines += [Text(), line(Piece(answer.invocation_id, "quiet"))]
        lines.append(line(Piece("ctrl+o follows it", "quiet")))
    return stack(*lines)


def _labelled(
    label: str, hint: str, name: str, value: str = "", classes: str = ""
) -> ComposeResult:
    yield Label(line(label), classes=classes)
    yield Input(value, placeholder=hint, id=name, classes=f"typing {classes}")


def _headers(text: str) -> dict[str, str]:
    headers = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise MisfilledError(f"headers: '{pair}' is not name=value")
        headers[name.strip().lower()] = value.strip()
    return headers


def _short(draft: Draft) -> str:
    if draft.json is not None:
        return " ".join(draft.json.split())
    return ", ".join(f"{k}={v}" if k != WHOLE else v for k, v in draft.texts.items())
