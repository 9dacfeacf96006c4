"""The line of keys at the bottom: what fits, what stays, and the mouse."""

from __future__ import annotations

from pathlib import Path

from rtour.tui.dialogs import Confirm, HelpScreen
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat, opened


async def test_help_and_palette_stay_where_there_is_no_room(
    server: FakeServer, tmp_path: Path
) -> None:
    """Keys are left out whole, and never the two that lead to all others."""
    async with opened(server, tmp_path, size=(44, 12)) as seat:
        last = seat.text.splitlines()[-1]
    assert last.endswith("? Help  ^p Palette")
    assert "x Cancel  K Kill" in last
    assert "Filter" not in last


async def test_keys_are_clicked(seat: Seat) -> None:
    """A click on a key presses it."""
    last = seat.text.splitlines()[-1]
    await seat.pilot.click("KeyLine", offset=(last.index("Kill"), 0))
    await seat.settle()
    assert isinstance(seat.app.screen, Confirm)
    await seat.press("n")
    await seat.pilot.click("KeyLine", offset=(last.index("Help"), 0))
    await seat.settle()
    assert isinstance(seat.app.screen, HelpScreen)


async def test_keys_follow_the_focus(seat: Seat) -> None:
    """Elsewhere other keys stand there."""
    assert "Configure" in (await seat.press("2")).splitlines()[-1]
    assert "Register" in (await seat.press("4")).splitlines()[-1]


async def test_a_question_with_many_lines_is_moved_over(server: FakeServer, tmp_path: Path) -> None:
    """What will be done can be read to its end before one says yes, on the smallest screen too."""
    async with opened(server, tmp_path, size=(60, 12)) as seat:
        seat.app.push_screen(Confirm("All of it?", [f"line {n}" for n in range(40)]))
        await seat.settle()
        assert "line 0" in seat.text
        text = await seat.press(*["pagedown"] * 5)
        assert "line 39" in text
        assert "Yes (y)" in text
        assert "line 39" not in await seat.press("k", "up")
        assert "line 36" in seat.text
        await seat.press("enter")
        assert not isinstance(seat.app.screen, Confirm)
