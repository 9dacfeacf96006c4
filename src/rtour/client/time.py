"""The clock of a development server: look at it, skip it, stop it, let it go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from rtour.client.failures import NotFound, ServerFailed
from rtour.client.model import ClockReading
from rtour.client.times import duration
from rtour.client.transport import Answer, Origin

SAME_CLOCK_MS = 1000


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What is waited for next: a `sleep`, the `start` of a delayed invocation, or a `retry`."""

    at: datetime
    in_ms: int
    what: str
    invocation_id: str


class Clock(ClockReading, frozen=True, kw_only=True):
    """How the clock stands; after a change, also how far that moved it and what became due."""

    next: Due | None = None
    moved_ms: int = 0
    timers: int = 0
    retries: int = 0


class Time:
    """Drives the clock, where the server was started for that; else `Conflict` is raised."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    async def show(self) -> Clock:
        """How it stands, and what is waited for next."""
        return await self._ask("GET")

    async def skip(self, by: timedelta | str) -> Clock:
        """Moves it on by a duration; as text, `15m`, `1h 30m` or ISO 8601."""
        text = by if isinstance(by, str) else f"{by // timedelta(milliseconds=1)}ms"
        return await self._drive(action="skip", by=text)

    async def skip_to(self, at: datetime | str) -> Clock:
        """Moves it on to an instant; one without a time zone is UTC."""
        text = at if isinstance(at, str) else at.isoformat()
        return await self._drive(action="skip", to=text)

    async def skip_to_next(self) -> Clock:
        """Moves it on to what is waited for next."""
        return await self._drive(action="skip", to="next")

    async def freeze(self) -> Clock:
        """Stops it."""
        return await self._drive(action="freeze")

    async def resume(self) -> Clock:
        """Lets it go on from what it shows."""
        return await self._drive(action="resume")

    async def auto(self) -> Clock:
        """Lets it go on, and leap to what is waited for next whenever all work waits."""
        return await self._drive(action="auto")

    async def _drive(self, **body: str) -> Clock:
        return await self._ask("POST", body=body)

    async def _ask(self, method: str, **request: Any) -> Clock:
        try:
            answer = await self._origin.json(method, "/rtour/time", **request)
        except NotFound as error:
            raise NotFound(
                "this server has no clock that can be driven",
                expected="rtour's own server, started by `rtour up` or with --dev-clock",
                status=error.status,
            ) from error
        return _decoded(answer)


def _decoded(answer: Answer) -> Clock:
    try:
        return msgspec.json.decode(answer.body, type=Clock)
    except msgspec.DecodeError as error:
        raise ServerFailed(f"the server's answer about its clock is not understood: {error}") from (
            error
        )


def driven(clock: ClockReading) -> bool:
    """Whether it goes otherwise than the machine's."""
    return clock.mode in ("frozen", "auto") or abs(clock.offset_ms) >= SAME_CLOCK_MS


def described(clock: ClockReading) -> str:
    """`15m ahead of the server's machine, standing still`; how it goes only if not by itself."""
    words = "as on the server's machine"
    if abs(clock.offset_ms) >= SAME_CLOCK_MS:
        side = "ahead of" if clock.offset_ms > 0 else "behind"
        off = timedelta(milliseconds=abs(clock.offset_ms))
        words = f"{duration(off)} {side} the server's machine"
    going = {"frozen": ", standing still", "auto": ", leaping whenever all work waits"}
    return words + going.get(clock.mode, "")
