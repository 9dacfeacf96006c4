"""The list of invocations: what it shows, and what its keys do."""

from __future__ import annotations

import json

import httpx
import pytest

from rtour.tui.dialogs import Confirm
from rtour.tui.grid import Grid
from rtour.tui.invocation import InvocationView
from rtour.tui.view import View
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat


def rows(text: str) -> list[str]:
    """The lines of the list."""
    return [line.strip() for line in text.splitlines()[3:-1] if line.strip()]


async def test_every_status_is_shown_with_sign_age_and_note(seat: Seat) -> None:
    """Each status has its word and sign, and what is worth a look stands beside it."""
    text = seat.text
    for status in ("● running", "↻ backing-off", "‖ paused", "◌ suspended", "◷ scheduled"):
        assert status in text
    assert "✗ failed" in text
    assert "card was refused" in text
    assert "43s" in text
    assert len(rows(text)) == 15


async def test_counts_stand_above_the_list(server: FakeServer, seat: Seat) -> None:
    """The line above the list counts every status of the whole table."""
    counts = seat.text.splitlines()[1]
    assert f"◌ {len(server.ids('suspended'))}" in counts
    assert f"● {len(server.ids('running'))}" in counts


async def test_filter_narrows_while_typing_and_esc_clears_it(seat: Seat) -> None:
    """`/` opens the filter, each letter narrows, enter leaves it, esc takes it away."""
    await seat.press("slash")
    text = await seat.press(*"nap")
    assert [row.split()[2] for row in rows(text)[1:]] == ["Greeter/nap"]
    assert len(rows(await seat.press("enter", "escape"))) == 15


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("service:Cart key:Mary", 3),
        ("handler:greet", 4),
        ("status:failed", 1),
        ("mary/hold", 1),
        ("b%", 1),
        ("is:unfinished", 9),
        ("nothing-like-this", 0),
    ],
)
async def test_filter_words(seat: Seat, words: str, found: int) -> None:
    """Fields and plain words find what they name; `%` means itself."""
    await seat.press("slash")
    await seat.fill(words)
    assert seat.app.screen.query_one(Grid).total == found


async def test_sorting_goes_round(seat: Seat) -> None:
    """`s` sorts by the next order and says which; the first row follows."""
    newest = rows(seat.text)[0]
    oldest = await seat.press("s")
    assert "by oldest" in oldest
    assert rows(oldest)[-1] == newest


async def test_enter_opens_the_invocation_and_esc_returns(server: FakeServer, seat: Seat) -> None:
    """Enter opens what the cursor is on."""
    await seat.press("slash")
    await seat.fill("Greeter/refuse")
    await seat.press("enter", "enter")
    screen = seat.app.screen
    assert isinstance(screen, InvocationView)
    assert screen.invocation_id == server.id_of("Greeter/refuse")
    await seat.press("escape")
    assert "STATUS" in seat.text


async def test_nothing_is_killed_without_a_yes(server: FakeServer, seat: Seat) -> None:
    """`K` asks with No in focus: enter means no, and no request leaves."""
    text = await seat.press("K")
    assert isinstance(seat.app.screen, Confirm)
    assert "Kill 1 invocation?" in text
    assert "rtour invocations kill inv_" in text
    await seat.press("enter")
    assert not [each for each in server.requests if each.method == "PATCH"]


@pytest.mark.parametrize(
    ("key", "words", "operation", "told"),
    [
        ("x", "Greeter/nap", "cancel", "1 invocation cancelled"),
        ("K", "Greeter/stumble status:back", "kill", "1 invocation killed"),
        ("p", "Greeter/grind", "pause", "1 invocation paused"),
        ("R", "status:paused", "resume", "1 invocation resumed"),
        ("N", "Greeter/refuse", "restart-as-new", "1 invocation restarted; as inv_1aaa"),
        ("P", "Greeter/refuse", "purge", "1 invocation purged"),
    ],
)
async def test_operations(
    server: FakeServer, seat: Seat, key: str, words: str, operation: str, told: str
) -> None:
    """Each operation, confirmed, is one request for the invocation under the cursor."""
    await seat.press("slash")
    await seat.fill(words)
    await seat.press("enter", key, "y")
    row = seat.app.screen.query_one(Grid).row
    assert row is not None
    assert len(server.sent("PATCH", f"/invocations/{row.key}/{operation}")) == 1
    assert told in seat.posted(View.Done)[0].text


