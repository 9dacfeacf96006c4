"""Draw reference/tui.md from the bindings of the terminal UI.

    python docs/reference/tui.py

tests/tui/test_page.py fails while the page is not what this prints.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from textual.binding import Binding
from textual.dom import DOMNode

from rtour.tui.app import VIEWS, RtourApp
from rtour.tui.dialogs import key_name
from rtour.tui.grid import Grid
from rtour.tui.invocation import InvocationView
from rtour.tui.operating import OperatingView
from rtour.tui.playground import PlaygroundView
from rtour.tui.top_line import PLACES, titled
from rtour.tui.view import View

PAGE = Path(__file__).with_suffix(".md")
# The tests' fake server has every kind of invocation, always at the same instant.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cli.fake_server import FakeServer  # noqa: E402 - found by the line above
from tests.tui.seat import opened  # noqa: E402

HEAD = """\
# The terminal UI

<!-- Drawn by docs/reference/tui.py from the bindings in src/rtour/tui/: do not edit. -->

`rtour ui` opens it on the server in use, `rtour up` starts a server with it. It works with rtour's
server and with the official one, from 80x24 up, over SSH, with keys or mouse, with colours or
without (`NO_COLOR=1`). `rtour ui --web` opens the same in a browser, served on loopback to its own
page alone (`pip install 'rtour[web]'`):

![A journal in the browser: failed attempts on the left, a stack trace on the right](tui-web.webp)

- `?` shows the keys of the place one is at; `ctrl+p` finds everything by name.
- `c` shows what is on screen as `rtour`, `curl` and SQL; a number copies one.
- `:` goes to a place by name, or to an invocation by its id.
- `ctrl+c`, `ctrl+q` and `:q` leave.
- Nothing is cancelled, killed, purged, cleared or removed without a question, with No in focus.
- A server that is not on this machine is announced in red and read-only; `:write` allows changes
  until one leaves.
- Of values beyond 64 KB the beginning is read, with the size; hostile ones are shown escaped.
- A development server's clock stands in the first line once it is driven, and is driven from the
  palette ([time.md](../time.md)).
- When the server goes away, what was read stays, the first line says so, and the UI reads again
  by itself when it is back.
"""

MORE = {
    InvocationView: """\
The journal is on the left, entry by entry, failed attempts below the entries after which they
happened. On the right, in tabs: the entry in full, a time line, the tree of callers and callees,
the state of the object. The lines above say why it is not finished, in the words of `rtour why`.
`enter` on a call follows it, on anything else shows it in full.

With time travel on (`t`), journal and state are shown as they were after the entry under the
cursor; `j` and `k` step forth and back, and what came later is pale. Of the state, only names the
invocation read or wrote are known then.""",
    VIEWS["invocations"]: """\
The filter takes words and fields: `status:running,failed service:Cart key:Mary handler:add
deployment:dp_… id:inv_… is:unfinished`; other words are looked for in the target. `space` selects,
and an operation takes all that is selected.

Only rows around the visible ones are read. Over 100,000 invocations the first ones are on screen
0.6 s after `rtour ui`, the last ones 0.3 s after `G`, and the UI takes 45 MB
(`python -m tests.benchmarks.bench_ui`, on two cores of a virtual machine).""",
    VIEWS["state"]: """\
The filter takes `service:`, `key:`, `name:`, `object:Service/key`, and words. Values that change
while one looks are marked. What is written names the version that was read: if a handler was
faster, the server drops the change and the UI says so. `X` clears all of an object.""",
    PlaygroundView: """\
A form from the handler's JSON schema, or JSON (`f2`). Requests are remembered (`f3`), in
`~/.local/state/rtour/ui/playground.jsonl`.""",
}


# The keys that lead to a screen, by the section that it illustrates.
SCREENS = {
    "Invocations (`1`)": (),
    "One invocation": ("j",) * 13 + ("enter", "j", "j", "j"),
    "Services (`2`)": ("2", "j"),
    "State (`3`)": ("3",),
    "Dashboard (`6`)": ("6",),
}


def page() -> str:
    """The whole page, ending in a newline."""
    return "\n".join([HEAD, *_body(_in_utc(SCREENS))]) + "\n"


def _in_utc(wanted: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The screens, told in the time of nobody's home."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        return asyncio.run(_screens(wanted))
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


async def _screens(wanted: dict[str, tuple[str, ...]]) -> dict[str, str]:
    screens = {}
    for title, keys in wanted.items():
        with tempfile.TemporaryDirectory() as folder:
            async with opened(FakeServer(), Path(folder)) as seat:
                screens[title] = await seat.press(*keys) if keys else seat.text
    return screens


def _body(screens: dict[str, str]) -> Iterator[str]:
    yield from _section("Everywhere", [RtourApp, View])
    yield from _section("In every list", [Grid])
    for key, _, name in PLACES:
        view = VIEWS[name]
        assert isinstance(view, type)
        assert issubclass(view, View)
        title = f"{titled(name)} (`{key}`)"
        yield from _section(title, _own(view), view, screens.get(title))
        if name == "invocations":
            title = "One invocation"
            yield from _section(title, _own(InvocationView), InvocationView, screens.get(title))
        if name == "services":
            yield from _section("Playground", _own(PlaygroundView), PlaygroundView)


def _own(view: type[DOMNode]) -> list[type[DOMNode]]:
    """The classes whose keys are the view's own."""
    return [view, OperatingView] if issubclass(view, OperatingView) else [view]


def _section(
    title: str,
    sources: list[type[DOMNode]],
    about: type[DOMNode] | None = None,
    screen: str | None = None,
) -> Iterator[str]:
    yield f"## {title}\n"
    if screen is not None:
        yield f"```text\n{screen}\n```\n"
    if about in MORE:
        yield MORE[about] + "\n"
    rows = [row for source in sources for row in _rows(source)]
    if rows:
        yield "| key | does |"
        yield "|---|---|"
        yield from rows
        yield ""


def _rows(source: type[DOMNode]) -> Iterator[str]:
    for each in source.__dict__.get("BINDINGS", ()):
        assert isinstance(each, Binding)
        keys = " ".join(f"`{key_name(key, each)}`" for key in each.key.split(","))
        yield f"| {keys} | {each.description} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
