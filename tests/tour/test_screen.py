"""The tour's screen, on a real engine: keys in, words out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import StringIO

import pytest
from rich.console import Console
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from rtour.tui.tour import TourApp, app_of
from tour.guide.guide import Guide

DIALOGS = ("s", "l")
SMALL = (80, 24)


def words(app: TourApp) -> str:
    """What is on screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def pressed(pilot: Pilot[None], app: TourApp, *keys: str) -> str:
    """The screen after keys and what they started; a dialog is left open."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        if key not in DIALOGS and not isinstance(app.screen, ModalScreen):
            await app.workers.wait_for_complete()
            await pilot.pause()
    return words(app)


async def test_a_lesson_on_screen(guide: Guide) -> None:
    """Checking, hints, the solution after a yes, going on; the other views are a key away."""
    async with guide.open():
        app = app_of(guide, guide.folder / ".tour" / "ui")
        async with app.run_test(size=(140, 40)) as pilot:
            await pilot.pause()

            async def press(*keys: str) -> str:
                return await pressed(pilot, app, *keys)

            await _play(press, guide)
            await pilot.press("escape")
            assert app.is_running
            await pilot.press("q")
        assert app.return_code == 0


async def _play(press: Callable[..., Awaitable[str]], guide: Guide) -> None:
    first = await press("w")
    assert "Getting started" in first
    assert "Lesson 1 of 25" in first
    assert "Your service says" in first
    missing = await press("enter")
    assert "✘ expected  the engine knows CartObject" in missing
    assert "hint      Registering" in missing
    assert "hint      rtour deployments register" not in missing
    assert "hint      rtour deployments register" in await press("h")
    offer = await press("s")
    assert "Run the commands of this lesson?" in offer
    assert "$ rtour services list" in offer
    solved = await press("y")
    assert "Solved. Enter checks it." in solved
    assert "CheckoutService" in solved
    assert "✔ the engine knows CheckoutService" in await press("enter")
    assert guide.progress.done == ["getting-started"]
    assert "Invoking over HTTP" in await press("enter")
    assert "✔  1  Getting started" in await press("l")
    assert "Calls between handlers" in await press("down", "down", "enter")
    assert "Put the solution into" in await press("s")
    assert "answers: the call" not in await press("n")
    assert "no invocations" in await press("1")
    assert "Calls between handlers" in await press("0")
    assert "Invoking over HTTP" in await press("b")


async def test_notes_leave_the_outcome_in_sight(guide: Guide) -> None:
    """What is told for a moment, such as that the server is back, is above and not below."""
    async with guide.open():
        app = app_of(guide, guide.folder / ".tour" / "ui")
        async with app.run_test(size=SMALL, notifications=True) as pilot:
            await pressed(pilot, app, "enter")
            app.notify("the server is back")
            await pilot.pause()
            lines = words(app).splitlines()
            told = next(number for number, each in enumerate(lines) if "is back" in each)
            outcome = next(number for number, each in enumerate(lines) if "✘ expected" in each)
            assert 0 < told < outcome
            assert lines[outcome].rstrip().endswith("knows CartObject")


async def test_what_commands_print_fits_the_panel(guide: Guide) -> None:
    """Tables are laid out for the columns there are: rows go on below, none is folded."""
    async with guide.open():
        app = app_of(guide, guide.folder / ".tour" / "ui")
        app.animation_level = "none"
        async with app.run_test(size=SMALL) as pilot:
            await pilot.pause()
            await pressed(pilot, app, "s")
            await pressed(pilot, app, "y")
            shown = app.screen.query_one("#verdict-text", Static)
            panel = app.screen.query_one("#verdict")
            assert panel.show_vertical_scrollbar
            printed = _drawn(shown, shown.size.width)
            assert printed == _drawn(shown, 1000)
            assert "CartObject          VirtualObject  1         yes     3" in printed
            assert "deployment dp_" in printed


def _drawn(shown: Static, width: int) -> str:
    """What the panel shows if it is so wide, without the spaces at the end of lines."""
    console = Console(width=width, file=StringIO())
    console.print(shown.content)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.slow
async def test_a_small_terminal(guide: Guide) -> None:
    """At 80 x 24 the outcome stays in sight, and the keys reach every line of every panel."""
    async with guide.open():
        app = app_of(guide, guide.folder / ".tour" / "ui")
        app.animation_level = "none"
        await guide.solve(guide.lessons[0])
        guide.move(guide.lessons[12 - 1])
        await guide.solve(guide.current)
        async with app.run_test(size=SMALL) as pilot:
            await pilot.pause()
            checked = await pressed(pilot, app, "enter")
            assert "Done. Enter goes on." in checked
            assert "checkout marks the seats as sold" not in checked
            assert "checkout marks the seats as sold" in await pressed(pilot, app, "tab", "end")
            watched = await pressed(pilot, app, "w")
            assert "The engine's clock: 15m" in watched
            assert "starts in 1" in watched  # and not "ago": the clock counts once
            assert "Your service says" not in watched
            assert "Your service says" in await pressed(pilot, app, "end")
            assert "Exercise: the seat" in await pressed(pilot, app, "w")
            guide.put({"ticket_object.py": "# mine\n"})
            offer = await pressed(pilot, app, "s")
            assert "y does it, n leaves all as it is" in offer
            assert "$ rtour kv get" not in offer
            assert "$ rtour kv get" in await pressed(pilot, app, "end")
