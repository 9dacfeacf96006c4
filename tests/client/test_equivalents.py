"""What is on screen, as commands that a shell runs as they stand."""

from __future__ import annotations

import shlex

from rtour.client import Target
from rtour.client.equivalents import Equivalents, Request, curl, curl_query, rtour


def test_curl_survives_the_shell() -> None:
    """Quotes, spaces and dollars in a body reach curl as they are."""
    body = b'{"a": "it\'s $HOME"}'
    command = curl("POST", "http://h/x y", headers={"k": "v w"}, body=body)
    words = shlex.split(command)
    assert words == [
        "curl",
        "-X",
        "POST",
        "http://h/x y",
        "-H",
        "k: v w",
        "--data-raw",
        body.decode(),
    ]


def test_a_binary_body_goes_through_printf() -> None:
    """Bytes that are no text are written as octal escapes."""
    assert curl("POST", "http://h", body=b"\x00\xff").startswith(r"printf '\000\377' | curl")


def test_a_query_is_json() -> None:
    """SQL with quotes stays one statement."""
    words = shlex.split(curl_query("http://h", "SELECT 'a'"))
    assert words[-1] == '{"query": "SELECT \'a\'"}'


def test_a_request_as_call_and_as_send() -> None:
    """Key, delay, idempotency key and headers all stand in both forms."""
    request = Request(
        target=Target("Cart", "add", "a/b"),
        body=b'"2B"',
        headers={"content-type": "application/json", "idempotency-key": "k1", "x": "1"},
        send=True,
        delay="15m",
    )
    assert "http://i/Cart/a%2Fb/add/send?delay=15m" in request.curl("http://i")
    assert shlex.split(request.rtour()) == [
        *("rtour", "send", "Cart/a/b/add", '"2B"', "--delay", "15m"),
        *("--idempotency-key", "k1", "-H", "x=1"),
    ]


def test_commands_come_with_their_kind() -> None:
    """The panel lists rtour first, then curl, then SQL."""
    told = Equivalents(rtour=(rtour("why", "inv_1"),), sql=("SELECT 1",))
    assert told.commands() == [("rtour", "rtour why inv_1"), ("SQL", "SELECT 1")]
