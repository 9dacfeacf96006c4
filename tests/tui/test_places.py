"""Deployments, SQL, dashboard, log; and how one moves between places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from rtour.tui.deployments import DeploymentsView
from rtour.tui.dialogs import HelpScreen
from rtour.tui.grid import Grid
from rtour.tui.sql import SqlView
from rtour.tui.sql_editor import completion
from rtour.tui.top_line import PLACES, titled
from rtour.tui.view import View
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat, opened


async def test_deployments_show_what_is_still_bound_to_them(server: FakeServer, seat: Seat) -> None:
    """Endpoint, services and unfinished work of each deployment."""
    text = await seat.press("4")
    assert "Greeter" in text
    assert "bound" in text
    assert "keep it running" in text


async def test_a_deployment_is_registered(server: FakeServer, seat: Seat) -> None:
    """`n` asks for a URL and registers what lives there."""
    await seat.press("4", "n")
    await seat.fill("http://localhost:9081")
    await seat.press("enter")
    assert server.sent("POST", "/deployments") == [{"uri": "http://localhost:9081"}]
    assert "registered: " in seat.posted(View.Done)[0].text


async def test_removing_a_deployment_warns_of_what_needs_it(server: FakeServer, seat: Seat) -> None:
    """`x` says how much is bound to it and that it is in use, before it asks."""
    await seat.press("4")
    text = await seat.press("x")
    assert "cannot go on without it" in text
    assert "latest revision" in text
    await seat.press("enter")
    assert not [each for each in server.requests if each.method == "DELETE"]
    await seat.press("x", "y")
    assert len([each for each in server.requests if each.method == "DELETE"]) == 1


async def test_sql_runs_and_opens_a_row(seat: Seat) -> None:
    """ctrl+r runs the statement; esc goes to the rows; enter shows one in full."""
    await seat.press("5")
    await seat.fill("SELECT id, status FROM sys_invocation ORDER BY id LIMIT 3;")
    text = await seat.press("ctrl+r")
    assert "3 rows in" in text
    await seat.press("escape", "j")
    text = await seat.press("enter")
    assert "status" in text
    assert "inv_1" in text


async def test_sql_errors_are_told(seat: Seat) -> None:
    """What the server says about a wrong statement stands below it."""
    await seat.press("5")
    await seat.fill("SELECT nonsense FROM sys_invocation")
    assert "✗ Datafusion error" in await seat.press("ctrl+r")


async def test_sql_is_exported_but_not_over_a_file(seat: Seat, tmp_path: Path) -> None:
    """f6 writes CSV or JSON, by the name; a file that is there stays as it is."""
    await seat.press("5")
    await seat.fill("SELECT id, status FROM sys_invocation WHERE status = 'paused'")
    await seat.press("ctrl+r", "f6")
    await seat.fill(str(tmp_path / "rows.csv"))
    await seat.press("enter")
    header, row = (tmp_path / "rows.csv").read_text().splitlines()
    assert header == "id,status"
    assert row.endswith(",paused")
    await seat.press("f6")
    await seat.fill(str(tmp_path / "rows.json"))
    await seat.press("enter")
    assert json.loads((tmp_path / "rows.json").read_text())[0]["status"] == "paused"
    await seat.press("f6")
    await seat.fill(str(tmp_path / "rows.csv"))
    await seat.press("enter")
    assert "not written" in seat.posted(View.Done)[-1].text


async def test_sql_history(seat: Seat) -> None:
    """f3 brings an earlier statement back."""
    await seat.press("5")
    await seat.fill("SELECT 1 AS one")
    await seat.press("ctrl+r")
    await seat.fill("")
    await seat.press("f3", "enter")
    screen = seat.app.screen
    assert isinstance(screen, SqlView)
    assert screen.editor.text == "SELECT 1 AS one"


async def test_tab_completes_tables(seat: Seat) -> None:
    """Tab completes the name before the cursor from the server's own tables."""
    await seat.press("5")
    screen = seat.app.screen
    assert isinstance(screen, SqlView)
    screen.editor.text = "SELECT id FROM sys_inb"
    screen.editor.move_cursor((0, 22))
    await seat.press("tab")
    assert screen.editor.text == "SELECT id FROM sys_inbox"


def test_completion_goes_as_far_as_is_certain() -> None:
    """One match is completed, several to what they share, and then they are named."""
    names = ["sys_invocation", "sys_inbox", "state"]
    assert completion("sta", names)[0] == "state"
    assert completion("s", names[:2])[0] == "sys_in"
    assert completion("sys_in", names) == ("", ["sys_invocation", "sys_inbox"])
    assert completion("zzz", names) == ("", [])


