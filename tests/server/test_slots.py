"""More attempts than may run: who waits, and for whom."""

from __future__ import annotations

import asyncio

from rtour.engine.commands import Kill, Pause
from rtour.engine.model import Status
from rtour.protocol import messages as m
from rtour.protocol.messages import End, Output, Value
from rtour.server.attempt_errors import failure
from tests.server.rig import Rig, counter, greeter
from tests.server.scenarios import on_rig, opening


def test_attempts_beyond_the_limit_wait_their_turn() -> None:
    """No more attempts run at once than the limit; the next starts when one ends."""

    async def scenario(rig: Rig) -> None:
        answers = [rig.invoke(greeter())[1] for _ in range(3)]
        first, second = await rig.attempt(), await rig.attempt()
        await rig.settled()
        assert rig.transport.waiting == 0
        first.say(Output(Value()), End())
        third = await rig.attempt()
        for exchange in (second, third):
            exchange.say(Output(Value()), End())
        await asyncio.gather(*answers)

    on_rig(scenario, concurrent=2)


def test_attempts_that_only_wait_make_room() -> None:
    """While others want their slots, idle handlers are asked to suspend; busy ones are not."""

    async def scenario(rig: Rig) -> None:
        sleeper, _ = rig.invoke(greeter())
        sleeping = await rig.attempt()
        await opening(sleeping)
        sleeping.say(m.Sleep(rig.clock.now_ms() + 60_000, 1))
        rig.invoke(counter())
        busy = await rig.attempt()
        _, answer = rig.invoke(greeter())  # no slot is left for it
        await asyncio.sleep(0.9)
        busy.say(m.SetState(b"a", b"1"))
        assert await sleeping.hear() is None
        assert not busy.request_ended
        sleeping.say(m.Suspension(m.Future((1,))))
        third = await rig.attempt()
        third.say(Output(Value()), End())
        await answer
        assert await rig.status(sleeper) is Status.SUSPENDED

    on_rig(scenario, concurrent=2)


def test_an_endpoint_that_hangs_costs_only_itself() -> None:
    """However many wait for it, others find a slot at once."""

    async def scenario(rig: Rig) -> None:
        for _ in range(50):
            rig.invoke(greeter())
        hanging = [await rig.attempt() for _ in range(16)]
        await rig.settled()
        assert rig.transport.waiting == 0
        _, answer = rig.invoke(counter())
        other = await rig.attempt()
        assert other.path == "/invoke/Counter/add"
        other.say(Output(Value()), End())
        await answer
        hanging[0].say(Output(Value()), End())
        assert (await rig.attempt()).path == "/invoke/Greeter/greet"

    on_rig(scenario, concurrent=16)


def test_a_thousand_that_cannot_run_fail_one_after_the_other() -> None:
    """Where nothing serves what waits, each is tried in turn: slots are not given out in depth."""

    async def scenario(rig: Rig) -> None:
        first, _ = rig.invoke(greeter())
        running = await rig.attempt()
        waiting = [rig.invoke(greeter())[0] for _ in range(2000)]
        await rig.settled()
        rig.gone = failure("RT0011", "no deployment serves it")
        running.say(Output(Value()), End())
        assert await rig.status(first) is Status.COMPLETED
        failed = {activation.invocation.id for activation in rig.invoker.activations()}
        assert failed == set(waiting)
        assert all(activation.spent == 1 for activation in rig.invoker.activations())

    on_rig(scenario, concurrent=1)


def test_a_service_faster_than_the_disk_waits_for_it() -> None:
    """What it sends is not read while too much of what it sent is not durable."""

    async def scenario(rig: Rig) -> None:
        durable = asyncio.Event()
        rig.making_room = durable.wait
        id_, answer = rig.invoke(counter())
        attempt = await rig.attempt()
        attempt.say(m.SetState(b"a", b"x" * 60))
        attempt.say(m.SetState(b"b", b"x" * 60))
        attempt.say(m.SetState(b"c", b"x" * 60))
        await rig.settled()
        stored = rig.storage.view.invocation(id_)
        assert stored is not None
        assert stored.commands == 2
        durable.set()
        attempt.say(Output(Value()), End())
        await answer

    on_rig(scenario)


def test_a_long_line_waits_in_storage() -> None:
    """Memory holds its beginning; those who were killed or paused there get no slot."""

    async def scenario(rig: Rig) -> None:
        first, _ = rig.invoke(greeter())
        running = await rig.attempt()
        waiting = [rig.invoke(greeter()) for _ in range(10)]
        await rig.settled()
        held = {activation.invocation.id for activation in rig.invoker.activations()}
        assert held == {first, *(id_ for id_, _ in waiting[:2])}
        assert rig.invoker.waiting == (10, 0)
        rig.propose(Kill(waiting[3][0]))
        rig.propose(Pause(waiting[5][0]))
        assert await rig.status(waiting[5][0]) is Status.PAUSED, "at once, not when its turn comes"
        for _ in range(8):
            running.say(Output(Value()), End())
            running = await rig.attempt()
        running.say(Output(Value()), End())
        await rig.settled()
        ended = [number for number, (_, answer) in enumerate(waiting) if answer.done()]
        assert ended == [0, 1, 2, 3, 4, 6, 7, 8, 9]

    on_rig(scenario, concurrent=1, window=2)
