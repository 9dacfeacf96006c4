"""Any order of commands: the engine and a plain reference must agree on every row and answer.

The same commands also run on SQLite, in step: both storages must lead to the same decisions.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rtour.engine import commands as c
from rtour.engine.actions import Finished, NotFound
from rtour.engine.model import AttemptError, Entry, RequestSink, StatePatch, Status
from rtour.protocol import messages as m
from rtour.protocol.framing import decode
from rtour.storage import Storage
from rtour.storage.memory import MemoryStorage
from rtour.storage.settings import SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.storage.values import durable

from .reference import LIVE, Reference, Run
from .world import World

TARGETS = {
    "a": "Greeter/greet",
    "o1": "Object/k/write",
    "o2": "Object/k/write",
    "o3": "Object/k/write",
    "w": "Flow/w/run",
}
names = st.sampled_from(sorted(TARGETS))
pick = st.integers(0, 1000)
ERROR = AttemptError(500, "boom")


class EngineMachine(RuleBasedStateMachine):
    """Each rule does one thing to the engine and to the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.worlds = [World(storage) for storage in self.storages()]
        self.world = self.worlds[0]
        for world in self.worlds:
            world.ids = self.world.ids
        self.reference = Reference()
        self.requests = 0
        self.completions: Counter[str] = Counter()
        self.journals: dict[int, list[Entry]] = {}

    def storages(self) -> list[Storage]:
        return [MemoryStorage()]

    def do(self, verb: str, *args, **fields) -> None:
        """On all worlds; they must decide the same."""
        told = [getattr(world, verb)(*args, **fields) for world in self.worlds]
        for others in told[1:]:
            for step, other in zip(told[0], others, strict=True):
                for part in ("changes", "actions", "messages"):
                    assert getattr(other.decision, part) == getattr(step.decision, part)
        self.reference.deliver()

    def request(self) -> int:
        self.requests += 1
        return self.requests

    def completion(self, name: str, count: int = 1) -> int:
        """The last of `count` fresh completion ids."""
        self.completions[name] += count
        return self.completions[name]

    def those(self, *statuses: str) -> list[str]:
        return sorted(n for n, run in self.reference.runs.items() if run.status in statuses)

    def invoked(self, which: int) -> str:
        running = self.those("invoked")
        return running[which % len(running)]

    def any_running(self) -> bool:
        return bool(self.those("invoked"))

    # --- requests --------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Something runs from the start: rules about running ones are most of all."""
        for name in ("a", "o1", "o2", "w"):
            self.invoke(name, keep=False, later=False)

    @rule(name=names, keep=st.booleans(), later=st.booleans())
    def invoke(self, name: str, keep: bool, later: bool) -> None:
        request = self.request()
        if name not in self.reference.runs:
            self.completions[name] = 0
        self.reference.invoke(name, ("request", request), keep=keep, later=later)
        kept = (10**6, 10**6) if keep else (0, 0)
        start_at = 9000 if later else None
        self.do("invoke", name, TARGETS[name], reply=request, keep=kept, start_at=start_at)

    @rule(name=names, index=st.sampled_from([None, 17, 18]))
    def attach_or_signal(self, name: str, index: int | None) -> None:
        if index is None:
            request = self.request()
            self.reference.attach(name, ("request", request))
            self.do("apply", c.Attach(self.world.id(name), RequestSink(request)))
            return
        run = self.reference.runs.get(name)
        if run:
            self.reference.notify(name, run, f"s{index}")
        self.do("apply", c.Signal(self.world.id(name), index, m.VOID))

    @precondition(lambda self: self.reference.timers)
    @rule(which=pick)
    def fire(self, which: int) -> None:
        timers = self.reference.timers
        timer = timers[which % len(timers)]
        stored = [
            t
            for t in self.world.storage.working.timers
            if (t.invocation_id, t.completion_id) == (self.world.id(timer[0]), timer[2])
        ]
        earlier = [t for t in timers[: timers.index(timer)] if (t[0], t[2]) == (timer[0], timer[2])]
        self.reference.fire(timer)
        self.do("apply", c.FireTimer(sorted(stored, key=lambda t: t.number)[len(earlier)]))

    @rule(state=st.dictionaries(st.sampled_from("xyz"), st.sampled_from("123")))
    def patch(self, state: dict[str, str]) -> None:
        self.reference.patch(state)
        patch = StatePatch({k.encode(): v.encode() for k, v in state.items()})
        self.do("apply", c.PatchState("Object", "k", patch))

    # --- attempts --------------------------------------------------------------------------------

    @precondition(any_running)
    @rule(which=pick)
    def sleep(self, which: int) -> None:
        name = self.invoked(which)
        completion_id = self.completion(name)
        self.reference.sleep(name, completion_id)
        self.do("store", name, m.Sleep(5000, completion_id))

    @precondition(any_running)
    @rule(which=pick)
    def run(self, which: int) -> None:
        name = self.invoked(which)
        completion_id = self.completion(name)
        self.reference.runs[name].journal += ["Run", completion_id]
        self.do("store", name, m.Run(completion_id))
        self.do("propose", name, completion_id)

    @precondition(any_running)
    @rule(which=pick, callee=names)
    def call(self, which: int, callee: str) -> None:
        name = self.invoked(which)
        if callee not in self.reference.runs:
            self.completions[callee] = 0
        completion_id = self.completion(name, 2)
        self.reference.call(name, callee, completion_id)
        entry = m.Call("", "", b"", completion_id - 1, completion_id)
        self.do("store", name, entry, self.world.callee(callee, TARGETS[callee]))

    @precondition(lambda self: self.reference.holder in self.those("invoked"))
    @rule(key=st.sampled_from("xyz"), value=st.sampled_from("123"))
    def set_state(self, key: str, value: str) -> None:
        name = self.reference.holder
        self.reference.runs[name].journal.append("SetState")
        self.reference.state[key] = value
        self.do("store", name, m.SetState(key.encode(), value.encode()))

    @precondition(lambda self: "w" in self.those("invoked"))
    @rule(complete=st.booleans())
    def promise(self, complete: bool) -> None:
        completion_id = self.completion("w")
        if complete:
            self.reference.complete_promise("w", completion_id, "yes")
            entry = m.CompletePromise("p", m.Value(b"yes"), completion_id)
        else:
            self.reference.get_promise("w", completion_id)
            entry = m.GetPromise("p", completion_id)
        self.do("store", "w", entry)

    @precondition(any_running)
    @rule(which=pick, value=st.sampled_from(["one", "two"]))
    def output(self, which: int, value: str) -> None:
        name = self.invoked(which)
        run = self.reference.runs[name]
        run.journal.append("Output")
        run.output = value
        self.do("store", name, m.Output(m.Value(value.encode())))

    @precondition(any_running)
    @rule(which=pick, data=st.data())
    def suspend(self, which: int, data: st.DataObject) -> None:
        name = self.invoked(which)
        run = self.reference.runs[name]
        known = list(range(1, self.completions[name] + 1))
        ids = data.draw(st.lists(st.sampled_from(known), unique=True) if known else st.just([]))
        signals = data.draw(st.lists(st.sampled_from([1, 17]), min_size=not ids, unique=True))
        given = max(0, len(run.journal) - data.draw(st.integers(0, 2)))
        self.reference.suspend(name, {*ids, *(f"s{s}" for s in signals)}, given)
        first = m.Combinator.FIRST_COMPLETED
        tree = m.Future(tuple(ids), tuple(signals), combinator=first)
        self.do("apply", c.AttemptSuspended(*self.current(name), tree, given))

    def current(self, name: str) -> tuple[str, int]:
        return self.world.id(name), self.world.attempt(name)

    @precondition(any_running)
    @rule(which=pick, last=st.booleans())
    def fail(self, which: int, last: bool) -> None:
        name = self.invoked(which)
        self.reference.fail(name, last=last)
        attempt = self.current(name)
        failed = c.AttemptFailed(*attempt, ERROR, 0)
        self.do("apply", c.AttemptExhausted(*attempt, ERROR, pause=True) if last else failed)

    @precondition(any_running)
    @rule(which=pick)
    def end(self, which: int) -> None:
        name = self.invoked(which)
        self.reference.end(name)
        self.do("apply", c.AttemptEnded(*self.current(name)))

    @precondition(any_running)
    @rule(which=pick, command=st.sampled_from(["end", "exhausted", "entry again"]))
    def late_report(self, which: int, command: str) -> None:
        """From the attempt before, or an entry sent twice: nothing may come of it."""
        name = self.invoked(which)
        id_, attempt = self.current(name)
        if command == "entry again":
            stored = self.world.stored(name)
            self.do("store", name, m.SetState(b"x", b"late"), command_index=stored.commands - 1)
        else:
            report = c.AttemptEnded if command == "end" else c.AttemptExhausted
            rest = () if command == "end" else (ERROR, True)
            self.do("apply", report(id_, attempt - 1, *rest))

    # --- control ---------------------------------------------------------------------------------

    @rule(name=names, command=st.sampled_from([c.Cancel, c.Kill, c.Resume, c.Pause, c.Purge]))
    def control(self, name: str, command: type) -> None:
        if name in self.reference.runs:
            getattr(self.reference, command.__name__.lower())(name)
        self.do("apply", command(self.world.id(name)))

    # --- agreement -------------------------------------------------------------------------------

    @invariant()
    def invocations_agree(self) -> None:
        for name in TARGETS:
            stored, run = self.world.stored(name), self.reference.runs.get(name)
            assert (stored is None) == (run is None)
            if stored and run:
                assert (stored.status, stored.attempt) == (run.status, run.attempt)
                others = self.world.view.waiters(stored.id, stored.number, 1000)
                assert len(stored.sinks) + len(others) == len(run.waiters)
                assert stored.pause_requested == run.pausing or stored.status is Status.COMPLETED
                self.journal_agrees(name, run)

    def journal_agrees(self, name: str, run: Run) -> None:
        stored = self.world.stored(name)
        entries = self.world.journal(name)
        assert [word(entry) for entry in entries] == run.journal
        assert len(entries) == stored.journal_length
        assert sum(entry.is_command for entry in entries) == stored.commands
        before = self.journals.get(stored.number, [])
        assert entries[: len(before)] == before, "a journal only grows"
        self.journals[stored.number] = list(entries)
        ids = [w for w in map(word, entries) if isinstance(w, int)]
        assert len(ids) == len(set(ids)), "one completion per completion id"

    @invariant()
    def objects_agree(self) -> None:
        view = self.world.view
        holder = self.reference.holder
        assert view.lock("Object", "k") == (holder and self.world.id(holder))
        queue = [item.invocation_id or item.patch.entries for item in view.inbox("Object", "k")]
        assert queue == [
            self.world.id(item)
            if isinstance(item, str)
            else {k.encode(): v.encode() for k, v in item.items()}
            for item in self.reference.queue
        ]
        state = {k.encode(): v.encode() for k, v in self.reference.state.items()}
        assert view.all_state("Object", "k") == state

    @invariant()
    def one_exclusive_run_at_a_time(self) -> None:
        runs = self.reference.runs.items()
        assert sum(n.startswith("o") and run.status in LIVE for n, run in runs) <= 1

    @invariant()
    def timers_agree(self) -> None:
        stored = Counter(
            (t.invocation_id, t.completion_id) for t in self.world.storage.working.timers
        )
        expected = Counter((self.world.id(n), id_) for n, _, id_ in self.reference.timers)
        assert stored == expected

    @invariant()
    def answers_agree(self) -> None:
        told = {}
        for request, (answer, *more) in self.world.responses.items():
            assert not more, "every request is answered once"
            told[request] = said(answer)
        assert told == self.reference.answers

    def teardown(self) -> None:
        """Kill everything: nobody may be left waiting, and nothing locked."""
        for name in TARGETS:
            self.control(name, c.Kill)
        self.answers_agree()
        self.objects_agree()
        assert self.world.view.lock("Object", "k") is None
        assert set(self.world.responses) == set(range(1, self.requests + 1))
        assert not any(self.world.storage.working.waiters.values())


