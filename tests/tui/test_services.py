"""Services and the playground."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from textual.widgets import Input, TextArea

from rtour.tui.invocation import InvocationView
from rtour.tui.playground import PlaygroundView
from rtour.tui.view import View
from tests.cli.fake_server import NEW_ID, FakeServer, failed
from tests.tui.seat import Seat

SCHEMA = {
    "type": "object",
    "properties": {
        "user": {"$ref": "#/$defs/User"},
        "tickets": {"type": "array", "items": {"type": "string"}},
        "express": {"type": "boolean", "default": False},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["user", "tickets"],
    "$defs": {"User": {"type": "string", "description": "who pays"}},
}


async def playground(seat: Seat, downwards: int) -> PlaygroundView:
    """Opens the playground of the handler so many rows below the first service."""
    await seat.press("2", *("j" for _ in range(downwards)), "enter")
    screen = seat.app.screen
    assert isinstance(screen, PlaygroundView)
    return screen


async def test_services_and_handlers_are_listed_with_their_schemas(seat: Seat) -> None:
    """Each service with its handlers below; the one under the cursor is told on the right."""
    text = await seat.press("2")
    for name in ("CartObject", "├ addTicket", "Greeter", "Signup", "VirtualObject"):
        assert name in text
    assert "inactivity_timeout" in text
    text = await seat.press("j")
    assert "takes  JSON string" in text
    assert "Keeps the seat" in text


async def test_the_seed_story_of_the_playground(server: FakeServer, seat: Seat) -> None:
    """Seat 2B goes into Mary's cart, and one key follows the invocation that did it."""
    await playground(seat, 1)
    await seat.fill("Mary")
    await seat.press("tab")
    await seat.fill("seat2B")
    text = await seat.press("ctrl+r")
    assert server.sent("POST", "/CartObject/Mary/addTicket") == ["seat2B"]
    assert "✓ answered" in text
    await seat.press("ctrl+o")
    screen = seat.app.screen
    assert isinstance(screen, InvocationView)
    assert screen.invocation_id == NEW_ID


async def test_send_with_delay_headers_and_idempotency_key(server: FakeServer, seat: Seat) -> None:
    """All fields of the form reach the request."""
    screen = await playground(seat, 1)
    for name, value in (
        ("of-key", "a/b"),
        ("field-0", "seat2B"),
        ("of-headers", "X-Trace=1, y = 2"),
        ("of-idempotency", "k1"),
        ("of-delay", "15m"),
    ):
        screen.query_one(f"#{name}", Input).value = value
    text = await seat.press("ctrl+t")
    sent = server.requests[-1]
    assert sent.url.raw_path == b"/CartObject/a%2Fb/addTicket/send?delay=15m"
    assert sent.headers["x-trace"] == "1"
    assert sent.headers["y"] == "2"
    assert sent.headers["idempotency-key"] == "k1"
    assert "Accepted, starts at 2030" in text


async def test_a_handler_that_fails_says_so(server: FakeServer, seat: Seat) -> None:
    """A terminal failure is an answer, with the invocation to follow."""
    server.overrides["POST", "/Greeter/approve"] = lambda _: failed(403, "card was refused")
    await playground(seat, 5)
    text = await seat.press("ctrl+r")
    assert "✗ failed" in text
    assert "[403] card was refused" in text
    assert NEW_ID in text


async def test_a_key_is_needed(server: FakeServer, seat: Seat) -> None:
    """Without a key nothing is sent to an object, and the reason is told."""
    await playground(seat, 1)
    await seat.press("ctrl+r")
    assert "it needs a key" in seat.toasts
    assert not [each for each in server.requests if "CartObject" in each.url.path]


async def test_a_form_from_a_schema_and_the_same_as_json(server: FakeServer, seat: Seat) -> None:
    """Properties become fields; f2 shows the same as JSON; both send the same."""
    cart = server.admin["/services"]["services"]
    greeter = next(each for each in cart if each["name"] == "Greeter")
    handler = next(each for each in greeter["handlers"] if each["name"] == "approve")
    handler["input_json_schema"] = SCHEMA
    await playground(seat, 5)
    text = seat.text
    assert "user: string" in text
    assert "tickets: json" in text
    assert "note: string (optional)" in text
    screen = seat.app.screen
    screen.query_one("#field-0", Input).value = "Mary"
    screen.query_one("#field-1", Input).value = '["seat2B"]'
    expected = {"user": "Mary", "tickets": ["seat2B"], "express": False}
    await seat.press("ctrl+r", "f2")
    assert json.loads(screen.query_one("#json", TextArea).text) == expected
    await seat.press("ctrl+r")
    assert server.sent("POST", "/Greeter/approve") == [expected, expected]


