"""The server's clock: everybody may look at it, a development server lets itself be driven."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from rtour.clock import Clock, ClockState, ahead_ms
from rtour.server.admin import bodies, models
from rtour.server.admin.bodies import AdminError
from rtour.server.admin.replies import ok
from rtour.server.durations import DurationError, parse_duration
from rtour.server.instants import rfc3339
from rtour.server.time_control import CannotDrive, Due, Moved, TimeControl
from rtour.server.web import Headers, Reply, Request

_OFF: Final = (
    "this server goes by its machine's clock, which cannot be driven: start it with --dev-clock, "
    "or use `rtour up`"
)
_NEXT: Final = "next"


class TimeEndpoints:
    """`time` is None where the clock is the machine's."""

    def __init__(self, clock: Clock, time: TimeControl | None) -> None:
        self._clock = clock
        self._time = time

    # --- for other endpoints ---------------------------------------------------------------------

    def reading(self) -> models.ClockReading | None:
        """How a clock that can be driven stands; None if it cannot."""
        if self._time is None:
            return None
        return models.ClockReading(**self._reading())

    def headers(self) -> Headers:
        """What tells whoever looks at any answer's headers that time is not to be trusted."""
        if self._time is None:
            return []
        offset_ms = ahead_ms(self._clock)
        text = f"{_mode(self._time.state)}; offset-ms={offset_ms}"
        return [(b"x-rtour-clock", text.encode())]

    # --- endpoints -------------------------------------------------------------------------------

    async def show_time(self, _request: Request, _version: int) -> Reply:
        return ok(models.TimeInformation(**self._reading(), next=self._next()))

    async def drive_time(self, request: Request, _version: int) -> Reply:
        body = bodies.read(request, bodies.TIME)
        if self._time is None:
            raise AdminError(409, _OFF)
        try:
            moved = await _drive(self._time, body)
        except CannotDrive as error:
            raise AdminError(409 if error.conflict else 400, str(error)) from error
        return ok(
            models.TimeMoved(
                **self._reading(),
                next=self._next(),
                moved_ms=moved.by_ms,
                timers=moved.timers,
                retries=moved.retries,
            )
        )

    def _reading(self) -> dict[str, Any]:
        mode = "off" if self._time is None else _mode(self._time.state)
        now = rfc3339(self._clock.now_ms())
        return {"mode": mode, "now": now, "offset_ms": ahead_ms(self._clock)}

    def _next(self) -> models.DueNext | None:
        due: Due | None = None if self._time is None else self._time.next_due()
        if due is None:
            return None
        in_ms = max(due.at - self._clock.now_ms(), 0)
        return models.DueNext(
            at=rfc3339(due.at), in_ms=in_ms, what=due.what, invocation_id=due.invocation_id
        )


async def _drive(time: TimeControl, body: bodies.TimeBody) -> Moved:
    if body.action != "skip" and (body.by, body.to) != (None, None):
        raise AdminError(422, f"only a skip has `by` or `to`, a {body.action} does not")
    match body.action:
        case "freeze":
            return await time.freeze()
        case "resume":
            return await time.resume()
        case "auto":
            return await time.resume(auto=True)
    if (body.by is None) is (body.to is None):
        raise AdminError(422, "a skip needs either `by`, like 15m, or `to`, an instant or `next`")
    if body.by is not None:
        return await time.skip(_duration(body.by))
    assert body.to is not None
    return await (time.skip_to_next() if body.to == _NEXT else time.skip_to(_instant(body.to)))


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except DurationError as error:
        raise AdminError(422, f"by: {error}") from error


def _instant(text: str) -> int:
    """Milliseconds since the epoch; without an offset, the time is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise AdminError(
            422, f"to: expected an instant like 2026-11-25T08:00:00Z, or next; {error}"
        ) from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def _mode(state: ClockState) -> str:
    if state.frozen_at is not None:
        return "frozen"
    return "auto" if state.auto else "running"
