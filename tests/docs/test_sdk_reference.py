"""Every example of the SDK's reference runs: as one program, and its handlers on a peer."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import httpx
import pytest

from rtour.protocol import messages as m
from rtour.sdk.ingress import Client, Retries
from tests.sdk.peer import Peer

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sdk.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The names that the page's examples define, in their order."""
    module = sys.modules["docs_sdk"] = types.ModuleType("docs_sdk")
    for number, block in enumerate(BLOCKS):
        code = compile(block, f"sdk.md[{number}]", "exec", dont_inherit=True)
        exec(code, module.__dict__)
    return module.__dict__


def hello(call: m.Call) -> m.Value:
    """Plays the callees: Greeter greets, Counter counts to 3."""
    if call.service_name == "Counter":
        return m.Value(b"3")
    return m.Value(json.dumps(f"Hello {json.loads(call.parameter)}").encode())


EXAMPLES: list[tuple[str, str, Any, Any]] = [
    ("greeter", "Greeter/greet", "Ada", "Hello Ada"),
    ("counter", "Counter/add", 2, 2),
    ("counter", "Counter/total", None, 0),
    ("shop", "Shop/total_of", [{"item": "a", "price": "1.1"}, {"item": "b", "price": "2"}], "3.1"),
    ("shop", "Shop/pay", 5, "charged 5"),
    ("shop", "Shop/visit", "Ada", "Hello Ada, 3 and 3"),
    ("shop", "Shop/side_by_side", ["a", "b"], ["Hello Hello a", "Hello Hello b"]),
    ("shop", "Shop/reserve", "tea", "Hello tea"),
    ("stock", "Stock/count", None, "counted with a connection"),
    ("traced", "Traced/quote", "tea", "tea: 3.00"),
]


@pytest.mark.parametrize(("service", "path", "body", "result"), EXAMPLES)
async def test_examples(
    page: dict[str, Any], service: str, path: str, body: Any, result: Any
) -> None:
    """Each example does what the page says, also when it is replayed."""
    for cuts in (0.0, 0.5):
        peer = Peer(page[service], cuts=cuts, key="k")
        peer.answers = hello
        assert await peer.invoke(path, body) == result


async def test_quotes(page: dict[str, Any]) -> None:
    """The combinators' example: answers, whichever of them came in time."""
    peer = Peer(page["shop"])
    peer.answers = hello
    result = await peer.invoke("Shop/quotes", ["a", "b"])
    if isinstance(result, m.Failure):  # the peer's timer was faster
        assert result.code == 408
    else:
        assert result[:2] == ["Hello a", "Hello b"]
        assert result[2] in ("Hello x", "too late")


async def test_compensation(page: dict[str, Any]) -> None:
    """The example of errors undoes what it did, in reverse, and fails as its callee did."""
    peer = Peer(page["shop"])
    peer.answers = lambda _call: m.Failure(418, "teapot")
    assert await peer.invoke("Shop/reserve", "tea") == m.Failure(418, "teapot")
    names = [command.name for command in peer.commands() if isinstance(command, m.Run)]
    assert names == ["reserve", "release"]


async def test_workflow(page: dict[str, Any]) -> None:
    """The workflow waits for its promise."""
    peer = Peer(page["signup"], key="k")
    peer.signal(m.Notification(m.MessageType.GET_PROMISE_COMPLETION, 2, m.Value(b'"s"')))
    assert await peer.invoke("Signup/run", "a@b") == "a@b: s"


async def test_client(page: dict[str, Any]) -> None:
    """The ingress client's example speaks the ingress' language."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/send"):
            return httpx.Response(202, json={"invocationId": "inv_1x"})
        return httpx.Response(200, content=b"1" if "total" in request.url.path else b'"Hello"')

    class Fake:
        async def __aenter__(self) -> Client:
            http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://r")
            return Client(http, Retries())

        async def __aexit__(self, *_: object) -> None: ...

    class Patched:
        def __getattr__(self, name: str) -> Any:
            return getattr(page["rtour"], name)

        def create_client(self, *_: Any, **__: Any) -> Fake:
            return Fake()

    main = page["main"]
    real = main.__globals__["rtour"]
    main.__globals__["rtour"] = Patched()
    try:
        assert await main("http://r") == ("Hello", 1)
    finally:
        main.__globals__["rtour"] = real
    assert asked == [
        "/Greeter/greet",
        "/Counter/ada/add/send",
        "/restate/invocation/inv_1x/attach",
        "/Counter/ada/total",
    ]


async def test_testing(page: dict[str, Any]) -> None:
    """The examples of tests are such, and pass."""
    await page["test_counting"]()
    await page["test_adding_later"]()


def test_the_page_has_examples() -> None:
    """The runner sees all of them."""
    assert len(BLOCKS) >= 10