async def test_selected_ones_are_operated_on_together(server: FakeServer, seat: Seat) -> None:
    """Space selects, and an operation takes all that is selected; failures are told."""
    await seat.press("slash")
    await seat.fill("service:Greeter")
    await seat.press("enter", "space", "space", "space")
    text = await seat.press("x")
    assert "Cancel 3 invocations?" in text
    await seat.press("y")
    assert len([each for each in server.requests if each.method == "PATCH"]) == 3
    done = seat.posted(View.Done)[0]
    assert done.failed
    assert "2 invocations cancelled; 1 not: " in done.text


async def test_the_cursor_stays_on_its_row(server: FakeServer, seat: Seat) -> None:
    """New invocations come in above; the cursor keeps the row it is on."""
    await seat.press("j", "j", "j")
    grid = seat.app.screen.query_one(Grid)
    assert grid.row is not None
    before = grid.row.key
    record = dict(server.db.execute("SELECT * FROM sys_invocation LIMIT 1").fetchone())
    later = server.now.isoformat()
    server.insert("sys_invocation", {**record, "id": "inv_1zzz", "created_at": later})
    await seat.press("r")
    assert grid.row.key == before
    assert grid.cursor == 4


async def test_a_hundred_thousand_are_read_by_the_window(server: FakeServer, seat: Seat) -> None:
    """Only rows around the visible ones are ever asked for, at the top and at the end."""
    names = "id, target, target_service_name, target_handler_name, target_service_ty, status"
    server.db.execute(
        f"INSERT INTO sys_invocation ({names}, created_at)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " SELECT 'inv_1' || printf('%033d', i), 'Bulk/run', 'Bulk', 'run', 'service', 'ready',"
        " '2026-01-01T00:00:00Z' FROM n"
    )
    await seat.press("r", "G")
    grid = seat.app.screen.query_one(Grid)
    assert grid.total == 100_015
    assert grid.row is not None
    assert grid.row.key.endswith("00100000")
    assert len(grid.rows) < 250
    await seat.press("ctrl+a")
    assert f"selected the {len(grid.rows)} rows that are read, of 100015" in seat.toasts
    asked = [json.loads(each.content)["query"] for each in server.requests if each.content]
    assert all("LIMIT" in sql or "COUNT" in sql for sql in asked if "sys_invocation" in sql)


async def test_hostile_names_are_escaped(server: FakeServer, seat: Seat) -> None:
    """A key full of escape sequences and markup is shown as what it is."""
    await seat.pilot.resize_terminal(220, 30)
    text = await seat.press("r")
    assert "\x1b" not in text
    assert r"b%'\x1b[31m[red]x[/red]\u202e/addTicket" in text


async def test_notes_are_not_markup(server: FakeServer, seat: Seat) -> None:
    """What a server says in an error is shown as it is, escaped, and breaks nothing."""
    hostile = "[/red]\x1b[2J[bold"
    answer = httpx.Response(409, json={"message": hostile})
    for status in ("completed", "running"):
        for each in server.ids(status):
            server.overrides["PATCH", f"/invocations/{each}/cancel"] = lambda _: answer
    await seat.press("x", "y")
    assert r"[/red]\x1b[2J[bold" in seat.toasts
    assert seat.posted(View.Done)[0].failed


async def test_the_server_goes_away_and_comes_back(server: FakeServer, seat: Seat) -> None:
    """What was read stays on screen, the first line says what is wrong, later that it is over."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    server.overrides["POST", "/query"] = refuse
    text = await seat.press("r")
    assert "✗ cannot reach the admin" in text.splitlines()[0]
    assert "Greeter/grind" in text
    server.overrides.clear()
    text = await seat.press("r")
    assert "1 inv" in text.splitlines()[0]
    assert "the server is back" in seat.toasts


async def test_commands_of_the_list(seat: Seat) -> None:
    """`c` tells the list as rtour, curl and SQL, and a number copies."""
    text = await seat.press("c")
    assert "rtour invocations list --all -w" in text
    await seat.press("1")
    assert seat.app.clipboard == "rtour invocations list --all -w"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("status:back service:Cart", "list --status backing-off --service Cart -w"),
        ("status:failed", "list --status completed --completion-result failure -w"),
        ("key:Mary handler:add", "list --key Mary --handler add --all -w"),
        ("is:unfinished", "list -w"),
        ("some text", "sql 'SELECT inv.id"),
    ],
)
async def test_the_command_has_the_filter(seat: Seat, words: str, command: str) -> None:
    """What is copied lists what is on screen; what the list has no option for, SQL has."""
    await seat.press("slash")
    await seat.fill(words)
    await seat.press("enter", "c", "1")
    assert command in seat.app.clipboard
