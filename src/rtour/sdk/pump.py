"""The one place that lets a handler's tasks go on, in an order that every replay repeats.

A handler may use plain asyncio: `gather`, `TaskGroup`, tasks of its own. The journal then holds the
commands of several tasks interleaved, and a replay must interleave them alike. Hence *turns*: when
all tasks wait, the pump looks at the next notification of the journal, wakes the one waiter that it
resolves, and looks at no other notification before the loop has been quiet for a while: until
whatever the woken task set going (a gather that ends, a task that starts) has come to wait, too.
Such chains take one iteration of the loop per link whatever the load, so the wait is counted in
iterations. A handler that is known to have made no tasks needs none of this: see `watching`.

What wakes a task from outside, such as `asyncio.sleep` or a socket, keeps no order. As long as one
task alone uses the context, no harm is done. When such a task makes a context call while others
wait, or when a clock cancels a durable wait (`asyncio.timeout`), the attempt fails with an error
that says what to use instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rtour.sdk.exceptions import CancelledError, SdkInternalException, SuspendedException
from rtour.sdk.vm import VM, Progress, Tree
from rtour.sdk.watching import inside_run, is_watched

NONDETERMINISTIC: Final = 570
_QUIET: Final = 16
"""Iterations of the loop without a context call, after which all tasks of a handler wait."""
_STREAK: Final = 64
"""Waits that may be over at once before others get a turn on the loop."""


class Awaited(Protocol):
    """What a task can wait for."""

    def tree(self) -> Tree: ...


class _Waiter:
    """A task of the handler, waiting."""

    __slots__ = ("awaited", "cancelled", "woken")

    def __init__(self, awaited: Awaited, woken: asyncio.Future[None]) -> None:
        self.awaited = awaited
        self.woken = woken
        self.cancelled = False


class Pump:
    """Turns, waiters, and the refusal of what has no order."""

    def __init__(self, vm: VM, flush: Callable[[], None], start_runs: Callable[[], None]) -> None:
        self.vm = vm
        self.tasks: set[asyncio.Task[object]] = set()
        """Tasks other than the handler's own that have used the context."""
        self._flush = flush
        self._start_runs = start_runs
        self._loop = asyncio.get_running_loop()
        self._alone = is_watched(self._loop)
        self._main: asyncio.Task[object] | None = None
        self._waiters: list[_Waiter] = []
        self._quiet = 0
        self._streak = 0
        self._ticking = False
        self._holds = 0

    def bind(self, main: asyncio.Task[object]) -> None:
        """The task that runs the handler."""
        self._main = main

    def several(self) -> None:
        """The handler has made a task: from now on the order of its tasks matters."""
        if self._alone:
            self._alone = False
            self._tick_soon()

    # --- called by the handler's tasks -------------------------------------------------------

    def guard(self) -> None:
        """Before each command: is it this task's turn?"""
        if inside_run.get():
            raise RuntimeError(
                "The context was used inside ctx.run: what a side effect does is not replayed, so "
                "it cannot call, sleep, read or write state. Do that before or after it."
            )
        self._quiet = 0
        task = asyncio.current_task()
        if task is not self._main and task is not None:
            self.tasks.add(task)
            self.several()
        if self._waiters and not (self._ticking or self._holds or self.vm.closed):
            self._refuse(
                "A context call came from a task that was woken by something other than Restate "
                "(asyncio.sleep, a socket, a lock of another invocation) while other tasks of the "
                "handler wait, so no replay could repeat the order. Put the outside work into "
                "ctx.run, and pauses into ctx.sleep."
            )

    async def wait(self, awaited: Awaited) -> None:
        """Return when `awaited` is done; its result is taken by the caller."""
        vm = self.vm
        if vm.is_done(awaited.tree()):
            return
        vm.assert_open()
        self.guard()
        if self._alone and await self._at_once(awaited):
            return
        waiter = _Waiter(awaited, self._loop.create_future())
        self._waiters.append(waiter)
        if not self._alone:
            vm.about_to_wait([waiter.awaited.tree() for waiter in self._waiters])
        self._flush()
        self._tick_soon()
        try:
            await waiter.woken
        except asyncio.CancelledError:
            self._on_task_cancelled(waiter)
            raise

    async def _at_once(self, awaited: Awaited) -> bool:
        """A lone task looks for itself: nobody could be overtaken."""
        match self._progress([awaited.tree()]):
            case Progress.DONE:
                self._streak += 1
                if self._streak % _STREAK == 0:
                    await asyncio.sleep(0)
                return True
            case Progress.CANCELLED:
                raise CancelledError
            case Progress.CLOSED:
                self.close()
                raise self._ending()
            case _:
                return False

    def _on_task_cancelled(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if not (self._ticking or self._holds or self.vm.closed):
            self._refuse(
                "A task was cancelled by something other than Restate while it waited for a "
                "durable result (asyncio.timeout, asyncio.wait_for, task.cancel() from a timer), "
                "so no replay could repeat it. Use `future.or_timeout(...)` or "
                "`select(..., timeout=ctx.sleep(...))`."
            )

    def _refuse(self, message: str) -> None:
        self.vm.fail(NONDETERMINISTIC, message)
        self.close()
        self.vm.assert_open()

    @contextmanager
    def turn_held(self) -> Iterator[None]:
        """Within a turn, wait for something outside without giving the turn away."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._tick_soon()

    # --- turns -------------------------------------------------------------------------------

    def kick(self) -> None:
        """There may be something new: input, its end, or the end of a run."""
        if self.vm.closed:
            self.close()
        elif not (self._ticking or self._holds):
            self._advance()

    def _tick_soon(self) -> None:
        self._quiet = 0
        if not (self._ticking or self._alone):
            self._ticking = True
            self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        if self._holds:
            self._ticking = False
            return
        if self._quiet < _QUIET:
            self._quiet += 1
            self._loop.call_soon(self._tick)
            return
        self._ticking = False
        if self.vm.closed:
            self.close()
        else:
            self._advance()

    def _advance(self) -> None:
        """All is quiet: let one waiter go on, or find that none can."""
        if not self._waiters or self._wake_cancelled():
            return
        match self._progress([waiter.awaited.tree() for waiter in self._waiters]):
            case Progress.DONE:
                self._wake_done()
            case Progress.CANCELLED:
                for waiter in self._waiters:
                    waiter.cancelled = True
                self._wake_cancelled()
            case Progress.CLOSED:
                self.close()
        self._flush()

    def _progress(self, trees: Sequence[Tree]) -> Progress:
        progress = self.vm.progress(trees)
        if progress is Progress.EXECUTE:
            self._start_runs()
            progress = self.vm.progress(trees)
        return progress

    def _wake_done(self) -> None:
        for waiter in self._waiters:
            if self.vm.is_done(waiter.awaited.tree()):
                self._waiters.remove(waiter)
                self._tick_soon()
                if not waiter.woken.done():
                    waiter.woken.set_result(None)
                return

    def _wake_cancelled(self) -> bool:
        """A cancellation interrupts every wait there is, one after the other."""
        for waiter in self._waiters:
            if waiter.cancelled:
                self._waiters.remove(waiter)
                self._tick_soon()
                if not waiter.woken.done():
                    waiter.woken.set_exception(CancelledError())
                return True
        return False

    def close(self) -> None:
        """The attempt is over: flush the last frame, and tell everyone who waits."""
        self._flush()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.woken.done():
                waiter.woken.set_exception(self._ending())

    def _ending(self) -> BaseException:
        if self.vm.suspended:
            return SuspendedException()
        failure = self.vm.failure
        return SdkInternalException(failure.message if failure else "The attempt is over.")
