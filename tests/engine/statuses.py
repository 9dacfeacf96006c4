"""How to really reach each status: every way goes through commands, none writes the tables."""

from __future__ import annotations

from collections.abc import Callable

from rtour.engine import commands as c
from rtour.engine.model import AttemptError
from rtour.protocol import messages as m

from .world import World

AWAITED = m.Future(completions=(1,), signals=(1,), combinator=m.Combinator.FIRST_COMPLETED)
ERROR = AttemptError(500, "boom")
KEPT = (500, 500)


def absent(world: World, keep: tuple[int, int]) -> None:
    world.id("a")


def scheduled(world: World, keep: tuple[int, int]) -> None:
    world.invoke("a", "Object/k/write", keep=keep, start_at=9000)


def pending(world: World, keep: tuple[int, int]) -> None:
    world.invoke("holder", "Object/k/write")
    world.invoke("a", "Object/k/write", keep=keep)


def running(world: World, keep: tuple[int, int]) -> None:
    """Running for a while: it has slept once, so that it has a timer, a pin and a journal."""
    world.invoke("a", "Object/k/write", keep=keep)
    world.store("a", m.Sleep(9000, 1))


def backing_off(world: World, keep: tuple[int, int]) -> None:
    running(world, keep)
    world.apply(c.AttemptFailed(world.id("a"), world.attempt("a"), ERROR, 1000))


def suspended(world: World, keep: tuple[int, int]) -> None:
    running(world, keep)
    world.apply(c.AttemptSuspended(world.id("a"), world.attempt("a"), AWAITED, 2))


def paused(world: World, keep: tuple[int, int]) -> None:
    running(world, keep)
    world.apply(c.AttemptExhausted(world.id("a"), world.attempt("a"), ERROR, pause=True))


def completed(world: World, keep: tuple[int, int]) -> None:
    """Without retention nothing is left of it, so this one always has some."""
    running(world, KEPT)
    world.store("a", m.Output(m.Value(b"out")))
    world.apply(c.AttemptEnded(world.id("a"), world.attempt("a")))


REACH: dict[str, Callable[[World, tuple[int, int]], None]] = {
    "absent": absent,
    "scheduled": scheduled,
    "pending": pending,
    "running": running,
    "backing-off": backing_off,
    "suspended": suspended,
    "paused": paused,
    "completed": completed,
}


def world_with(status: str, keep: tuple[int, int] = KEPT) -> World:
    """A world in which the invocation `a` of Object/k/write has this status."""
    world = World()
    REACH[status](world, keep)
    return world
