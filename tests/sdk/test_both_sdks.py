"""The same services on both SDKs and both servers: same answers, same journals, same invocations.

Each endpoint and each server is a process of its own, as it would be in production.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.servers import KINDS, QUICK, Kind, Server
from tests.conformance.waiting import eventually

pytestmark = [pytest.mark.oracle, pytest.mark.asyncio(loop_scope="module")]

SDKS = ("restate", "rtour")
V7 = {"RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7": "true"}
REPOSITORY = Path(__file__).resolve().parents[2]

# path, input, status, answer
QUESTIONS: list[tuple[str, Any, int, Any]] = [
    (
        "Kitchen/steps",
        None,
        200,
        ["async", 3, 7, "old", {"a": [1, None, 2.5, "ä"]}, "async", "async"],
    ),
    ("Kitchen/broken_steps", None, 200, [[402, "hopeless"], [500, "ValueError('flaky')"]]),
    ("Kitchen/chance", None, 200, [True, True, True]),
    ("Kitchen/request", {"a": 1}, 200, ["inv_1", "gay", '{"a":1}', {"a": 1}]),
    ("Kitchen/calls", None, 200, [4, "calm", ["tea"], 1, "42", 10, 10, True]),
    ("Kitchen/sends", None, 200, [2, ["a"], 3]),
    ("Kitchen/failing_call", None, 200, [418, "kaput"]),
    ("Kitchen/workflow", "KEY", 200, [409, 7, ["KEY", "soup", None, 7, "spilled", 410]]),
    ("Kitchen/awakeables", None, 200, [{"n": 1}, 503, "no luck"]),
    ("Kitchen/signals", None, 200, ["ding", 502, "broken bell"]),
    ("Kitchen/combinators", None, 200, ["call", 8, "timeout", [0, 1, 2], 2, 2]),
    ("Kitchen/cancelling", None, 200, [409, 409]),
    ("Kitchen/terminal", None, 422, None),
    (
        "Pantry/KEY/walk",
        None,
        200,
        ["KEY", None, None, {"jars": 2}, None, ["jam", "nothing"], None, [], None],
    ),
    (
        "LazyPantry/KEY/walk",
        None,
        200,
        ["KEY", None, None, {"jars": 2}, None, ["jam", "nothing"], None, [], None],
    ),
]


class Endpoint:
    """The kitchen on one SDK, as a process that can be replaced on its port."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._child: Child | None = None
        self._known = False

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, sdk: str, host: str = "hypercorn") -> None:
        """Serve; before its first start the port may turn out to be somebody else's by now."""
        while True:
            command = [sys.executable, "-m", "tests.sdk.serve", sdk, host, str(self.port)]
            log = self.folder / f"{sdk}-{self.port}.log"
            self._child = Child(command, log, {}, REPOSITORY)
            try:
                await eventually("endpoint ready", self._ready, within_s=30)
            except AssertionError:
                if self._known or "already in use" not in log.read_text():
                    raise
                self.port = free_port()
            else:
                self._known = True
                return

    async def _ready(self) -> bool:
        assert self._child is not None
        assert self._child.running, self._child.log_tail()
        async with httpx.AsyncClient(http1=False, http2=True) as client:
            try:
                return (await client.get(f"{self.uri}/health")).status_code == 200
            except httpx.TransportError:
                return False

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


