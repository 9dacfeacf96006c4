"""Credentials go out of texts, in whatever form they got in; the rest stays."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtour.engine.commands import Invoke
from rtour.engine.model import FromIngress, Target
from rtour.protocol.messages import Header
from rtour.redaction import MASK, Redactor, redact

LONGEST_S = 2.0  # of the CPU; an expression that tries again and again takes minutes
SECRET = "hunter2hunter2"
HEADERS = {"authorization": f"Bearer {SECRET}", "x-a": "kept", "Cookie": f"a=b; sid={SECRET}"}
INVOKE = Invoke(
    "inv_1",
    Target("S", "h"),
    FromIngress(),
    headers=tuple(Header(name, value) for name, value in HEADERS.items()),
)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"cookie: a=b; c={SECRET}",
        f"set-cookie={SECRET}",
        f"x-restate-jwt-v1: {SECRET}",
        repr(HEADERS),
        json.dumps(HEADERS),
        json.dumps(json.dumps(HEADERS)),
        repr([(name.encode(), value.encode()) for name, value in HEADERS.items()]),
        repr(INVOKE),
        repr(INVOKE)[: repr(INVOKE).index(SECRET) + 5] + SECRET[:5],
        f"the service said: Bearer {SECRET}",
        f"can't reach http://user:{SECRET}@host:9070/x",
        f"can't reach https://{SECRET}@host",
        f"https://user:pa@ss{SECRET}@host/",
        f"GET http://host/x?a=b&token={SECRET}&c=d",
        f"/x?api_key={SECRET}",
        f"/x?X-Amz-Signature={SECRET}",
        f"token eyJhbGciOiJFZERTQSJ9.eyJ{SECRET}.{SECRET}",
    ],
)
def test_credentials_are_masked(text: str) -> None:
    """Header lines, reprs, JSON within JSON, what was cut short, addresses, queries."""
    shown = redact(text)
    assert SECRET[:5] not in shown
    assert MASK in shown
    assert redact(shown) == shown


@pytest.mark.parametrize("scheme", ["Bearer", "basic", "Token"])
def test_the_mask_stands_for_the_whole_value(scheme: str) -> None:
    """With its first letter, whichever that is."""
    assert redact(f"Authorization: {scheme} {SECRET}") == f"Authorization: {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a bearer token is needed",
        "Attempt 1 on http://service:9080",
        "Basic types",
        'Command 1: SetState key="n" value="1"',
        "cannot reach the admin at http://127.0.0.1:9070: refused",
        "mail ada@example.com, then see http://host/a@b",
        "GET /x?delay=1s&limit=10",
        "the cookies, authorizations and tokens of others",
    ],
)  # fmt: skip
def test_the_rest_stays(text: str) -> None:
    """Words about credentials are none."""
    assert redact(text) == text


def test_neighbours_stay() -> None:
    """Only the value goes: what stands around it can still be read."""
    assert redact(repr(HEADERS)) == (
        f"{{'authorization': '{MASK}', 'x-a': 'kept', 'Cookie': '{MASK}'}}"
    )
    assert json.loads(redact(json.dumps(HEADERS)))["x-a"] == "kept"
    assert redact("http://u:p@h/x?token=abc&b=c") == f"http://{MASK}@h/x?token={MASK}&b=c"


def test_more_headers() -> None:
    """Names that are configured count in any case."""
    more = Redactor(["X-Session"])
    assert more(f"x-session: {SECRET}") == f"x-session: {MASK}"
    assert redact(f"x-session: {SECRET}") == f"x-session: {SECRET}"


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    """Nothing breaks it, and what is masked once is masked for good."""
    assert redact(redact(text)) == redact(text)


def test_long_texts_take_no_time() -> None:
    """No text makes the expressions try again and again."""
    for part in (
        "authorization: ",
        "'\\",
        "://",
        "eyJ",
        "Bearer ",
        "?token=",
        "a.",
        "eyJ-",
        'cookie\\"',
    ):
        text = part * 20_000
        began = time.process_time()
        redact(text)
        assert time.process_time() - began < LONGEST_S, part
