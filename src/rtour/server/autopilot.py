"""The clock's automatic mode: when everybody only waits for a time, that time is now.

It leaps to the next timer or retry once nothing is queued and no attempt runs. An attempt that has
gone quiet is asked to suspend first: what it waits for may be that very timer. Retries of a
service that cannot be reached take some of the world's time too, for it may be just starting; so
do those of an invocation that fails again and again, for somebody may be about to mend it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from rtour.server.back_off import Failed
from rtour.server.invoker import Invoker
from rtour.server.processor import Processor
from rtour.server.requests import Overloaded, Unavailable
from rtour.server.time_control import CannotDrive, Due, TimeControl

log = logging.getLogger("rtour.time")

QUIET_S = 0.2  # after which an attempt is asked to suspend
LOOK_S = 0.05  # between two looks at attempts that run
PATIENCE_S = 1.0  # between a failure and the next attempt, where that is not worth a leap
QUICK_RETRIES = 3  # of an invocation take no time: what fails for once is tried at once
UNREACHABLE_CODE = "RT0010"


class Autopilot:
    """Leaps while the clock is automatic, and costs nothing while it is not."""

    def __init__(self, time: TimeControl, processor: Processor, invoker: Invoker) -> None:
        self._time = time
        self._processor = processor
        self._invoker = invoker
        self._stirred = asyncio.Event()
        processor.on_idle = self._on_idle
        time.on_change = self._stirred.set

    def _on_idle(self) -> None:
        if self._time.state.auto:
            self._stirred.set()

    async def run(self) -> None:
        """Until cancelled."""
        with contextlib.suppress(Unavailable):  # the server is stopping
            while True:
                self._stirred.clear()
                pause_s = await self._step() if self._time.state.auto else None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._stirred.wait()

    async def _step(self) -> float | None:
        """Leap if it is time; for how many seconds to do nothing after, if nothing stirs."""
        await self._processor.settled()
        if self._invoker.running:
            self._suspend_the_quiet()
            return LOOK_S
        due = self._time.next_due()
        if due is None or not self._time.state.auto:
            return None
        patience_s = self._patience_s(due)
        if patience_s > 0:
            return patience_s
        try:
            await self._time.skip_to_next()
        except Overloaded:
            return LOOK_S
        except CannotDrive as error:
            if error.conflict:  # what was waited for is gone by now
                return None
            log.warning("The clock stays where it is: %s", error)
            return PATIENCE_S
        return 0

    def _suspend_the_quiet(self) -> None:
        for activation in self._invoker.activations():
            attempt = activation.attempt
            if attempt is not None and attempt.input_open and attempt.idle_s() >= QUIET_S:
                attempt.close_input()

    def _patience_s(self, due: Due) -> float:
        """For how long what is due next is to wait in real time, too."""
        failed = self._invoker.back_off.failed(due.invocation_id) if due.what == "retry" else None
        if failed is None or not _is_slow(failed):
            return 0
        return failed.since + PATIENCE_S - asyncio.get_running_loop().time()


def _is_slow(failed: Failed) -> bool:
    """Whether to try it at once would only use up its attempts."""
    unreachable = failed.error is not None and failed.error.doc_code == UNREACHABLE_CODE
    return unreachable or failed.attempts > QUICK_RETRIES
