"""One invocation: its journal, its surroundings, its past."""

from __future__ import annotations

import pytest

from rtour.client.equivalents import Equivalents
from rtour.tui.dialogs import Document
from rtour.tui.grid import Grid
from rtour.tui.invocation import InvocationView
from rtour.tui.paint import Piece
from rtour.tui.view import View
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat


async def look_at(seat: Seat, invocation_id: str) -> str:
    """Opens an invocation by its id."""
    return await seat.go(invocation_id)


@pytest.fixture
def cart(server: FakeServer) -> str:
    """A finished addTicket, with state and a call in its journal."""
    found = server.db.execute(
        "SELECT id FROM sys_invocation WHERE target = 'CartObject/Mary/addTicket'"
        " AND status = 'completed'"
    )
    return str(found.fetchone()["id"])


async def test_the_journal_and_the_entry_under_the_cursor(seat: Seat, cart: str) -> None:
    """Entries on the left; on the right the one under the cursor, its value decoded."""
    text = await look_at(seat, cart)
    for kind in ("Input", "GetEagerState", "SetState", "Call", "Output"):
        assert kind in text
    assert "CartObject/Mary/addTicket" in text
    assert '"seat2B"' in text
    at_call = await seat.press("j", "j", "j")
    assert "Greeter/greet" in at_call
    assert "request" in at_call
    assert "result" in at_call


async def test_the_sentence_of_why(server: FakeServer, seat: Seat) -> None:
    """What it waits for stands above the journal, in the words of `rtour why`."""
    found = server.ids("pending")[0]
    text = " ".join((await look_at(seat, found)).split())
    assert "It waits for its key CartObject/Mary, held by inv_" in text


async def test_failed_attempts_stand_beside_the_journal(server: FakeServer, seat: Seat) -> None:
    """A failed attempt is a row below the entry after which it failed; its stack trace opens."""
    text = await look_at(seat, server.ids("backing-off")[0])
    assert "✗  attempt" in text
    detail = await seat.press("j")
    assert "Failed attempt" in detail
    text = await seat.press("enter")
    assert isinstance(seat.app.screen, Document)
    assert "smtp 451" in text
    assert "stack trace" in text
    assert "Traceback" in text


async def test_enter_follows_a_call_and_u_returns_to_the_caller(seat: Seat, cart: str) -> None:
    """On a call, enter opens the callee; `u` there opens the caller."""
    await look_at(seat, cart)
    await seat.press("j", "j", "j", "enter")
    callee = seat.app.screen
    assert isinstance(callee, InvocationView)
    assert callee.invocation_id != cart
    assert "Greeter/greet" in seat.text
    await seat.press("u")
    caller = seat.app.screen
    assert isinstance(caller, InvocationView)
    assert caller.invocation_id == cart


async def test_the_family_is_a_tree(seat: Seat, cart: str) -> None:
    """The family tab shows who called whom."""
    await look_at(seat, cart)
    text = await seat.press("right", "l")
    assert "└ Greeter/greet" in text
    grid = seat.app.screen.query_one("#family-tree", Grid)
    assert grid.rows[0].key == cart


async def test_the_time_line_has_a_bar_per_entry(seat: Seat, cart: str) -> None:
    """The time tab draws when each entry was stored and how long it took."""
    await look_at(seat, cart)
    text = await seat.press("l")
    assert "━" in text
    assert "0 Input" in text


async def test_state_now_and_then(seat: Seat, cart: str) -> None:
    """The state tab shows the present; with time travel, the state as it was after an entry."""
    await look_at(seat, cart)
    text = await seat.press("l", "l", "l")
    assert "CartObject/Mary, now" in text
    assert '"seat2B"' in text
    text = await seat.press("t")
    assert "as it was after entry 0" in text
    assert "not set" in text
    text = await seat.press("j", "j")
    assert "after entry 2" in text
    assert "not set" not in text
    assert "now" in await seat.press("t")


async def test_an_entry_is_open_before_its_completion(seat: Seat, cart: str) -> None:
    """Travelling back to a call shows it without the result it got later."""
    await look_at(seat, cart)
    await seat.press("j", "j", "j")
    assert "no result yet" in await seat.press("t")
    assert "no result yet" not in await seat.press("t")


