"""Requests wait for their answers, and only for theirs."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

import pytest

from rtour.engine.actions import Finished, NotFound, Outcome, Respond, Verdict
from rtour.engine.commands import Attach, Cancel, Command, Detach, Invoke
from rtour.engine.model import FromIngress, HandlerType, RequestSink, Target
from rtour.protocol.messages import Value
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
    assert requests.answered == {"completed": 1}


async def test_cancelled_waiters_are_forgotten() -> None:
    """A client that goes away frees its place."""
    requests = Requests(lambda command: None, 1, pending_max=1)
    loop = asyncio.get_running_loop()
    task = loop.create_task(requests.ask(lambda number: Cancel("a", number)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await requests.ask(lambda number: Cancel("b", number))
    assert requests.answered == {"overloaded_error": 1}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert requests.pending == 0


async def test_callers_do_not_keep_operators_out() -> None:
    """Who waits for an invocation's end and who waits for a commit are counted apart."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1, pending_max=1)
    loop = asyncio.get_running_loop()
    caller = loop.create_task(requests.ask(lambda number: Attach("a", RequestSink(number))))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await requests.ask(lambda number: Attach("b", RequestSink(number)))
    operator = loop.create_task(requests.ask(lambda number: Cancel("a", number)))
    await asyncio.sleep(0)
    assert [type(command) for command in proposed] == [Attach, Cancel]
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    again = loop.create_task(requests.ask(lambda number: Attach("b", RequestSink(number))))
    await asyncio.sleep(0)
    assert requests.pending == 2
    for task in (operator, again):
        task.cancel()
    await asyncio.gather(operator, again, return_exceptions=True)


async def test_nobody_keeps_the_body_of_a_call() -> None:
    """While a call waits for its answer, only the processor may still have its command."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)

    def invoke(number: int) -> Command:
        return Invoke("a", Target("S", "h"), FromIngress(), sink=RequestSink(number))

    waiting = asyncio.get_running_loop().create_task(requests.ask(invoke))
    await asyncio.sleep(0)
    references = sys.getrefcount(proposed[0])
    assert references == 2  # the list's, and that of who counts
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


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
    assert requests.answered == {"unavailable_error": 2}


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
    assert requests.answered == {"internal_error": 1, "completed": 1}


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


def call(number: int, id_: str = "a", *, fresh: bool = False) -> Invoke:
    return Invoke(id_, Target("S", "h"), FromIngress(), sink=RequestSink(number), fresh=fresh)


def attach(number: int) -> Attach:
    return Attach("a", RequestSink(number))


async def test_who_waits_for_the_same_waits_together() -> None:
    """However many call with one key or attach, the engine hears of one, and all are answered."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(requests.ask(make)) for make in (call, attach, call, attach)]
    await asyncio.sleep(0)
    assert proposed == [call(1)]
    assert requests.pending == 4
    result = Finished("a", Value(b"1"))
    requests.resolve(Respond(1, result))
    late = loop.create_task(requests.ask(attach))
    assert await asyncio.gather(*tasks) == [result] * 4
    assert proposed == [call(1), attach(5)], "who comes after the answer asks anew"
    requests.resolve(Respond(5, result))
    assert await late == result
    assert requests.pending == 0


async def test_a_call_does_not_join_those_who_only_look() -> None:
    """Who attaches may hear that there is no such invocation; a call makes it."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)
    loop = asyncio.get_running_loop()
    looking, calling = (loop.create_task(requests.ask(make)) for make in (attach, call))
    await asyncio.sleep(0)
    assert proposed == [attach(1), call(2)]
    requests.resolve(Respond(1, NotFound("a")))
    requests.resolve(Respond(2, Finished("a", Value(b"1"))))
    assert await looking == NotFound("a")
    assert await calling == Finished("a", Value(b"1"))


async def test_calls_without_a_key_are_their_own() -> None:
    """And so are runs of a workflow, of which the second is refused."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)
    loop = asyncio.get_running_loop()
    run = Target("W", "run", key="k", handler_type=HandlerType.WORKFLOW)
    tasks = [
        loop.create_task(requests.ask(make))
        for make in (
            partial(call, fresh=True),
            partial(call, fresh=True),
            lambda number: Invoke("w", run, FromIngress(), sink=RequestSink(number)),
            lambda number: Invoke("w", run, FromIngress(), sink=RequestSink(number)),
        )
    ]
    await asyncio.sleep(0)
    assert len(proposed) == 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_last_to_leave_takes_the_waiting_back() -> None:
    """Who asked first may leave: the others still hear of the end."""
    proposed: list[Command] = []
    requests = Requests(proposed.append, 1)
    loop = asyncio.get_running_loop()
    first, second, third = (loop.create_task(requests.ask(attach)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert proposed == [attach(1)]
    for task in (second, third):
        task.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert proposed == [attach(1), Detach("a", 1)]
    assert requests.pending == 0


async def test_all_of_a_party_hear_of_a_failure() -> None:
    """Each caller fails, whoever of them asked the engine."""
    requests = Requests(lambda command: None, 1)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(requests.ask(attach)) for _ in range(2)]
    await asyncio.sleep(0)
    requests.fail(OSError("the disk is full"))
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(failure) for failure in failures] == [Unavailable] * 2
    assert requests.answered == {"unavailable_error": 2}
