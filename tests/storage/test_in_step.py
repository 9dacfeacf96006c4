"""The SQLite storage does what the dicts do, whatever happens when."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtour.engine import changes as c
from rtour.engine.model import (
    CallerSink,
    DocumentKind,
    Entry,
    Invocation,
    Promise,
    RequestSink,
    StatePatch,
    Status,
    Telling,
    Timer,
    TimerKind,
)
from rtour.protocol.messages import Failure, Value
from rtour.storage.memory import MemoryStorage
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage

from . import values as v

MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None  # hundreds of short lives
# Few of each, so that what happens happens to the same.
IDS = ["inv_a", "inv_b"]
OBJECTS = [("Cart", "ada"), ("Cart", "bob")]
NAMES = [b"", b"\xff"]
PROMISES = ["done"]
SINKS = [
    *(
        CallerSink("inv_x", number, completion, 0x8012)
        for number in (1, 7)
        for completion in (1, 2)
    ),
    *(RequestSink(number) for number in (1, 7, 1 << 60)),
]
LIVING = [Status.SCHEDULED, Status.INVOKED, Status.SUSPENDED]
ids = st.sampled_from(IDS)
objects = st.sampled_from(OBJECTS)
names = st.sampled_from(NAMES)


class InStep(RuleBasedStateMachine):
    """One history of records, commits, reads and restarts, lived by both storages."""

    @initialize(
        where=st.sampled_from([CommitIn.LOOP, CommitIn.THREAD]),
        items=st.sampled_from([1, 3, 1000]),
        watched=st.booleans(),
        large_bytes=st.sampled_from([4097, 8192, 1 << 20]),
    )
    def open(self, where: CommitIn, items: int, watched: bool, large_bytes: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
        self.settings = SqliteSettings(
            commit_in=where,
            sync=False,
            cache_items=items,
            checkpoint_rows=20,
            large_bytes=large_bytes,
            volume_bytes=8 * 4096,
            step_bytes=4096,
            carry_after_s=60,  # when told to
        )
        self.watched = watched
        self.sequence = 0
        self.under_way = 0
        self.committing = False  # until the machine asks for the end, however soon it comes
        self.quiet = asyncio.Event()
        self.model = MemoryStorage()
        self.sqlite = SqliteStorage(self.folder, self.settings)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.finish_commits()
            self.sqlite.close()
            self.loop.close()
            shutil.rmtree(self.folder)

    # --- records ---------------------------------------------------------------------------------

    @rule(seed=st.integers(0, 2**32), steps=st.integers(1, 80))
    def live(self, seed: int, steps: int) -> None:
        """A burst of records, commits and reads; with a draw for each, histories stay short."""
        dice = random.Random(seed)
        for _ in range(steps):
            dice.choice(OPERATIONS)(self, dice)
            if dice.random() < 0.2:
                self.read_all()

    def commit_or_finish(self, _: random.Random) -> None:
        if self.committing:
            self.finish_commits()
        else:
            self.commit()

    def write(self, *changes: c.Change) -> None:
        self.sequence += 1
        for storage in (self.model, self.sqlite):
            storage.write(changes, sequence=self.sequence, at=self.sequence * 10)

    def stored(self, dice: random.Random) -> Invocation | None:
        return self.model.view.invocation(dice.choice(IDS))

    def invoke(self, dice: random.Random) -> None:
        for id_ in IDS:
            if self.model.view.invocation(id_) is None:
                status = dice.choice(LIVING)
                made = v.invocation(
                    self.sequence + 1,
                    id=id_,
                    status=status,
                    journal_length=1,
                    completion_retention_ms=dice.randrange(50),
                    journal_retention_ms=dice.randrange(50),
                )
                self.write(c.PutInvocation(made), *v.journal(made, v.entry(0, dice.randbytes(3))))

    def append(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is None or stored.status is Status.COMPLETED:
            return
        first = stored.journal_length
        raws = [dice.randbytes(2) for _ in range(dice.randint(1, 3))]
        entries = [Entry(first + n, 0x0411, raw, 5, "inv_x") for n, raw in enumerate(raws)]
        grown = v.replace(
            stored, status=dice.choice(LIVING), journal_length=first + len(raws), attempt=first
        )
        self.write(c.PutInvocation(grown), *v.journal(grown, *entries))

    def complete(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is not None:
            ended = v.replace(
                stored,
                status=Status.COMPLETED,
                completed_at=self.sequence,
                result=dice.choice([Value(b""), Failure(409, "killed")]),
            )
            self.write(c.PutInvocation(ended))

    def delete(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is not None:
            self.write(c.DeleteInvocation(stored.id, stored.number))

    def delete_journal(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is not None:
            shorter = v.replace(stored, journal_length=0)
            self.write(c.DeleteJournal(stored.id, stored.number), c.PutInvocation(shorter))

    def lock(self, dice: random.Random) -> None:
        name, holder = dice.choice(OBJECTS), dice.choice([None, *IDS])
        self.write(c.PutLock(*name, holder) if holder else c.DeleteLock(*name))

    def enqueue(self, dice: random.Random) -> None:
        patch = StatePatch({b"\xff": b""}) if dice.random() < 0.3 else None
        item = v.inbox_item(self.sequence + 1, patch)
        self.write(c.PutInboxItem(*dice.choice(OBJECTS), item))

    def dequeue(self, dice: random.Random) -> None:
        name = dice.choice(OBJECTS)
        items = list(self.model.view.inbox(*name))
        if items:
            self.write(c.DeleteInboxItem(*name, dice.choice(items).sequence))

    def set_state(self, dice: random.Random) -> None:
        self.write(c.PutState(*dice.choice(OBJECTS), dice.choice(NAMES), dice.randbytes(2)))

    def delete_state(self, dice: random.Random) -> None:
        self.write(c.DeleteState(*dice.choice(OBJECTS), dice.choice(NAMES)))

    def clear_state(self, dice: random.Random) -> None:
        name = dice.choice(OBJECTS)
        put = [c.PutState(*name, dice.choice(NAMES), b"new")] if dice.random() < 0.5 else []
        self.write(c.ClearState(*name), *put)

    def promise(self, dice: random.Random) -> None:
        made = dice.choice([Promise(), Promise(Value(b"yes")), Promise(Failure(400, "no"))])
        self.write(c.PutPromise(*dice.choice(OBJECTS), dice.choice(PROMISES), made))

    def clear_promises(self, dice: random.Random) -> None:
        self.write(c.ClearPromises(*dice.choice(OBJECTS)))

    def set_timer(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is not None:
            at, kind = dice.randrange(6), dice.choice(list(TimerKind))
            self.write(c.PutTimer(Timer(at, stored.number, at % 2, kind, stored.id)))

    def delete_timer(self, dice: random.Random) -> None:
        timers = sorted(self.model.working.timers)
        if timers:
            self.write(c.DeleteTimer(dice.choice(timers)))

    def document(self, dice: random.Random) -> None:
        kind = dice.choice(list(DocumentKind))
        put = dice.random() < 0.6
        self.write(c.PutDocument(kind, "one", b"{}") if put else c.DeleteDocument(kind, "one"))

    def wait(self, dice: random.Random) -> None:
        stored = self.stored(dice)
        if stored is not None:
            self.write(c.PutWaiter(stored.id, stored.number, dice.choice(SINKS)))

    def wait_no_more(self, dice: random.Random) -> None:
        """Whoever waits for an invocation that ended, too; some wait for nothing."""
        number = dice.choice(sorted(self.model.working.waiters) or [1])
        self.write(c.DeleteWaiter("inv_a", number, dice.choice(SINKS)))

    def tell(self, dice: random.Random) -> None:
        told = sorted(self.model.working.tellings)
        stored = self.stored(dice)
        if told and dice.random() < 0.5:
            self.write(c.DeleteTelling("inv_a", dice.choice(told)))
        elif stored is not None:
            result = dice.choice([Value(b""), Value(b"told"), Failure(409, "killed")])
            self.write(c.PutTelling(Telling(stored.id, stored.number, result)))

    # --- commits and restarts --------------------------------------------------------------------

    def settled(self, error: BaseException | None) -> None:
        assert error is None, error
        self.under_way -= 1
        if not self.under_way:
            self.quiet.set()

    @precondition(lambda self: not self.committing)
    @rule()
    def commit(self) -> None:
        self.under_way = 2
        self.committing = True
        self.quiet.clear()
        self.loop.run_until_complete(self.start_commits())

    async def start_commits(self) -> None:
        self.model.commit(self.settled)
        self.sqlite.commit(self.settled)

    def in_loop(self, call: Callable[..., Any], *args: object) -> Any:
        async def called() -> Any:
            return call(*args)

        return self.loop.run_until_complete(called())

    @precondition(lambda self: not self.committing)
    @rule()
    def carry_over(self) -> None:
        self.loop.run_until_complete(self.sqlite.carried())

    @rule()
    def finish_commits(self) -> None:
        if self.committing:
            self.loop.run_until_complete(asyncio.wait_for(self.quiet.wait(), 30))
            self.committing = False

    @rule()
    def commit_now(self) -> None:
        self.finish_commits()
        self.commit()
        self.finish_commits()

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        self.finish_commits()
        if killed:
            left = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
            shutil.copytree(self.folder, left, dirs_exist_ok=True)
            self.folder, ended = left, self.folder
        self.sqlite.close()
        if killed:
            shutil.rmtree(ended)
        self.model = MemoryStorage(self.model.durable)
        self.sqlite = SqliteStorage(self.folder, self.settings)
        expected, found = self.model.recover(), self.sqlite.recover()
        for after, limit in ((0, 1000), (0, 2), (2, 2)):
            running = self.model.running_after(after, limit)
            assert self.sqlite.running_after(after, limit) == running
        for number in range(expected.last_sequence + 1):
            assert self.sqlite.stored(number) == self.model.stored(number)
        assert found.documents == expected.documents
        assert found.tellings == expected.tellings
        # A record without changes leaves no trace; its number may be used again.
        assert found.last_sequence <= expected.last_sequence
        self.read_all()

    # --- reads -----------------------------------------------------------------------------------

    @rule(id_=ids, first=st.integers(0, 3))
    def read_invocation(self, id_: str, first: int) -> None:
        expected = self.model.view.invocation(id_)
        assert self.sqlite.view.invocation(id_) == expected
        if expected is not None:
            assert self.sqlite.view.entries(expected, first) == self.model.view.entries(
                expected, first
            )
            assert self.sqlite.journal(expected) == self.model.journal(expected)

    @rule(name=objects, key=names, promise=st.sampled_from(PROMISES))
    def read_object(self, name: tuple[str, str], key: bytes, promise: str) -> None:
        model, sqlite = self.model.view, self.sqlite.view
        assert sqlite.state(*name, key) == model.state(*name, key)
        assert sqlite.promise(*name, promise) == model.promise(*name, promise)
        assert sqlite.lock(*name) == model.lock(*name)
        assert list(sqlite.inbox(*name)) == list(model.inbox(*name))
        assert next(sqlite.inbox(*name), None) == next(model.inbox(*name), None)
        assert list(sqlite.all_state(*name).items()) == list(model.all_state(*name).items())

    @rule(limit=st.integers(1, 4))
    def read_waiters(self, limit: int) -> None:
        model, sqlite = self.model.view, self.sqlite.view
        for number in {*self.model.working.waiters, *self.model.working.tellings}:
            expected = model.waiters("inv_a", number, limit)
            assert sqlite.waiters("inv_a", number, limit) == expected
            assert sqlite.telling("inv_a", number) == model.telling("inv_a", number)

    @precondition(lambda self: not self.committing)
    @rule(limit=st.integers(1, 4), at=st.integers(0, 60))
    def read_durable(self, limit: int, at: int) -> None:
        for after in (None, *self.model.timers_after(None, 2)):
            assert self.sqlite.timers_after(after, limit) == self.model.timers_after(after, limit)
        assert self.in_loop(self.sqlite.expired, at, limit) == self.model.expired(at, limit)
        for name in OBJECTS:
            for committed in (True, False):
                whole = self.model.object_state(*name, committed=committed)
                assert self.sqlite.object_state(*name, committed=committed) == whole
                part = self.sqlite.object_state(*name, committed=committed, bytes_max=limit)
                assert part.items() <= whole.items()
                size = sum(len(key) + len(value) for key, value in part.items())
                assert size > limit or part == whole

    @invariant()
    def read_all_if_watched(self) -> None:
        """Reading after each step finds more, and hides what only shows in a cold cache."""
        if getattr(self, "watched", False):
            self.read_all()
            if not self.committing:
                self.read_durable(3, 30)

    @rule()
    def read_all(self) -> None:
        for id_ in IDS:
            self.read_invocation(id_, 0)
        for name in OBJECTS:
            self.read_object(name, NAMES[0], PROMISES[0])
        self.read_waiters(3)


OPERATIONS = [
    *[InStep.commit_or_finish] * 6,
    InStep.invoke,
    InStep.invoke,
    InStep.append,
    InStep.append,
    InStep.complete,
    InStep.delete,
    InStep.delete_journal,
    InStep.lock,
    InStep.enqueue,
    InStep.dequeue,
    InStep.set_state,
    InStep.delete_state,
    InStep.clear_state,
    InStep.promise,
    InStep.clear_promises,
    InStep.set_timer,
    InStep.delete_timer,
    InStep.document,
    InStep.wait,
    InStep.wait,
    InStep.wait_no_more,
    InStep.tell,
]

InStep.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestInStep(InStep.TestCase):
    """Both storages answer every read alike, through evictions, commits under way and restarts."""