async def test_the_journal_steps_forth_and_back(seat: Seat, cart: str) -> None:
    """In time travel the list is as it was, too: what came later is pale, what was open waits."""
    await look_at(seat, cart)
    await seat.press("j", "j", "j", "t")
    grid = seat.app.screen.query_one("#journal", Grid)

    def pale() -> list[bool]:
        return [all(isinstance(c, Piece) and c.tone == "quiet" for c in r.cells) for r in grid.rows]

    assert pale() == [False, False, False, False, True]
    assert "…" in str(grid.rows[3].cells[2])
    await seat.press("k")
    assert pale() == [False, False, False, True, True]
    await seat.press("t")
    assert not any(pale())


async def test_enter_follows_in_the_tree(seat: Seat, cart: str) -> None:
    """The family tab has the focus as long as it is open: j moves in it, enter follows."""
    await look_at(seat, cart)
    await seat.press("l", "l", "j", "enter")
    callee = seat.app.screen
    assert isinstance(callee, InvocationView)
    assert callee.invocation_id != cart
    await seat.press("escape", "l", "j")
    assert seat.app.focused is seat.app.screen.query_one("#journal", Grid)


async def test_a_large_journal_is_read_once(server: FakeServer, seat: Seat, cart: str) -> None:
    """Refreshing an invocation that did not change does not read its journal again."""
    await look_at(seat, cart)
    server.requests.clear()
    await seat.press("r")
    asked = [each.content.decode() for each in server.requests]
    assert any("sys_invocation" in each for each in asked)
    assert not any("FROM sys_journal " in each for each in asked)


async def test_it_can_be_killed_from_here(server: FakeServer, seat: Seat) -> None:
    """Operations work on the invocation that is open, after a yes."""
    found = server.ids("backing-off")[0]
    await look_at(seat, found)
    await seat.press("K", "y")
    assert len(server.sent("PATCH", f"/invocations/{found}/kill")) == 1
    assert seat.posted(View.Done)[0].text == "1 invocation killed"


async def test_an_awakeable_is_resolved_from_here(server: FakeServer, seat: Seat) -> None:
    """`o` asks for the JSON and resolves what the invocation waits for; no JSON is not sent."""
    await look_at(seat, server.id_of("Greeter/approve"))
    await seat.press("o")
    await seat.fill("{")
    await seat.press("ctrl+s")
    assert seat.posted(View.Done)[0].failed
    await seat.press("o")
    await seat.fill('{"ok": true}')
    await seat.press("ctrl+s")
    resolved = [each for each in server.requests if "/awakeables/sign_1" in each.url.path]
    assert [each.content for each in resolved] == [b'{"ok":true}']
    assert "resolved" in seat.posted(View.Done)[-1].text


async def test_one_that_is_gone_says_so(server: FakeServer, seat: Seat, cart: str) -> None:
    """When retention takes an invocation away, what was read stays and the first line tells."""
    await look_at(seat, cart)
    server.db.execute("DELETE FROM sys_invocation WHERE id = ?", [cart])
    text = await seat.press("r")
    assert "It is gone" in text.splitlines()[0]
    assert "SetState" in text


async def test_huge_and_binary_values_do_not_hurt(
    server: FakeServer, seat: Seat, cart: str
) -> None:
    """Of two megabytes the beginning is shown with the size; bytes become a hex dump."""
    big = list(b'"' + b"x" * 2_000_000 + b'"')
    _set_input(server, cart, big)
    text = await look_at(seat, cart)
    assert "1.9 MiB" in text
    _set_input(server, cart, [0, 255, 1, 2])
    server.db.execute("UPDATE sys_invocation SET journal_size = 99 WHERE id = ?", [cart])
    text = await seat.press("r")
    assert "000000  00 ff 01 02" in text, text


def _set_input(server: FakeServer, invocation_id: str, payload: list[int]) -> None:
    body = str(payload).replace(" ", "")
    entry = (
        '{"Command":{"Input":{"headers":[],"payload":%s,"name":""}}}' % body  # noqa: UP031
    )
    server.db.execute(
        'UPDATE sys_journal SET entry_json = ? WHERE id = ? AND "index" = 0', [entry, invocation_id]
    )


async def test_commands_of_an_invocation(server: FakeServer, seat: Seat) -> None:
    """The panel has describe, why, the tree, and the command that helps."""
    found = server.ids("paused")[0]
    await look_at(seat, found)
    screen = seat.app.screen
    assert isinstance(screen, InvocationView)
    told: Equivalents = screen.equivalents()
    assert f"rtour why {found}" in told.rtour
    assert f"rtour invocations resume {found}" in told.rtour
    assert "sys_journal" in told.sql[0]
