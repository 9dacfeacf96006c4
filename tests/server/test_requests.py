"""Requests wait for their answers, and only for theirs."""

from __future__ import annotations

import asyncio

import pytest

from rtour.engine.actions import NotFound, Outcome, Respond, Verdict
from rtour.engine.commands import Attach, Cancel, Command, Detach
from rtour.engine.model import RequestSink
from rtour.server.requests import Overloaded, Requests, Unavailable


async def test_answers_find_their_requests() -> None:
    """Answers in another order reach whoever asked."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 7)
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(requests.ask(lambda number, id_=id_: Cancel(id_, number)))
        for id_ in ("a", "b")
    ]
    await asyncio.sleep(0)
    assert proposed == [Cancel("a", 7), Cancel("b", 8)]
    requests.resolve(Respond(8, NotFound("b")))
    requests.resolve(Respond(7, NotFound("a")))
    assert await asyncio.gather(*tasks) == [NotFound("a"), NotFound("b")]
    assert requests.pending == 0


async def test_unwanted_answers_are_dropped() -> None:
    """An answer nobody waits for, or a second one, does nothing."""
    requests = Requests(lambda command: None, 1)
    requests.resolve(Respond(99, Outcome(Verdict.DONE)))
    task = asyncio.get_running_loop().create_task(requests.ask(lambda number: Cancel("a", number)))
    await asyncio.sleep(0)
    requests.resolve(Respond(1, NotFound("a")))
    requests.resolve(Respond(1, NotFound("b")))
    assert await task == NotFound("a")


async def test_cancelled_waiters_are_forgotten() -> None:
    """A client that goes away frees its place."""
    requests = Requests(lambda command: None, 1, pending_max=1)
    loop = asyncio.get_running_loop()
    task = loop.create_task(requests.ask(lambda number: Cancel("a", number)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await requests.ask(lambda number: Cancel("b", number))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert requests.pending == 0


async def test_fail() -> None:
    """When no answer can come any more, those who wait and those who come hear of it."""
    requests = Requests(lambda command: None, 1)
    task = asyncio.get_running_loop().create_task(requests.ask(lambda number: Cancel("a", number)))
    await asyncio.sleep(0)
    requests.fail(OSError("the disk is full"))
    with pytest.raises(Unavailable, match="the disk is full"):
        await task
    with pytest.raises(Unavailable, match="the disk is full"):
        await requests.ask(lambda number: Cancel("b", number))


async def test_refuse() -> None:
    """A command that could not be carried out fails its own request only."""
    requests = Requests(lambda command: None, 1)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(requests.ask(lambda number: Cancel("a", number))) for _ in range(2)]
    await asyncio.sleep(0)
    requests.refuse(1, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await tasks[0]
    requests.resolve(Respond(2, NotFound("a")))
    assert await tasks[1] == NotFound("a")


async def test_a_client_that_goes_away_leaves_nothing_in_the_engine() -> None:
    """What waits for an end by a number that nobody holds any more is taken back."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)
    loop = asyncio.get_running_loop()
    attaching = loop.create_task(requests.ask(lambda number: Attach("a", RequestSink(number))))
    cancelling = loop.create_task(requests.ask(lambda number: Cancel("b", number)))
    answered = loop.create_task(requests.ask(lambda number: Attach("c", RequestSink(number))))
    await asyncio.sleep(0)
    requests.resolve(Respond(3, NotFound("c")))
    await answered
    attaching.cancel()
    cancelling.cancel()
    await asyncio.gather(attaching, cancelling, return_exceptions=True)
    assert proposed[3:] == [Detach("a", 1)]
