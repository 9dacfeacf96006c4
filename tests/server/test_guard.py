"""Who may ask a port: tokens, names, origins; decided by the head of a request."""

from __future__ import annotations

import socket

import pytest

from rtour.server.front.guard import Guard, Names, Origins
from rtour.server.ingress.replies import refused
from rtour.server.tokens import Secret, Tokens
from rtour.server.web import Headers, Reply

TOKEN = "correct-horse"
OPEN = Tokens(())
CLOSED = Tokens([Secret(TOKEN), Secret("the-next-one")])


def ask(guard: Guard, method: str = "POST", **headers: str) -> Reply | None:
    fields: Headers = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    return guard(method, fields)


def status(reply: Reply | None) -> int:
    return 200 if reply is None else reply.status


def admin(tokens: Tokens = OPEN, names: tuple[str, ...] = ()) -> Guard:
    return Guard(tokens, Names(names), Origins(()), refused)


def ingress(tokens: Tokens = OPEN, origins: tuple[str, ...] = ()) -> Guard:
    return Guard(tokens, Names(()), Origins(origins, loopback=True), refused)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:9070", True),
        ("LOCALHOST", True),
        ("127.0.0.1:9070", True),
        ("[::1]:9070", True),
        ("192.168.7.1:9070", True),
        ("restate:8080", True),
        ("app.localhost:8080", True),
        ("host.docker.internal:8080", True),
        (socket.gethostname(), True),
        ("evil.example:9070", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:9070", False),
        ("evil.example.", False),
        ("evil.example@localhost.", False),
        ("1.2.3.4.5", False),
        ("", False),
    ],
)
def test_hosts(host: str, known: bool) -> None:
    """Without a token only names count that no foreign page can point here."""
    guard = admin()
    for _ in range(2):  # the second time from memory
        assert status(ask(guard, host=host)) == (200 if known else 403)


def test_configured_names() -> None:
    """More names can be allowed, or all; a token makes them needless."""
    assert status(ask(admin(names=("rtour.example",)), host="RTOUR.example:9070")) == 200
    assert status(ask(admin(names=("*",)), host="evil.example")) == 200
    refusal = ask(admin(), host="evil.example")
    assert refusal is not None
    assert b"allowed_hosts" in bytes(refusal.body)  # type: ignore[arg-type]
    assert status(ask(admin(CLOSED), host="any.example", authorization=f"Bearer {TOKEN}")) == 200


HERE = {"host": "localhost:9070"}


@pytest.mark.parametrize(
    ("headers", "on_admin", "on_ingress"),
    [
        ({}, 200, 200),
        ({"origin": "http://localhost:9070"}, 200, 200),
        ({"origin": "https://localhost:9070"}, 200, 200),
        ({"origin": "http://localhost:3000"}, 403, 200),
        ({"origin": "http://127.0.0.1:3000"}, 403, 200),
        ({"origin": "http://[::1]"}, 403, 200),
        ({"origin": "http://web.localhost"}, 403, 200),
        ({"origin": "https://evil.example"}, 403, 403),
        ({"origin": "https://localhost.evil.example"}, 403, 403),
        ({"origin": "null"}, 403, 403),
        ({"origin": "file://localhost"}, 403, 403),
        ({"origin": "http://\xff"}, 403, 403),
        ({"origin": ""}, 403, 403),
        ({"sec_fetch_site": "cross-site"}, 403, 403),
        ({"sec_fetch_site": "same-origin"}, 200, 200),
        ({"sec_fetch_site": "none"}, 200, 200),
    ],
)
def test_origins(headers: dict[str, str], on_admin: int, on_ingress: int) -> None:
    """Foreign pages reach nothing; pages of this machine may call services, not operate."""
    assert status(ask(admin(), **HERE, **headers)) == on_admin
    assert status(ask(ingress(), **HERE, **headers)) == on_ingress


def test_configured_origins() -> None:
    """A web application's origin can be allowed, or all; no other then gets in by a token."""
    page = {"host": "h", "origin": "https://app.example"}
    assert status(ask(ingress(origins=("https://app.example/",)), **page)) == 200
    assert status(ask(ingress(origins=("*",)), **page)) == 200
    assert status(ask(ingress(origins=("*",)), host="h", sec_fetch_site="cross-site")) == 200
    assert status(ask(ingress(origins=("https://app.example.org",)), **page)) == 403
    token = {"authorization": f"Bearer {TOKEN}"}
    assert status(ask(ingress(CLOSED, ("https://other.example",)), **page, **token)) == 403


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        ("Bearer the-next-one", 200),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN} the-next-one", 401),
        ("Bearer \xe9", 401),
    ],
)
def test_tokens(authorization: str, expected: int) -> None:
    """Any of the tokens opens, nothing like one does, and no answer repeats what was given."""
    answer = ask(ingress(CLOSED), host="h", authorization=authorization)
    assert status(answer) == expected
    if answer is not None:
        assert TOKEN.encode() not in bytes(answer.body)  # type: ignore[arg-type]
        assert (b"www-authenticate", b'Bearer realm="rtour"') in answer.headers


def test_no_token_at_all() -> None:
    """Who brings none is told what is needed; preflights never bring one."""
    refusal = ask(admin(CLOSED), host="h")
    assert refusal is not None
    assert b"a bearer token is needed" in bytes(refusal.body)  # type: ignore[arg-type]
    assert ask(ingress(CLOSED, ("*",)), "OPTIONS", host="h", origin="https://a.example") is None