async def test_what_is_not_json_is_sent_as_it_is(server: FakeServer, seat: Seat) -> None:
    """With a content type that says so; without one it is told that it is no JSON."""
    screen = await playground(seat, 1)
    screen.query_one("#of-key", Input).value = "Mary"
    await seat.press("f2")
    screen.query_one("#json", TextArea).text = "seat 2B, please"
    await seat.press("ctrl+r")
    assert "this is no JSON" in seat.toasts
    screen.query_one("#of-headers", Input).value = "content-type=text/plain"
    await seat.press("ctrl+r")
    sent = server.requests[-1]
    assert (sent.content, sent.headers["content-type"]) == (b"seat 2B, please", "text/plain")


@pytest.mark.parametrize("text", ["[1", "nope"])
async def test_wrong_fields_are_not_sent(server: FakeServer, seat: Seat, text: str) -> None:
    """A field that holds what it cannot is told by name, and nothing leaves."""
    screen = await playground(seat, 8)
    screen.query_one("#field-0", Input).value = text
    await seat.press("ctrl+r")
    assert f"'{text}' is no integer" in seat.toasts
    assert not server.sent("POST", "/Greeter/nap")


async def test_requests_are_remembered(seat: Seat) -> None:
    """f3 lists earlier requests, and enter puts one back on the form."""
    screen = await playground(seat, 1)
    screen.query_one("#of-key", Input).value = "Mary"
    screen.query_one("#field-0", Input).value = "seat2B"
    await seat.press("ctrl+r")
    screen.query_one("#of-key", Input).value = ""
    text = await seat.press("f3")
    assert "Mary  seat2B" in text
    await seat.press("enter")
    assert screen.query_one("#of-key", Input).value == "Mary"


async def test_secrets_are_not_remembered(seat: Seat, tmp_path: Path) -> None:
    """Headers that let one in are sent, and stay out of the history."""
    screen = await playground(seat, 1)
    screen.query_one("#of-key", Input).value = "Mary"
    screen.query_one("#of-headers", Input).value = "Authorization=Bearer s3cret, x=1"
    await seat.press("ctrl+r")
    kept = (tmp_path / "playground.jsonl").read_text()
    assert "s3cret" not in kept
    assert "x=1" in kept


async def test_the_form_as_curl(seat: Seat) -> None:
    """f4 tells the request as curl and as our own command."""
    screen = await playground(seat, 1)
    screen.query_one("#of-key", Input).value = "Mary"
    screen.query_one("#field-0", Input).value = "seat2B"
    told = screen.equivalents()
    assert told.rtour[0] == "rtour call CartObject/Mary/addTicket '\"seat2B\"'"
    assert told.curl[1].startswith(
        "curl -X POST http://ingress.test/CartObject/Mary/addTicket/send"
    )
    assert "addTicket" in await seat.press("f4")


async def test_configuration_is_edited_as_json(server: FakeServer, seat: Seat) -> None:
    """`e` opens the settings; only what was changed is sent; a misspelt one is refused."""
    await seat.press("2", "e")
    field = seat.app.screen.query_one(TextArea)
    settings = json.loads(field.text)
    field.text = json.dumps({**settings, "journal_retention": "7d"})
    await seat.press("ctrl+s")
    assert server.sent("PATCH", "/services/CartObject") == [{"journal_retention": "7d"}]
    await seat.press("e")
    seat.app.screen.query_one(TextArea).text = '{"jornal_retention": "7d"}'
    await seat.press("ctrl+s")
    assert "no setting 'jornal_retention'" in seat.posted(View.Done)[-1].text
    assert len(server.sent("PATCH", "/services/CartObject")) == 1


async def test_invocations_of_a_handler(seat: Seat) -> None:
    """`i` opens the list, filtered to what is under the cursor."""
    text = await seat.press("2", "j", "i")
    assert "service:CartObject handler:addTicket" in text
    assert "Greeter/nap" not in text


async def test_a_server_without_services(server: FakeServer, seat: Seat) -> None:
    """An empty server says how to begin."""
    server.overrides["GET", "/services"] = lambda _: httpx.Response(200, json={"services": []})
    text = " ".join((await seat.press("2")).replace("▕", " ").split())
    assert "press 4 and register a deployment" in text