@pytest_asyncio.fixture(
    loop_scope="module",
    scope="module",
    params=[(kind, env) for kind in KINDS for env in ("v6", "v7")],
    ids="-".join,
)
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Either server, speaking either protocol version."""
    oracles.install()
    kind: Kind
    kind, version = request.param
    env = QUICK | (V7 if version == "v7" else {})
    server = Server(kind, tmp_path_factory.mktemp(f"{kind}-{version}"), env)
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def endpoint(tmp_path: Path) -> AsyncIterator[Endpoint]:
    """A port where either SDK can be started."""
    endpoint = Endpoint(tmp_path)
    yield endpoint
    endpoint.kill()


async def ask(server: Server, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """One request to the ingress; no body when it is None."""
    async with httpx.AsyncClient(timeout=40) as client:
        content = {} if body is None else {"json": body}
        return await client.post(f"{server.ingress_url}/{path}", headers=headers, **content)


def _personal(value: Any, key: str) -> Any:
    return json.loads(json.dumps(value).replace("KEY", key))


async def _answers(server: Server, key: str) -> list[tuple[str, int, Any]]:
    async def one(path: str, body: Any) -> tuple[str, int, Any]:
        answer = await ask(
            server, path.replace("KEY", key), _personal(body, key), **{"x-mood": "gay"}
        )
        return path, answer.status_code, answer.json() if answer.status_code == 200 else None

    return list(await asyncio.gather(*(one(path, body) for path, body, _, _ in QUESTIONS)))


def _expected(key: str) -> list[tuple[str, int, Any]]:
    return [(path, status, _personal(answer, key)) for path, _, status, answer in QUESTIONS]


@pytest.mark.parametrize("sdk", SDKS)
async def test_every_context_method_answers_alike(
    server: Server, endpoint: Endpoint, sdk: str
) -> None:
    """Each method of each context gives the same result, whichever SDK and server."""
    await endpoint.start(sdk)
    await server.register(endpoint.uri, force=True)
    assert await _answers(server, f"asked-{sdk}") == _expected(f"asked-{sdk}")


async def test_the_built_in_server_answers_alike(server: Server, endpoint: Endpoint) -> None:
    """`rtour.serve` needs no ASGI server and changes no answer."""
    await endpoint.start("rtour", "rtour")
    await server.register(endpoint.uri, force=True)
    assert await _answers(server, "key-served") == _expected("key-served")


async def test_request_response_over_http1_answers_alike(
    server: Server, endpoint: Endpoint
) -> None:
    """Over HTTP/1.1 each wait suspends and resumes; the answers stay the same."""
    await endpoint.start("rtour", "rtour")
    await server.register(endpoint.uri, force=True, use_http_11=True)
    assert await _answers(server, "key-http1") == _expected("key-http1")


# --- journals ----------------------------------------------------------------------------------

_SCRUBBED = [
    (re.compile(r"inv_1\w+"), "INVOCATION"),
    (re.compile(r"sign_1[\w-]+"), "AWAKEABLE"),
    (re.compile(r"key-(restate|rtour)"), "KEY"),
    (re.compile(r'"\d{4}-\d\d-\d\dT[^"]+"'), '"TIME"'),
    (re.compile(r"\b1[789]\d{11}\b"), "TIME"),
    (re.compile(r"\b1[789]\d{8}\.\d+"), "TIME"),
]
_BYTES = re.compile(r"\[\d+(?:,\d+)+\]")


async def _journal(server: Server, path: str, key: str) -> list[tuple[Any, ...]]:
    invocations = await server.sql(
        "SELECT id FROM sys_invocation WHERE target = "
        f"'{path.replace('KEY', key)}' ORDER BY created_at DESC LIMIT 1"
    )
    rows = await server.sql(
        "SELECT entry_type, name, entry_json FROM sys_journal "
        f"WHERE id = '{invocations[0]['id']}' ORDER BY \"index\""
    )
    return [
        (row["entry_type"], row.get("name") or "", _scrub(row.get("entry_json") or ""))
        for row in rows
    ]


def _scrub(text: str) -> str:
    """Readable bytes, and none of what differs between any two invocations."""
    text = _BYTES.sub(lambda found: bytes(json.loads(found[0])).decode(errors="replace"), text)
    for pattern, replacement in _SCRUBBED:
        text = pattern.sub(replacement, text)
    return text


# Their journals hold nothing that two runs of one SDK would not share.
COMPARED = [
    path
    for path, *_ in QUESTIONS
    if path not in {"Kitchen/chance", "Kitchen/request", "Kitchen/combinators"}
]


async def test_journals_are_equal_entry_by_entry(server: Server, endpoint: Endpoint) -> None:
    """Types, names, ids and values of all entries are those of the official SDK."""
    journals: dict[str, dict[str, Any]] = {}
    for sdk in SDKS:
        await endpoint.start(sdk)
        await server.register(endpoint.uri, force=True)
        key = f"key-{sdk}"
        await _answers(server, key)
        journals[sdk] = {path: await _commands(server, path, key) for path in COMPARED}
        endpoint.kill()
    assert journals["rtour"] == journals["restate"]


async def _commands(server: Server, path: str, key: str) -> list[tuple[Any, ...]]:
    """The entries that the SDK wrote; those of the server come in any order."""
    entries = await _journal(server, path, key)
    return [entry for entry in entries if entry[0].startswith("Command:")][1:]


# --- one invocation, two SDKs --------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [SDKS, SDKS[::-1]])
async def test_one_sdk_finishes_what_the_other_began(
    server: Server, endpoint: Endpoint, first: str, second: str
) -> None:
    """A service that changes its SDK under an invocation in flight does not notice."""
    await endpoint.start(first)
    await server.register(endpoint.uri, force=True)
    sent = (await ask(server, "Kitchen/relay/send")).json()["invocationId"]

    async def waiting() -> int:
        rows = await server.sql(
            f"SELECT count(1) AS n FROM sys_journal WHERE id = '{sent}' "
            "AND entry_type LIKE 'Notification:%'"
        )
        return int(rows[0]["n"])

    await eventually("all but the awakeable", waiting, lambda count: count >= 3)
    endpoint.kill()
    await endpoint.start(second)
    awakeable = _awakeable_of(sent)
    resolved = await ask(server, f"restate/awakeables/{awakeable}/resolve", "plum")
    assert resolved.status_code == 202, resolved.text
    async with httpx.AsyncClient(timeout=40) as client:
        url = f"{server.ingress_url}/restate/invocation/{sent}/attach"
        assert (await client.get(url)).json() == [True, "16", "plum"]


def _awakeable_of(invocation_id: str) -> str:
    from rtour import ids

    return ids.awakeable_id(invocation_id, 17)


@pytest.mark.parametrize("sdk", SDKS)
async def test_cancellation_reaches_the_callees(
    server: Server, endpoint: Endpoint, sdk: str
) -> None:
    """A cancelled handler compensates; what it waited for is cancelled, too."""
    await endpoint.start(sdk)
    await server.register(endpoint.uri, force=True)
    sent = (await ask(server, "Kitchen/patient/send")).json()["invocationId"]

    async def children() -> list[dict[str, Any]]:
        return await server.sql(
            f"SELECT id, completion_failure FROM sys_invocation WHERE invoked_by_id = '{sent}'"
        )

    await eventually("two callees", children, lambda rows: len(rows) == 2)
    async with httpx.AsyncClient(timeout=40) as client:
        await client.patch(f"{server.admin_url}/invocations/{sent}/cancel")
        answer = await client.get(f"{server.ingress_url}/restate/invocation/{sent}/attach")
    assert (answer.status_code, answer.json()["message"]) == (499, "undone after 409")
    ended = await eventually(
        "both cancelled", children, lambda rows: all(row.get("completion_failure") for row in rows)
    )
    assert all("409" in row["completion_failure"] for row in ended)
