"""Addresses and header fields: what is sent, and what is refused before it is."""

from __future__ import annotations

import pytest

from rtour.server.transport import Endpoint
from rtour.server.transport.request import address_of, build_request, response_head


@pytest.mark.parametrize(
    ("uri", "authority", "target"),
    [
        ("http://host:9080", b"host:9080", b"/discover"),
        ("http://HOST:80/", b"host", b"/discover"),
        ("https://host:443/a/b/", b"host", b"/a/b/discover"),
        ("https://host:80/a//", b"host:80", b"/a/discover"),
        ("http://[::1]:9080/x?y=z&w", b"[::1]:9080", b"/x/discover?y=z&w"),
        ("http://bücher.example/", b"xn--bcher-kva.example", b"/discover"),
    ],
)
def test_addresses(uri: str, authority: bytes, target: bytes) -> None:
    """Base path and query are kept, trailing slashes and default ports dropped."""
    address = address_of(Endpoint(uri))
    assert (address.authority, address.target("/discover")) == (authority, target)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bad name", "x"),
        ("", "x"),
        (":path", "/"),
        ("x\r\ny", "x"),
        ("x", "a\r\ninjected: yes"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Host", "elsewhere"),
        ("connection", "close"),
    ],
)
def test_headers_that_would_break_the_request(name: str, value: str) -> None:
    """Injection, pseudo-headers and connection headers are refused."""
    with pytest.raises(ValueError, match="header"):
        build_request(address_of(Endpoint("http://h")), "POST", "/", [(name, value)])


@pytest.mark.parametrize("path", ["/a b", "/a\r\nb", "relative", "/ü"])
def test_paths_that_would_break_the_request(path: str) -> None:
    """A request target is visible ASCII that begins with a slash."""
    with pytest.raises(ValueError, match="target"):
        build_request(address_of(Endpoint("http://h")), "POST", path, [])


def test_a_decoded_head_belongs_to_its_reader() -> None:
    """Changing one response's headers doesn't change the next one's."""
    fields = ((b":status", b"200"), (b"x-a", b"1"))
    response_head(fields).headers["x-a"] = "changed"
    assert response_head(fields).headers == {"x-a": "1"}


@pytest.mark.parametrize("status", [b"", b"abc", b"0", b"99", b"1000"])
def test_statuses_that_are_none(status: bytes) -> None:
    """A status outside 200 to 999 is refused as a final one."""
    with pytest.raises(ValueError, match=r"status|invalid literal"):
        response_head(((b":status", status),))
