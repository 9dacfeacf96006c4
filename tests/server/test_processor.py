"""The processor: batches, order, and what happens when a commit or a decision fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from rtour.engine.actions import Accepted, Action, Outcome, Respond, StartAttempt, Verdict
from rtour.engine.changes import Change
from rtour.engine.commands import Command, Invoke, Kill, Purge, Signal, StoreEntry
from rtour.engine.model import FromIngress, Target
from rtour.protocol.encoding import encode_payload
from rtour.protocol.messages import MessageType, Run, Value
from rtour.server.processor import BATCH_COMMANDS_MAX, LINGER_S, Processor
from rtour.storage import Recovered
from rtour.storage.memory import MemoryStorage
from tests.virtual_time import VirtualClock, run


class ManualStorage(MemoryStorage):
    """Commits when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Callable[[BaseException | None], None]] = []
        self.writes_at_commit: list[int] = []
        self.writes = 0

    def write(self, changes: Iterable[Change], *, sequence: int, at: int) -> None:
        self.writes += 1
        super().write(changes, sequence=sequence, at=at)

    def commit(self, done: Callable[[BaseException | None], None]) -> None:
        self.commits.append(done)
        self.writes_at_commit.append(self.writes)


class Bench:
    """A processor and what came out of it."""

    def __init__(self, clock: VirtualClock, **limits: int) -> None:
        self.storage = ManualStorage()
        self.actions: list[Action] = []
        self.defects: list[Command] = []
        self.fatal: list[BaseException] = []
        self.processor = Processor(
            self.storage,
            clock,
            self.actions.append,
            on_defect=lambda command, _error: self.defects.append(command),
            on_fatal=self.fatal.append,
            **limits,
        )
        self.processor.start(self.storage.recover())

    def commit(self, error: BaseException | None = None) -> None:
        self.storage.commits.pop(0)(error)


def invoke(number: int) -> Invoke:
    target = Target("Greeter", "greet")
    return Invoke(f"inv_{number}", target, FromIngress(), accept_request_id=number)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_actions_wait_for_the_commit() -> None:
    """Nothing is told to the outside before it is durable."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        assert bench.storage.view.invocation("inv_1") is not None
        assert bench.actions == []
        bench.commit()
        assert [type(action) for action in bench.actions] == [StartAttempt, Respond]

    run(main)


def test_a_second_batch_gathers_while_the_first_commits() -> None:
    """Commands that come during a commit are applied at once and committed together after it."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        for number in range(2, 7):
            bench.processor.propose(invoke(number))
        await turn()
        assert bench.storage.writes_at_commit == [1]
        assert bench.storage.view.invocation("inv_6") is not None
        bench.commit()
        assert bench.storage.writes_at_commit == [1, 6]
        bench.commit()
        answers = [a.request_id for a in bench.actions if isinstance(a, Respond)]
        assert answers == [1, 2, 3, 4, 5, 6]

    run(main)


def test_an_answer_from_what_is_not_yet_durable_waits_too() -> None:
    """A command that only reads is answered after the batch whose writes it may have seen."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        bench.processor.propose(Purge("inv_1", request_id=9))
        await turn()
        assert bench.actions == []
        bench.commit()
        refused = bench.actions[-1]
        assert isinstance(refused, Respond)
        assert isinstance(refused.response, Outcome)
        assert refused.response.verdict is Verdict.CONFLICT

    run(main)


def test_a_read_alone_needs_no_commit() -> None:
    """With nothing written and nothing under way, an answer goes out at once."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(Kill("inv_1", request_id=3))
        await turn()
        assert bench.storage.commits == []
        assert len(bench.actions) == 1

    run(main)


def test_a_failed_commit_is_the_end() -> None:
    """After a commit that may be lost, no action goes out and no command is taken."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        bench.commit(OSError("disk gone"))
        assert [str(error) for error in bench.fatal] == ["disk gone"]
        bench.processor.propose(invoke(2))
        await turn()
        assert bench.actions == []
        assert bench.storage.commits == []

    run(main)


def test_a_command_the_engine_cannot_decide_changes_nothing() -> None:
    """A defect is reported with its command; those after it go on."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        bad = Signal("inv_1", -1, Value(b""))
        bench.processor.propose(bad)
        bench.processor.propose(invoke(2))
        await turn()
        bench.commit()
        assert bench.defects == [bad]
        accepted = [
            a.response.id
            for a in bench.actions
            if isinstance(a, Respond) and isinstance(a.response, Accepted)
        ]
        assert accepted == ["inv_1", "inv_2"]

    run(main)


def test_settled_waits_for_all_that_was_proposed() -> None:
    """`settled` returns when the last proposed command is durable and dispatched."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        waiting = asyncio.get_running_loop().create_task(bench.processor.settled())
        await turn()
        assert not waiting.done()
        bench.commit()
        await waiting
        assert bench.actions

    run(main)


def test_whoever_catches_up_does_not_wait_for_what_comes_later() -> None:
    """Under load, where there is always more to do, it returns all the same."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        loop = asyncio.get_running_loop()
        await bench.processor.caught_up()  # with nothing to wait for
        bench.processor.propose(invoke(1))
        await turn()
        bench.processor.propose(invoke(2))
        idle = loop.create_task(bench.processor.settled())
        second = loop.create_task(bench.processor.caught_up())
        await turn()
        bench.processor.propose(invoke(3))
        bench.commit()
        await turn()
        assert not second.done(), "the second invocation is in the commit under way"
        bench.processor.propose(invoke(4))
        bench.commit()
        await asyncio.wait_for(second, 1)
        assert not idle.done()
        bench.commit()
        await turn()
        await asyncio.wait_for(idle, 1)

    run(main)