async def test_dashboard(server: FakeServer, seat: Seat) -> None:
    """Counts as bars, the backlog of keys, the slow handlers, and rates from look to look."""
    text = await seat.press("6")
    assert "15 in all" in text
    assert "█" in text
    assert "CartObject/Mary" in text
    assert "Rates" in text


async def test_log(server: FakeServer, tmp_path: Path) -> None:
    """The end of the server's log, where it is known."""
    log = tmp_path / "server.log"
    log.write_text("first\nlast \x1b[31mline\n")
    async with opened(server, tmp_path, log=log) as seat:
        text = await seat.press("7")
        assert "first" in text
        assert r"last \x1b[31mline" in text


async def test_no_log(seat: Seat) -> None:
    """Without one, the view says why."""
    assert "not started by `rtour up`" in await seat.press("7")


async def test_colon_goes_to_every_place(seat: Seat) -> None:
    """`:` and the name, or its beginning, goes there; an unknown one is told."""
    for _, short, name in PLACES:
        await seat.go(short)
        screen = seat.app.screen
        assert isinstance(screen, View)
        assert name == screen.NAME
        await seat.press("escape")
    await seat.go("nowhere")
    assert "no view 'nowhere'" in seat.toasts


async def test_places_are_clicked(seat: Seat) -> None:
    """The names in the first line are for the mouse."""
    column = seat.text.splitlines()[0].index("4 dp")
    await seat.pilot.click("TopLine", offset=(column, 0))
    await seat.settle()
    assert isinstance(seat.app.screen, DeploymentsView)


async def test_help_lists_the_keys_of_the_place(seat: Seat) -> None:
    """`?` shows the keys that work here, those of the list and those of everywhere."""
    text = await seat.press("question_mark")
    assert isinstance(seat.app.screen, HelpScreen)
    for words in ("Filter", "Kill", "Commands"):
        assert words in text


async def test_a_remote_server_is_not_changed_by_accident(
    server: FakeServer, tmp_path: Path
) -> None:
    """A server elsewhere is announced in red and read-only, until one says `:write`."""
    async with opened(server, tmp_path, admin_url="http://admin.test") as seat:
        assert "READ-ONLY on REMOTE admin.test" in seat.text.splitlines()[0]
        await seat.press("K")
        assert "read-only" in seat.toasts
        assert not [each for each in server.requests if each.method == "PATCH"]
        await seat.go("write")
        assert "CHANGES ALLOWED" in seat.text.splitlines()[0]
        assert "Kill 1 invocation?" in await seat.press("K")


async def test_every_place_fits_a_small_and_a_large_terminal(
    server: FakeServer, tmp_path: Path
) -> None:
    """From 80x24 to 300x100 each place draws, and no line is wider than the terminal."""
    for size in ((80, 24), (300, 100)):
        async with opened(server, tmp_path, size=size) as seat:
            for key, short, _ in PLACES:
                text = await seat.press("escape", key)
                lines = text.splitlines()
                assert f" {key} {short} " in lines[0]
                assert len(lines) == size[1]
                assert max(len(line) for line in lines) <= size[0]


async def test_the_cursor_is_seen_without_colours(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NO_COLOR the row under the cursor is reversed, and only that one."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(server, tmp_path) as seat:
        grid = seat.app.screen.query_one(Grid)
        reversed_ = [
            any(segment.style and segment.style.reverse for segment in grid.render_line(line))
            for line in range(1, 5)
        ]
    assert reversed_ == [True, False, False, False]


async def test_the_palette_knows_the_places(seat: Seat) -> None:
    """ctrl+p finds the places by name."""
    await seat.press("ctrl+p")
    assert isinstance(seat.app.focused, Input)
    found = [each.title for each in seat.app.get_system_commands(seat.app.screen_stack[0])]
    for _, _, name in PLACES:
        assert titled(name) in found


async def test_a_grid_moves_by_page_and_selects_all(seat: Seat) -> None:
    """Page keys, first and last, and select-all work on every list."""
    grid = seat.app.screen.query_one(Grid)
    await seat.press("G")
    assert grid.cursor == grid.total - 1
    await seat.press("g", "ctrl+a")
    assert len(grid.selected) == grid.total
    await seat.press("escape")
    assert not grid.selected
