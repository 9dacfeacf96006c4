"""The register of scenarios, and how a set of them is run on one site."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import traceback
from collections.abc import Awaitable, Callable, Iterable

import httpx
import msgspec

from tests.conformance import scenarios
from tests.conformance.endpoints import SETUPS, Setup
from tests.conformance.observation import Observation
from tests.conformance.unplayable import UNPLAYABLE
from tests.conformance.world import CALL_TIMEOUT_S, Site, World

Play = Callable[[World], Awaitable[None]]
TIMEOUT_S = 90.0
AT_ONCE = 12

EVERY_SDK: tuple[Setup, ...] = ("python", "typescript", "go", "rust", "java")
# The modules that are also played in request-response mode, because there waiting is different.
ABOUT_WAITING = {"calls", "idempotency", "state", "waiting", "workflows"}


class Scenario(msgspec.Struct, frozen=True):
    """A named sequence of client actions, and the setups it is played on."""

    name: str
    play: Play
    setups: tuple[Setup, ...]


class Outcome(msgspec.Struct, frozen=True):
    """What a scenario saw, or why it could not finish."""

    observation: Observation
    failure: str | None = None


_catalogue: dict[str, Scenario] = {}


def scenario(
    play: Play | None = None, *, name: str | None = None, setups: tuple[Setup, ...] | None = None
) -> Callable[..., object]:
    """Put a function into the catalogue under its own or the given name."""

    def register(play: Play) -> Play:
        title = name or play.__name__
        assert title not in _catalogue, f"two scenarios are called {title}"
        assert inspect.getdoc(play), f"{title} does not say what it shows"
        topic = play.__module__.rpartition(".")[2]
        usual = SETUPS if topic in ABOUT_WAITING else EVERY_SDK
        playable = [each for each in setups or usual if title not in UNPLAYABLE.get(each, {})]
        _catalogue[title] = Scenario(title, play, tuple(playable))
        return play

    return register if play is None else register(play)


def load() -> dict[str, Scenario]:
    """All scenarios of this package."""
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module(f"{scenarios.__name__}.{module.name}")
    return dict(_catalogue)


async def play_all(site: Site, names: Iterable[str]) -> dict[str, Outcome]:
    """Run the named scenarios concurrently, a few at once."""
    chosen = [load()[name] for name in names]
    turn = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, limits=limits) as client:

        async def one(each: Scenario) -> Outcome:
            async with turn:
                return await _play(each, World(site, client))

        outcomes = await asyncio.gather(*[one(each) for each in chosen])
    return dict(zip([each.name for each in chosen], outcomes, strict=True))


async def _play(each: Scenario, world: World) -> Outcome:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await each.play(world)
    except Exception:  # noqa: BLE001 - the report of a broken scenario is its outcome
        return Outcome(world.observation, traceback.format_exc(limit=-4))
    return Outcome(world.observation)
