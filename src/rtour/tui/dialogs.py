"""What opens above a view: confirmations, questions, documents, the keys, the commands, jumps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Static, TextArea

from rtour.client.equivalents import Equivalents
from rtour.tui.paint import Piece, block, line, stack
from rtour.tui.scrolling import Scroll

JUMPS = {
    "inv": "invocations",
    "invocations": "invocations",
    "svc": "services",
    "services": "services",
    "state": "state",
    "kv": "state",
    "dp": "deployments",
    "deployments": "deployments",
    "sql": "sql",
    "dash": "dashboard",
    "dashboard": "dashboard",
    "log": "log",
}


class Confirm(ModalScreen[bool]):
    """Shows what will be done and waits for a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape", "dismiss(False)", "No"),
        # A button has the focus, so that enter means no: the lines are moved from here.
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", "Page down", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False),
    ]

    def __init__(self, question: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._question = question
        self._lines = lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog danger"):
            yield Static(line(Piece(self._question, "strong")), classes="title")
            with Scroll(can_focus=False):
                yield Static(stack(*(line(each) for each in self._lines)))
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no")
                yield Button("Yes (y)", id="yes", variant="error")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def action_scroll(self, lines: int) -> None:
        self.query_one(Scroll).scroll_relative(y=lines, animate=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class Ask(ModalScreen[str | None]):
    """One line of text."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, text: str = "", hint: str = "") -> None:
        super().__init__()
        self._question, self._text, self._hint = question, text, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(line(Piece(self._question, "strong")), classes="title")
            yield Input(self._text, placeholder=self._hint, classes="typing")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


class Editor(ModalScreen[str | None]):
    """Text of many lines, checked before it is handed on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", priority=True),
        Binding("escape", "dismiss(None)", "Cancel", priority=True),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static(line(Piece(self._title, "strong")), classes="title")
            yield TextArea(self._text, show_line_numbers=False, tab_behavior="indent")
            yield Static(line(Piece("ctrl+s saves, esc leaves all as it is", "quiet")))

    def action_save(self) -> None:
        self.dismiss(self.query_one(TextArea).text)


class Document(ModalScreen[None]):
    """Something to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,d,enter", "dismiss", "Close"),
    ]

    def __init__(self, title: str, content: Text) -> None:
        super().__init__()
        self._title, self._content = title, content

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static(line(Piece(self._title, "strong")), classes="title")
            with Scroll():
                yield Static(self._content)
            yield Static(line(Piece("esc closes", "quiet")))

    def on_mount(self) -> None:
        self.query_one(Scroll).focus()


class HelpScreen(Document):
    """The keys that work where one is, from the bindings themselves."""

    def __init__(self, bindings: Mapping[str, ActiveBinding]) -> None:
        super().__init__("Keys here", stack(*_key_lines(bindings)))


# Screens inherit these from textual.
_KNOWN = ("app.focus_next", "app.focus_previous", "screen.copy_text")


def _key_lines(bindings: Mapping[str, ActiveBinding]) -> list[Text]:
    """The place's own keys first, then those of the widget in focus, then those of everywhere."""
    groups: dict[str, dict[str, list[str]]] = {"here": {}, "lists and fields": {}, "everywhere": {}}
    for key, active in bindings.items():
        binding, node = active.binding, active.node
        # Textual's own scrolling keys are many, and known.
        ours = type(node).__module__.startswith("rtour.") and binding.action not in _KNOWN
        if not binding.description or not ours:
            continue
        place = "lists and fields"
        if isinstance(node, Screen):
            place = "here"
        elif isinstance(node, App):
            place = "everywhere"
        keys = groups[place].setdefault(binding.description, [])
        keys.append(key_name(key, binding))
    lines = []
    for place, rows in groups.items():
        lines += [line(Piece(place, "strong"))] if rows else []
        for description, keys in rows.items():
            told = f"{' '.join(dict.fromkeys(keys)):>18}"
            lines.append(line(Piece(told, "name"), f"  {description}"))
    return lines


def key_name(key: str, binding: Binding) -> str:
    """A key as people call it."""
    names = {"question_mark": "?", "colon": ":", "slash": "/", "escape": "esc"}
    return names.get(key) or (binding.key_display if binding.key == key else None) or key


class CommandsPanel(ModalScreen[None]):
    """What is on screen, as commands: rtour, curl, SQL; a number copies."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,c,q", "dismiss", "Close"),
        *(Binding(str(n), f"copy({n})", f"Copy {n}", show=False) for n in range(1, 10)),
    ]

    def __init__(self, equivalents: Equivalents) -> None:
        super().__init__()
        self._commands = equivalents.commands()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static(line(Piece("The same, as commands", "strong")), classes="title")
            with Scroll():
                for number, (label, text) in enumerate(self._commands, 1):
                    yield Static(line(Piece(f"{number} {label}", "name")), classes="label")
                    yield Static(block(text), classes="command")
                if not self._commands:
                    yield Static("Nothing here has a command.")
            yield Static(line(Piece("a number copies, esc closes", "quiet")))

    def action_copy(self, number: int) -> None:
        if number > len(self._commands):
            return
        label, text = self._commands[number - 1]
        self.app.copy_to_clipboard(text)
        self.notify(f"copied: {label}")
        self.dismiss()


class Jump(ModalScreen[str | None]):
    """`:` and the name of a view; or `write`, or an invocation's id."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    class Wanted(Message):
        """Somebody wants to go somewhere."""

        def __init__(self, where: str) -> None:
            super().__init__()
            self.where = where

    def compose(self) -> ComposeResult:
        words = SuggestFromList([*JUMPS, "write", "quit"], case_sensitive=False)
        with Horizontal(classes="jump"):
            yield Static(":")
            yield Input(placeholder="inv svc state dp sql dash log, or an id", suggester=words)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip().lstrip(":") or None)


def resolve_jump(text: str) -> str | None:
    """The view meant by a word or its beginning."""
    word = text.lower()
    found: Any = JUMPS.get(word) or next((v for k, v in JUMPS.items() if k.startswith(word)), None)
    return str(found) if found else None
