"""When the server hears that a side effect has begun: with its result, or a little later."""

from __future__ import annotations

import asyncio

import rtour
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint
from tests.sdk.playbook import ID

service = rtour.Service("Runner")
OPENING = encode(m.Start(ID, "inv_1", 1), 6) + encode(m.Input(value=b""), 6)


@service.handler()
async def quick(ctx: rtour.Context) -> str:
    return await ctx.run_typed("step", lambda: "done")


@service.handler()
async def slow(ctx: rtour.Context) -> None:
    await ctx.run_typed("step", asyncio.Event().wait)


@service.handler()
async def counts(ctx: rtour.ObjectContext) -> None:
    ctx.set("seen", 1)
    await ctx.run_typed("step", asyncio.Event().wait)


class Wire:
    """What an attempt writes, a list of messages for each write."""

    def __init__(self, handler: str) -> None:
        self.writes: list[list[m.Message]] = []
        self._written = asyncio.Event()
        headers = {"content-type": "application/vnd.restate.invocation.v6"}
        answer = (
            Endpoint().bind(service).answer(f"/invoke/Runner/{handler}", headers, can_stream=True)
        )
        assert isinstance(answer, Accepted), answer
        self.attempt: Attempt = answer.begin(self._on_write, lambda: None)
        self.attempt.on_data(OPENING)

    def _on_write(self, data: bytes) -> None:
        decoder = Decoder()
        decoder.feed(data)
        messages = []
        while (frame := decoder.next_frame()) is not None:
            messages.append(decode(frame.type, frame.payload, 6))
        self.writes.append(messages)
        self._written.set()

    async def first(self) -> list[m.Message]:
        """The messages of the first write."""
        await asyncio.wait_for(self._written.wait(), 10)
        self.attempt.on_lost()
        return self.writes[0]


async def test_a_quick_run_is_told_with_its_result() -> None:
    """One write carries that the side effect has begun, and what came of it."""
    assert await Wire("quick").first() == [
        m.Run(1, "step"),
        m.ProposeRunCompletion(1, m.Value(b'"done"')),
    ]


async def test_a_slow_run_is_told_before_it_ends() -> None:
    """People want to see what a handler is at."""
    assert await Wire("slow").first() == [m.Run(1, "step")]


async def test_other_commands_take_it_along_at_once() -> None:
    """What somebody may wait for is not held back: it is written when the handler waits."""
    wire = Wire("counts")
    for _ in range(5):  # turns of the loop, in which no timer is due yet
        await asyncio.sleep(0)
    assert wire.writes == [[m.SetState(b"seen", b"1"), m.Run(1, "step")]]
    await wire.first()
