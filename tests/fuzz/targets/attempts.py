"""What a service may say in an attempt: any bytes, to processor, engine and SQLite storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from rtour.engine.actions import Outcome, Verdict
from rtour.engine.commands import Kill
from rtour.engine.model import HandlerType, ServiceType, Status
from rtour.engine.model import Target as Callee
from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from rtour.server.preconditions import Preconditions
from rtour.server.query import arrow_rows, json_rows
from rtour.server.query.running import Runner
from rtour.storage.settings import CommitIn, SqliteSettings
from rtour.storage.sqlite import SqliteStorage
from tests.fuzz import corpora
from tests.fuzz.target import Check, Target
from tests.fuzz.watching import Watch, watched
from tests.server.rig import Rig
from tests.virtual_time import VirtualClock, run

VERSIONS = (5, 6, 7)
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
SETTINGS = SqliteSettings(commit_in=CommitIn.LOOP, sync=False)
CODES = {"RT0003", "RT0007", "RT0012", "RT0016", "RT0017", "RT0018", "RT0024", "RT0025"}
FROM_SERVICE = {"RT0007", "RT0012", "RT0016"}
TARGETS = (
    Callee("Greeter", "greet"),
    Callee("Counter", "add", "k", ServiceType.VIRTUAL_OBJECT, HandlerType.EXCLUSIVE),
    Callee("Counter", "get", "k", ServiceType.VIRTUAL_OBJECT, HandlerType.SHARED),
    Callee("Flow", "run", "k", ServiceType.WORKFLOW, HandlerType.WORKFLOW),
)
OPERABLE = {Status.INVOKED, Status.SUSPENDED, Status.PAUSED, Status.COMPLETED}
INPUTS_PER_STORAGE = 50
LARGE = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)


class Attacked(Rig):
    """A rig that keeps what the real server would log as its own fault."""

    defects: list[Any]

    def _fail(self, *arguments: Any) -> None:
        self.__dict__.setdefault("defects", []).append(arguments)


class Deployment:
    """The other side of all attempts: the first says `stream`, the later ones nothing."""

    def __init__(self, rig: Attacked, watch: Watch) -> None:
        self.rig = rig
        self._watch = watch

    async def says(self, target: Callee, stream: bytes) -> str:
        """One attempt gets `stream`; whatever that was, the invocation can be killed after it.

        Returns its id.
        """
        rig = self.rig
        id_, _ = rig.invoke(target)
        exchange = await rig.attempt()
        exchange.say_bytes(stream)
        exchange.end()
        await rig.settled()
        self._look(await rig.status(id_))
        if await rig.status(id_) is Status.COMPLETED:
            return id_
        outcome = await rig.ask(lambda request: Kill(id_, request))
        assert outcome in {Outcome(Verdict.ACCEPTED), Outcome(Verdict.DONE)}, outcome
        await rig.settled()
        self._look(await rig.status(id_))
        assert await rig.status(id_) in {Status.COMPLETED, None}
        return id_

    def _look(self, status: Status | None) -> None:
        """Nothing was our fault, and each failure has a code that the documentation knows."""
        self._watch.assert_quiet()
        assert not self.rig.__dict__.get("defects"), self.rig.defects
        assert status in OPERABLE, status
        for activation in self.rig.invoker.activations():
            error = activation.last_error
            if error is not None:
                assert error.doc_code in CODES, error
                assert error.message or error.doc_code in FROM_SERVICE, error


class Bench:
    """A storage, and SQL over it, for some inputs: opening them costs more than an attempt.

    Each input has a rig, ids and keys of its own.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._used = 0
        self._open()

    def _open(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-", dir=IN_MEMORY)
        self._storage = SqliteStorage(Path(self._folder.name), SETTINGS)
        self._runner = Runner(self._storage.path)

    def close(self) -> None:
        self._runner.close()
        self._storage.close()
        self._folder.cleanup()

    def check(self, data: bytes) -> None:
        self._used += 1
        if self._used % INPUTS_PER_STORAGE == 0:
            self.close()
            self._open()
        try:
            run(lambda clock: self._attempt(clock, (data[:1] or b"\x00")[0], data[1:]))
        except BaseException:
            self._used = -1  # with what this input left, the next one would prove nothing
            raise
        self._watch.assert_quiet()

    async def _attempt(self, clock: VirtualClock, head: int, stream: bytes) -> None:
        rig = Attacked(clock, version=VERSIONS[head % 3], storage=self._storage)  # type: ignore[arg-type]
        rig.ids = self._used
        rig.preconditions = Preconditions(rig, Random(self._used), clock)
        target = TARGETS[head // 3 % len(TARGETS)]
        key = None if target.key is None else f"k{self._used}"
        try:
            deployment = Deployment(rig, self._watch)
            self._read_back(await deployment.says(replace(target, key=key), stream))
        finally:
            await rig.invoker.stop()
            await rig.processor.settled()

    def _read_back(self, id_: str) -> None:
        """What was stored can be recovered, and shown."""
        self._storage.recover()
        self._storage.timers_after(None, 100)
        for table in ("sys_journal", "sys_invocation"):
            statement = self._runner.statement(f"SELECT * FROM {table} WHERE id = '{id_}'")
            for encode_rows in (json_rows.encode, arrow_rows.encode):
                rows = self._runner.run(statement, {"now": 0}, (), timeout_ms=9999, rows_max=9999)
                for _ in encode_rows(statement.columns, rows):
                    pass


def seeds() -> list[bytes]:
    """The recorded streams to each kind of handler, and numbers at the edges of their types."""
    found = []
    for version, stream in corpora.streams():
        kind = len(found) % len(TARGETS)
        found.append(bytes([kind * 3 + VERSIONS.index(version)]) + stream)
    for number in LARGE:
        large = (
            m.Sleep(number, 1),
            m.Error(500, "x", next_retry_delay_ms=number),
            m.OneWayCall("Greeter", "greet", b"", 1, invoke_time=number),
        )
        found += [b"\x01" + encode(message, 6) + encode(m.End(), 6) for message in large]
    return found


@contextmanager
def opened() -> Iterator[Check]:
    with watched() as watch:
        bench = Bench(watch)
        yield bench.check
        bench.close()


TARGET = Target(
    promise="Bytes of a service end one attempt, with a documented code if it failed; nothing is a "
    "bug of the server, what was stored can be read and shown, and the invocation can be killed.",
    seeds=seeds,
    opened=opened,
    examples=30,
    words=(b"Greeter", b"greet", b"Counter", b"inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV"),
)
