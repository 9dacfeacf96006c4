"""An operator who pauses, resumes, cancels, kills, restarts and patches what is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Protocol

from rtour.engine import commands as cmd
from rtour.engine.model import Invocation, StatePatch, Status
from rtour.errors import RtourError
from rtour.ids import make_invocation_id
from tests.simulation.life import Life

PATIENCE_S = 5.0

Make = Callable[[int], cmd.Command]


class Host(Protocol):
    """What an operator knows of the world."""

    @property
    def life(self) -> Life | None: ...

    @property
    def stored(self) -> Iterable[Invocation]: ...

    def note(self, event: str) -> None: ...


class Operator:
    """Meddles with anything, but ends only what no client counts on: who is at a room."""

    def __init__(self, host: Host, random: Random) -> None:
        self._host = host
        self._random = random

    async def meddle(self, mean_s: float) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / mean_s))
            stored = list(self._host.stored)
            if self._random.random() < 0.8:
                stored = [one for one in stored if one.status is not Status.COMPLETED]
            if not stored:
                continue
            rooms = [one for one in stored if one.target.service == "Room"]
            if rooms and self._random.random() < 0.6:
                await self._at_a_room(self._random.choice(rooms))
            else:
                await self._at_any(self._random.choice(stored))

    async def _at_a_room(self, one: Invocation) -> None:
        if self._random.random() < 0.3:
            assert one.target.key is not None
            patch = StatePatch({b"lamp": b"on"})
            key = one.target.key
            await self._ask("patch", lambda number: cmd.PatchState("Room", key, patch, number))
            return
        kind = self._random.choice((cmd.Kill, cmd.Cancel))
        await self._ask(kind.__name__, lambda number: kind(one.id, number))

    async def _at_any(self, one: Invocation) -> None:
        if one.target.service == "Errands" and one.status is Status.COMPLETED:
            await self._restart(one)
            return
        kind: Any = self._random.choice((cmd.Pause, cmd.Pause, cmd.Resume, cmd.PurgeJournal))
        await self._ask(kind.__name__, lambda number: kind(one.id, request_id=number))

    async def _restart(self, one: Invocation) -> None:
        new_id = make_invocation_id(self._random.getrandbits(64), self._random.getrandbits(128))
        first = self._random.randrange(4)
        if one.target.handler == "wait":  # an awakeable's id, given away, names the old invocation
            first = 0
        await self._ask(
            "restart",
            lambda number: cmd.RestartAsNew(one.id, new_id, first, request_id=number),
        )

    async def resume_all(self) -> None:
        """Nothing stays paused."""
        for id_ in [one.id for one in self._host.stored if one.status is Status.PAUSED]:
            await self._ask("resume", self._resume(id_))

    @staticmethod
    def _resume(id_: str) -> Make:
        return lambda number: cmd.Resume(id_, request_id=number)

    async def _ask(self, what: str, make: Make) -> None:
        life = self._host.life
        if life is None:
            return
        with contextlib.suppress(TimeoutError, RtourError):
            async with asyncio.timeout(PATIENCE_S):
                self._host.note(f"{what}: {await life.requests.ask(make)}")
