"""The state browser: watching, editing, clearing."""

from __future__ import annotations

from textual.widgets import TextArea

from rtour.ids import state_version
from rtour.tui.dialogs import Editor
from rtour.tui.grid import Grid
from rtour.tui.view import View
from tests.cli.fake_server import FakeServer
from tests.tui.seat import Seat

WRITE = ("POST", "/services/CartObject/state")


def mary(server: FakeServer, value: bytes) -> None:
    """Writes Mary's tickets, as a handler would."""
    server.db.execute(
        "UPDATE state SET value = ? WHERE service_key = 'Mary'",
        [value.hex()],
    )


async def test_all_state_is_listed_and_decoded(seat: Seat) -> None:
    """One row per value; the one under the cursor is shown in full below."""
    text = await seat.press("3")
    assert "CartObject/Mary" in text
    assert '["seat2B"]' in text
    assert '  "seat2B"' in text


async def test_changes_are_marked(server: FakeServer, seat: Seat) -> None:
    """A value that changed while one looks is marked, for a while."""
    await seat.press("3")
    grid = seat.app.screen.query_one(Grid)
    assert not any(row.fresh for row in grid.rows)
    mary(server, b'["seat2B","seat2C"]')
    assert "seat2C" in await seat.press("r")
    assert [row.fresh for row in grid.rows] == [True, False]
    await seat.press("r", "r", "r", "r", "r")
    assert not any(row.fresh for row in grid.rows)


async def test_a_value_is_edited_with_the_version_it_had(server: FakeServer, seat: Seat) -> None:
    """`e` edits; what is written names the version that was read, and the outcome is told."""
    await seat.press("3", "e")
    seat.app.screen.query_one(TextArea).text = '["seat2B", "seat9Z"]'
    await seat.press("ctrl+s")
    body = server.sent(*WRITE)[0]
    assert body["object_key"] == "Mary"
    assert bytes(body["new_state"]["tickets"]) == b'["seat2B","seat9Z"]'
    assert body["version"] == state_version({b"tickets": b'["seat2B"]'})
    assert "waits in line behind inv_" in seat.posted(View.Done)[0].text


async def test_json_stays_json(server: FakeServer, seat: Seat) -> None:
    """What was JSON and is none any more is not written."""
    await seat.press("3", "e")
    seat.app.screen.query_one(TextArea).text = '["seat2B"'
    await seat.press("ctrl+s")
    assert "not written: the value was JSON" in seat.posted(View.Done)[0].text
    assert not server.sent(*WRITE)


async def test_a_change_that_was_overtaken_is_told(server: FakeServer, seat: Seat) -> None:
    """If the state changes before the edit is applied, the reader learns that it was dropped."""
    await seat.press("3", "e")
    mary(server, b'["other"]')
    seat.app.screen.query_one(TextArea).text = "[]"
    await seat.press("ctrl+s")
    done = seat.posted(View.Done)[0]
    assert done.failed
    assert "the state changed meanwhile" in done.text


async def test_binary_values_are_not_edited_as_text(server: FakeServer, seat: Seat) -> None:
    """Bytes that are no text are shown as hex and not put into an editor."""
    mary(server, b"\x00\xff")
    assert "000000  00 ff" in await seat.press("3")
    await seat.press("e")
    assert not isinstance(seat.app.screen, Editor)
    assert "no text" in seat.posted(View.Done)[0].text


async def test_clearing_asks_first(server: FakeServer, seat: Seat) -> None:
    """`x` shows the value and waits for a yes; the other names of the key stay."""
    server.insert(
        "state",
        {
            "service_name": "CartObject",
            "service_key": "Mary",
            "key": "user",
            "value": b'"m"'.hex(),
        },
    )
    await seat.press("3")
    text = await seat.press("x")
    assert "Clear this value of CartObject/Mary?" in text
    await seat.press("n")
    assert not server.sent(*WRITE)
    await seat.press("x", "y")
    assert server.sent(*WRITE)[0]["new_state"] == {"user": list(b'"m"')}


async def test_all_of_an_object_is_cleared_if_it_is_still_what_was_shown(
    server: FakeServer, seat: Seat
) -> None:
    """`X` shows every value of the object, asks, and names the version it has shown."""
    row = {"service_name": "CartObject", "service_key": "Mary", "key": "user"}
    server.insert("state", {**row, "value": b'"m"'.hex()})
    await seat.press("3")
    text = await seat.press("X")
    assert "Clear all state of CartObject/Mary, 2 values?" in text
    assert 'tickets = ["seat2B"]' in text
    assert "rtour kv clear CartObject/Mary" in text
    await seat.press("enter")
    assert not server.sent(*WRITE)
    await seat.press("X")
    mary(server, b"[]")
    await seat.press("y")
    body = server.sent(*WRITE)[0]
    assert body["new_state"] == {}
    assert body["version"] == state_version({b"tickets": b'["seat2B"]', b"user": b'"m"'})
    assert "the state changed meanwhile" in seat.posted(View.Done)[0].text


async def test_filter_and_watch_narrow_to_an_object(seat: Seat) -> None:
    """`/` narrows by text; `w` narrows to the object under the cursor, even a hostile one."""
    await seat.press("3", "slash")
    await seat.fill("key:Mary")
    assert seat.app.screen.query_one(Grid).total == 1
    await seat.press("enter", "escape", "j", "w")
    grid = seat.app.screen.query_one(Grid)
    assert grid.total == 1
    assert grid.row is not None
    assert "b%'" in grid.row.key


async def test_commands_of_a_value(seat: Seat) -> None:
    """The panel has the get and the watch of the object under the cursor."""
    await seat.press("3", "c")
    assert "rtour kv get CartObject Mary" in seat.text
    assert "rtour kv get -w CartObject Mary tickets" in seat.text