def test_nobody_waits_for_a_processor_that_failed() -> None:
    """What will never be durable is not waited for, neither before nor after."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        waiting = asyncio.get_running_loop().create_task(bench.processor.caught_up())
        await turn()
        bench.commit(OSError("the disk is gone"))
        await asyncio.wait_for(waiting, 1)
        bench.processor.propose(invoke(2))
        await asyncio.wait_for(bench.processor.caught_up(), 1)

    run(main)


def test_whoever_brings_much_waits_for_the_disk() -> None:
    """Room is made by commits alone, for one after the other, and a failure lets all go."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock, unstored_bytes_max=10_000)

        async def bring(number: int) -> None:
            await bench.processor.room()
            bench.processor.propose(replace(invoke(number), body=b"x" * 8_000))

        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(bring(number)) for number in range(1, 6)]
        await turn()
        assert bench.processor.proposed == 2, "the second finds room, the third does not"
        for expected in (4, 5):  # both are in one commit, then the next two
            bench.commit()
            await turn()
            assert bench.processor.proposed == expected
        assert all(task.done() for task in tasks)
        last = loop.create_task(bring(6))
        await turn()
        bench.commit(OSError("the disk is gone"))
        await asyncio.wait_for(last, 1)

    run(main)


def test_time_never_runs_back() -> None:
    """A clock that is set back, also between two lives, holds the time of records, no more."""

    class Backwards:
        def now_ms(self) -> int:
            return times.pop(0)

    class Noted(ManualStorage):
        def write(self, changes: Iterable[Change], *, sequence: int, at: int) -> None:
            written.append((sequence, at))

    async def main(_: VirtualClock) -> None:
        storage = Noted()
        processor = Processor(
            storage,
            Backwards(),
            lambda _: None,
            on_defect=lambda *_: None,
            on_fatal=lambda _: None,
        )
        processor.start(Recovered(9, 45, []))
        for number in range(3):
            processor.propose(invoke(number))
        await turn()

    times = [50, 40, 70]
    written: list[tuple[int, int]] = []
    run(main)
    assert written == [(10, 50), (11, 50), (12, 70)]


def test_it_knows_for_how_long_it_has_been_behind() -> None:
    """More than a turn takes is behind, for as long as something is left of it."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        for number in range(2 * BATCH_COMMANDS_MAX + 1):
            bench.processor.propose(invoke(number))
        await turn()
        await asyncio.sleep(1.5)  # of virtual time, in which the disk does not answer
        assert bench.processor.behind_s == 1.5
        bench.commit()
        await turn()
        assert bench.processor.behind_s == 1.5, "still one is left"
        bench.commit()
        await turn()
        assert bench.processor.behind_s == 0


def step(number: int, index: int) -> StoreEntry:
    """A side effect begins, which nobody waits for."""
    entry = Run(index)
    raw = encode_payload(entry)
    return StoreEntry(
        f"inv_{number}", 1, index, entry, MessageType.RUN, raw, "dp_1", protocol_version=6
    )


def test_what_nobody_waits_for_goes_with_what_somebody_does() -> None:
    """That a side effect begins is committed with the next thing that has a consequence."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        bench.commit()
        bench.processor.propose(step(1, 1))
        await turn()
        assert bench.storage.commits == []
        bench.processor.propose(invoke(2))
        await turn()
        assert bench.storage.writes_at_commit == [1, 3]
        bench.commit()
        await asyncio.sleep(2 * LINGER_S)
        assert bench.storage.commits == []

    run(main)


def test_what_nobody_waits_for_is_committed_all_the_same() -> None:
    """Soon, by itself; and whoever wants to see everything durable need not wait so long."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        bench.commit()
        bench.processor.propose(step(1, 1))
        await asyncio.sleep(LINGER_S)
        assert bench.storage.writes_at_commit == [1, 2]
        bench.commit()
        for number, wait in ((2, bench.processor.settled), (3, bench.processor.caught_up)):
            bench.processor.propose(step(1, number))
            await turn()
            assert bench.storage.commits == []
            waiting = asyncio.get_running_loop().create_task(wait())
            await turn()
            bench.commit()
            await waiting

    run(main)


def test_what_comes_without_consequence_during_a_commit_lingers_too() -> None:
    """The commit under way is over; what gathered meanwhile has no one to hurry for."""

    async def main(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.processor.propose(invoke(1))
        await turn()
        bench.processor.propose(invoke(2))
        await turn()
        bench.commit()
        bench.processor.propose(step(1, 1))
        await turn()
        bench.commit()
        assert bench.storage.commits == []
        await asyncio.sleep(LINGER_S)
        assert bench.storage.writes_at_commit == [1, 2, 3]

    run(main)