class InStepMachine(EngineMachine):
    """Memory and SQLite side by side, with commits and restarts at any point."""

    def storages(self) -> list[Storage]:
        self.folder = TemporaryDirectory(prefix="rtour-")
        return [MemoryStorage(), self.opened()]

    def opened(self) -> SqliteStorage:
        return SqliteStorage(Path(self.folder.name), SqliteSettings(sync=False))

    @rule()
    def commit(self) -> None:
        for world in self.worlds:
            asyncio.run(durable(world.storage))

    @rule()
    def restart(self) -> None:
        """What was committed is all there again."""
        self.commit()
        memory, sqlite = self.worlds
        sqlite.storage.close()
        sqlite.storage = self.opened()
        assert sqlite.storage.running_after(0, 1000) == memory.storage.running_after(0, 1000)
        assert sqlite.storage.timers_after(None, 1000) == memory.storage.timers_after(None, 1000)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.worlds[1].storage.close()
            self.folder.cleanup()


def word(entry: Entry) -> Hashable:
    """An entry as the reference writes it down."""
    message = decode(entry.type, entry.raw)
    if not isinstance(message, m.Notification):
        return type(message).__name__
    return f"s{message.id}" if entry.type == m.MessageType.SIGNAL else message.id


def said(answer: object) -> str:
    if isinstance(answer, NotFound):
        return "404"
    assert isinstance(answer, Finished)
    result = answer.result
    return str(result.code) if isinstance(result, m.Failure) else result.content.decode()


@pytest.mark.usefixtures("few_in_a_row")
def test_engine_agrees_with_the_reference() -> None:
    """On the memory storage, whatever happens in whatever order."""
    run_state_machine_as_test(
        EngineMachine,
        settings=settings(max_examples=80, stateful_step_count=60),
    )


@pytest.mark.usefixtures("few_in_a_row")
def test_sqlite_keeps_in_step_with_memory() -> None:
    """The same decisions come from SQLite, before and after commits and restarts."""
    run_state_machine_as_test(
        InStepMachine,
        settings=settings(max_examples=20, stateful_step_count=30),
    )
