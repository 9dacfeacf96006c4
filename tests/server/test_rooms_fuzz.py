"""Whatever path is asked for, the front rooms have an answer in the right shape."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.rooms import Rooms

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
WORDS = [
    "restate",
    "call",
    "send",
    "scope",
    "attach",
    "output",
    "lookup",
    "invocation",
    "workflow",
    "awakeables",
    "a",
    "health",
    "openapi",
    "Greeter",
    "greet",
    "none",
    "Counter",
    "add",
    "get",
    "Flow",
    "run",
    "peek",
    "Secret",
    "k",
    "%ff",
    "%20",
    "%C3%BC",
    "x",
    "resolve",
    "services",
    "deployments",
    "invocations",
    "handlers",
    "state",
    "cancel",
    "resume",
    "query",
    "v2",
    "v4",
    "v9",
    "dp_1",
    "sign_1x",
    "subscriptions",
    "kafka-clusters",
    "limits",
    "rules",
    "internal",
    "invocations_batch_operations",
]
SEGMENTS = st.sampled_from([*WORDS, "", INV])
PATHS = st.lists(SEGMENTS, max_size=9).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.sampled_from(["", "?delay=1s", "?delay=x", "?force=true", "?mode=kill", "?from=-1"])
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
BODIES = st.sampled_from([b"", b"{}", b"[]", b"x", b'{"uri":"http://h/"}', b'{"query":"x"}'])
TYPES = st.sampled_from([None, "application/json", "text/plain"])


@settings(max_examples=300, deadline=None)
@given(METHODS, PATHS, QUERIES, BODIES, TYPES, st.booleans())
def test_any_request(
    method: str, path: str, query: str, body: bytes, content_type: str | None, admin: bool
) -> None:
    """No request is a bug, and every error is JSON with a message."""

    async def run() -> None:
        rooms = await Rooms().registered()
        client = rooms.admin if admin else rooms.ingress
        headers = {} if content_type is None else {"content-type": content_type}
        url = f"http://host{path}{query}"
        response = await client.request(method, url, content=body, headers=headers)
        assert response.status_code < 500 or "internal" not in response.text
        if response.status_code >= 400 and method != "HEAD":
            assert response.json()["message"]

    asyncio.run(run())
