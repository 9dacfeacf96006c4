"""Journal value codecs: no value reaches a journal uncoded, and replays still work."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import httpx
import pytest

import rtour
from rtour.protocol import messages as m
from rtour.sdk.ingress import Client, Retries
from tests.sdk.peer import Peer

pytestmark = pytest.mark.usefixtures("either_loop")

service = rtour.VirtualObject("S")
workflow = rtour.Workflow("W")


class Sealing(rtour.JournalValueCodec):
    """Differs each time, like encryption; decoding takes a while, like a key service."""

    def __init__(self) -> None:
        self._salt = itertools.count()

    def encode(self, buf: bytes) -> bytes:
        return b"sealed:%d:" % next(self._salt) + buf[::-1]

    async def decode(self, buf: bytes) -> bytes:
        await asyncio.sleep(0)
        word, _, rest = buf.partition(b":")
        assert word == b"sealed", buf
        return rest.partition(b":")[2][::-1]


CODEC = Sealing()


async def step(number: int) -> int:
    return number


@service.handler()
async def everything(ctx: rtour.ObjectContext, name: str) -> list[Any]:
    ctx.set("name", name)
    ctx.resolve_awakeable("sign_1x", name)
    ctx.resolve_signal("inv_1x", "bell", name)
    ctx.object_send(everything, "k", name)
    one, two = ctx.run_typed("one", step, number=1), ctx.run_typed("two", step, number=2)
    call = ctx.object_call(everything, "k", name)
    winner = await rtour.select(call=call, late=ctx.awakeable()[1])
    both = [await future for future in await rtour.gather(one, two)]
    mapped = await ctx.run_typed("three", step, number=3).map(lambda n: n + 1)
    timed = await ctx.run_typed("four", step, number=4).or_timeout(timedelta(hours=1))
    side_by_side = await asyncio.gather(*(ctx.run_typed(f"n{n}", step, number=n) for n in (5, 6)))
    return [await ctx.get("name"), winner, both, mapped, timed, side_by_side]


def sealed_values(journal: list[m.Message]) -> list[bytes]:
    """All bytes of values in a journal."""
    values = []
    for entry in journal:
        for field in ("value", "parameter", "result", "completion"):
            value = getattr(entry, field, None)
            if isinstance(value, m.Value):
                value = value.content
            if isinstance(value, bytes):
                values.append(value)
    return values


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("version", [6, 7])
async def test_every_value_is_coded(version: int, seed: int) -> None:
    """Inputs, outputs, state, arguments, results: all coded; cut anywhere, all decoded."""
    peer = Peer(service, version=version, seed=seed, cuts=0.3, key="k")
    peer.endpoint.set_journal_value_codec(CODEC)
    peer.answers = lambda _call: m.Value(CODEC.encode(b'"answer"'))
    peer.completes_timers = False
    await peer.invoke_raw("S/everything", CODEC.encode(b'"Ada"'))
    output = next(x for x in reversed(peer.journal) if isinstance(x, m.Output))
    assert isinstance(output.result, m.Value)
    assert await CODEC.decode(output.result.content) == (
        b'["Ada", ["call", "answer"], [1, 2], 4, 4, [5, 6]]'
    )
    assert all(value.startswith(b"sealed:") for value in sealed_values(peer.journal))


async def test_a_provider_is_asked_once() -> None:
    """Keys may have to be fetched: by the first invocation, not by each."""
    asked: list[int] = []

    async def provider() -> rtour.JournalValueCodec:
        asked.append(1)
        await asyncio.sleep(0)
        return CODEC

    echo = rtour.Service("Echo")

    @echo.handler()
    async def same(ctx: rtour.Context, text: str) -> str:
        return text

    peers = [Peer(echo) for _ in range(3)]
    for peer in peers:
        peer.endpoint = peers[0].endpoint
    peers[0].endpoint.set_journal_value_codec(provider)
    await asyncio.gather(*(peer.invoke_raw("Echo/same", CODEC.encode(b'"x"')) for peer in peers))
    assert len(asked) == 1
    assert all(peer.commands()[-1] for peer in peers)


@workflow.main()
async def promise(ctx: rtour.WorkflowContext) -> str:
    try:
        return await ctx.promise("p", type_hint=str)
    except ValueError:
        return "unreadable"


async def test_what_cannot_be_decoded_is_raised_at_the_await() -> None:
    """A wrong key is an error of the value, there where it is wanted."""

    class Wrong(Sealing):
        async def decode(self, buf: bytes) -> bytes:
            raise ValueError("wrong key")

    peer = Peer(workflow, key="k")
    peer.endpoint.set_journal_value_codec(Wrong())
    completion = m.Notification(m.MessageType.GET_PROMISE_COMPLETION, 1, m.Value(b"?"))
    peer.journal_at_start = [completion]
    await peer.invoke_raw("W/promise", b"")
    output = peer.commands()[-1]
    assert isinstance(output, m.Output)
    assert isinstance(output.result, m.Value)
    assert output.result.content.endswith(b'"elbadaernu"')


async def test_clients_use_the_same_codec() -> None:
    """Requests are coded as the handler expects them; its answers are decoded."""
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        if request.url.path.endswith("/send"):
            return httpx.Response(202, json={"invocationId": "inv_1x"})
        return httpx.Response(200, content=CODEC.encode(b"[1]"))

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://r")
    client = Client(http, Retries(), CODEC)
    assert await client.object_call(everything, "k", "Ada") == [1]
    assert (await client.object_send(everything, "k", "Ada")).invocation_id == "inv_1x"
    assert await client.attach("inv_1x") == [1]
    assert [body[:7] for body in bodies] == [b"sealed:", b"sealed:", b""]
