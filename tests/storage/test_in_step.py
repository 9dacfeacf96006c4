"""The SQLite storage does what the dicts do, whatever happens when."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtour.engine import changes as c
from rtour.engine.model import DocumentKind, Entry, InboxItem, Invocation, Status, Timer
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
ids = st.sampled_from(IDS)
objects = st.sampled_from(OBJECTS)
names = st.sampled_from(NAMES)


class InStep(RuleBasedStateMachine):
    """One history of records, commits, reads and restarts, lived by both storages."""

    @initialize(
        where=st.sampled_from([CommitIn.LOOP, CommitIn.THREAD]),
        items=st.sampled_from([1, 3, 1000]),
        watched=st.booleans(),
    )
    def open(self, where: CommitIn, items: int, watched: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
        self.settings = SqliteSettings(
            commit_in=where, sync=False, cache_items=items, checkpoint_rows=20
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

    def write(self, *changes: c.Change) -> None:
        self.sequence += 1
        for storage in (self.model, self.sqlite):
            storage.write(changes, sequence=self.sequence, at=self.sequence * 10)

    def stored(self, id_: str) -> Invocation | None:
        return self.model.view.invocation(id_)

    @rule(id_=ids, born=v.born, status=v.living, raw=v.blobs)
    def invoke(self, id_: str, born: dict[str, object], status: Status, raw: bytes) -> None:
        if self.stored(id_) is None:
            made = v.invocation(self.sequence + 1, id=id_, status=status, journal_length=1, **born)
            self.write(c.PutInvocation(made), *v.journal(made, v.entry(0, raw)))

    @rule(id_=ids, grown=v.grown, status=v.living)
    def move(self, id_: str, grown: dict[str, object], status: Status) -> None:
        stored = self.stored(id_)
        if stored is not None and stored.status is not Status.COMPLETED:
            self.write(c.PutInvocation(v.replace(stored, status=status, **grown)))

    @rule(id_=ids, raws=st.lists(v.blobs, min_size=1, max_size=3), event=st.none() | v.events)
    def append(self, id_: str, raws: list[bytes], event: object) -> None:
        stored = self.stored(id_)
        if stored is None or stored.status is Status.COMPLETED:
            return
        first = stored.journal_length
        entries = [Entry(first + n, 0x0411, raw, 5, "inv_x") for n, raw in enumerate(raws)]
        grown = v.replace(stored, journal_length=first + len(raws))
        happened = [c.AppendEvent(id_, stored.number, event)] if event else []
        self.write(c.PutInvocation(grown), *v.journal(grown, *entries), *happened)

    @rule(id_=ids, result=v.results)
    def complete(self, id_: str, result: object) -> None:
        stored = self.stored(id_)
        if stored is not None:
            self.write(
                c.PutInvocation(
                    v.replace(
                        stored, status=Status.COMPLETED, completed_at=self.sequence, result=result
                    )
                )
            )

    @rule(id_=ids)
    def delete(self, id_: str) -> None:
        stored = self.stored(id_)
        if stored is not None:
            self.write(c.DeleteInvocation(id_, stored.number))

    @rule(id_=ids)
    def delete_journal(self, id_: str) -> None:
        stored = self.stored(id_)
        if stored is not None:
            self.write(
                c.DeleteJournal(id_, stored.number),
                c.PutInvocation(v.replace(stored, journal_length=0)),
            )

    @rule(name=objects, holder=st.none() | ids)
    def lock(self, name: tuple[str, str], holder: str | None) -> None:
        self.write(c.PutLock(*name, holder) if holder else c.DeleteLock(*name))

    @rule(name=objects, patch=st.none() | v.patches)
    def enqueue(self, name: tuple[str, str], patch: object) -> None:
        item = InboxItem(self.sequence + 1, None if patch else "inv_q", patch)
        self.write(c.PutInboxItem(*name, item))

    @rule(name=objects, place=st.integers(0, 3))
    def dequeue(self, name: tuple[str, str], place: int) -> None:
        items = list(self.model.view.inbox(*name))
        if place < len(items):
            self.write(c.DeleteInboxItem(*name, items[place].sequence))

    @rule(name=objects, key=names, value=st.none() | v.blobs)
    def set_state(self, name: tuple[str, str], key: bytes, value: bytes | None) -> None:
        if value is None:
            self.write(c.DeleteState(*name, key))
        else:
            self.write(c.PutState(*name, key, value))

    @rule(name=objects, key=names, value=st.none() | v.blobs)
    def clear_state(self, name: tuple[str, str], key: bytes, value: bytes | None) -> None:
        put = [] if value is None else [c.PutState(*name, key, value)]
        self.write(c.ClearState(*name), *put)

    @rule(name=objects, key=st.sampled_from(PROMISES), promise=v.promises, clear=st.booleans())
    def promise(self, name: tuple[str, str], key: str, promise: object, clear: bool) -> None:
        cleared = [c.ClearPromises(*name)] if clear else []
        self.write(*cleared, c.PutPromise(*name, key, promise))

    @rule(id_=ids, at=st.integers(0, 5), kind=v.timer_kinds)
    def set_timer(self, id_: str, at: int, kind: object) -> None:
        stored = self.stored(id_)
        if stored is not None:
            self.write(c.PutTimer(Timer(at, stored.number, at % 2, kind, id_)))

    @rule(place=st.integers(0, 3))
    def delete_timer(self, place: int) -> None:
        timers = sorted(self.model.working.timers)
        if place < len(timers):
            self.write(c.DeleteTimer(timers[place]))

    @rule(kind=st.sampled_from(DocumentKind), json=st.none() | st.just(b"{}"))
    def document(self, kind: DocumentKind, json: bytes | None) -> None:
        id_ = "one"
        self.write(c.DeleteDocument(kind, id_) if json is None else c.PutDocument(kind, id_, json))

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

    @rule()
    def finish_commits(self) -> None:
        if self.committing:
            self.loop.run_until_complete(self.quiet.wait())
            self.committing = False

    @rule()
    def commit_now(self) -> None:
        self.finish_commits()
        self.commit()
        self.finish_commits()

    @rule()
    def restart(self) -> None:
        self.finish_commits()
        self.sqlite.close()
        self.model = MemoryStorage(self.model.durable)
        self.sqlite = SqliteStorage(self.folder, self.settings)
        expected, found = self.model.recover(), self.sqlite.recover()
        assert found.running == expected.running
        assert found.documents == expected.documents
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

    @precondition(lambda self: not self.committing)
    @rule(limit=st.integers(1, 4), at=st.integers(0, 60))
    def read_durable(self, limit: int, at: int) -> None:
        for after in (None, *self.model.timers_after(None, 2)):
            assert self.sqlite.timers_after(after, limit) == self.model.timers_after(after, limit)
        assert self.sqlite.expired(at, limit) == self.model.expired(at, limit)
        for name in OBJECTS:
            for committed in (True, False):
                assert self.sqlite.object_state(
                    *name, committed=committed
                ) == self.model.object_state(*name, committed=committed)

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


InStep.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class TestInStep(InStep.TestCase):
    """Both storages answer every read alike, through evictions, commits under way and restarts."""
