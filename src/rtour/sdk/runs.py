"""Side effects: closures that run once, and whose results the journal keeps.

A closure starts when it is asked for, so that two runs in a row work side by side. When the journal
has its result already, or a cancellation comes first, it never starts. A coroutine function runs on
the event loop, anything else in a thread. The result counts once the server has stored it: it comes
back as a notification, like every other.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import FunctionType
from typing import Any, Final, Generic, TypeVar

import msgspec

from rtour.protocol import messages as m
from rtour.sdk.exceptions import RetryableError, TerminalError, is_internal_exception
from rtour.sdk.serde import DefaultSerde, Serde
from rtour.sdk.threads import threads_of
from rtour.sdk.vm import VM, RunFailure, RunRetryPolicy
from rtour.sdk.watching import inside_run

T = TypeVar("T")
RunAction = Callable[..., Awaitable[T]] | Callable[..., T]

_LOG: Final = logging.getLogger("rtour.sdk")
_DEFAULTS: Final = RunRetryPolicy()
_LAST_RESORT_CODE: Final = 500


@dataclass
class RunOptions(Generic[T]):
    """How a run's result is stored and its failures are retried.

    With any of the retry fields set, the run has a policy of its own: 50 ms at first, doubling up
    to 10 s, until `max_attempts` or `max_duration` makes the failure final. Without, the attempt
    fails and the service's retry policy applies.
    """

    serde: Serde[T] | None = None
    type_hint: Any = None
    max_attempts: int | None = None
    max_duration: timedelta | None = None
    initial_retry_interval: timedelta | None = None
    max_retry_interval: timedelta | None = None
    retry_interval_factor: float | None = None
    max_retry_duration: timedelta | None = None
    """The older name of `max_duration`."""

    def __post_init__(self) -> None:
        if self.serde is None:
            self.serde = DefaultSerde()

    def policy(self) -> RunRetryPolicy | None:
        """The retry policy; None when no field of it is set."""
        max_duration = self.max_duration
        if max_duration is None:
            max_duration = self.max_retry_duration
        fields = {
            "max_attempts": self.max_attempts,
            "max_duration_ms": _ms(max_duration),
            "initial_interval_ms": _ms(self.initial_retry_interval),
            "max_interval_ms": _ms(self.max_retry_interval),
            "factor": self.retry_interval_factor,
        }
        given = {name: value for name, value in fields.items() if value is not None}
        return msgspec.structs.replace(_DEFAULTS, **given) if given else None


def _ms(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds() * 1000)


@dataclass(frozen=True)
class Closure:
    """A side effect, ready to run."""

    name: str
    action: Callable[[], Any]
    serde: Serde[Any]
    policy: RunRetryPolicy | None
    context: contextvars.Context


class Runs:
    """The closures of an attempt, from the call of `ctx.run` to the proposal of their results."""

    def __init__(
        self, vm: VM, seal: Callable[[bytes], bytes], on_ended: Callable[[], None]
    ) -> None:
        self._vm = vm
        self._seal = seal
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._closures: dict[int, Closure] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, run: int, closure: Closure) -> None:
        """Start the closure as soon as the journal is replayed, unless its result is there."""
        if self._vm.awaits_execution(run):
            self._closures[run] = closure
            if not self._vm.has_news:  # a cancellation may be among it: look first
                self.start()

    def start(self) -> None:
        """Start what may start now."""
        for run in self._vm.startable_runs():
            closure = self._closures.pop(run)
            # not by the loop's factory, which reports tasks that handlers make
            task = asyncio.Task(
                self._execute(run, closure), loop=self._loop, context=closure.context
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settle(self, *, start: bool) -> None:
        """Wait for the closures under way; `start` those that still wait, too."""
        if start:
            self.start()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """The attempt is over; threads cannot be stopped, their results are dropped."""
        for task in self._tasks:
            task.cancel()

    async def _execute(self, run: int, closure: Closure) -> None:
        inside_run.set(True)
        began = self._loop.time()
        try:
            value = await call(closure.action)
            self._vm.propose_run(run, m.Value(self._seal(closure.serde.serialize(value))))
        except TerminalError as error:
            metadata = tuple((error.metadata or {}).items())
            self._vm.propose_run(run, m.Failure(error.status_code, error.message, metadata))
        except Exception as error:  # noqa: BLE001 - it is the user's code
            _LOG.warning("ctx.run %r failed: %r", closure.name, error, exc_info=error)
            elapsed_ms = int((self._loop.time() - began) * 1000)
            self._vm.propose_run_failure(run, _failure(error), closure.policy, elapsed_ms)
        except BaseException as error:
            self._vm.executing.discard(run)
            if not is_internal_exception(error) and not self._vm.closed:
                self._vm.fail(_LAST_RESORT_CODE, f"ctx.run was interrupted: {error!r}")
            raise
        finally:
            self._on_ended()


async def call(action: Callable[[], Any]) -> Any:
    """Call what may be a coroutine function, or may block: then it runs in a thread."""
    if _is_coroutine_function(action):
        return await action()
    context = contextvars.copy_context()
    value = await threads_of(asyncio.get_running_loop()).call(action, context)
    return await value if inspect.isawaitable(value) else value


def _is_coroutine_function(action: Any) -> bool:
    if type(action) is FunctionType and not action.__dict__:  # where marks would be
        return bool(action.__code__.co_flags & inspect.CO_COROUTINE)
    while isinstance(action, partial):
        action = action.func
    return inspect.iscoroutinefunction(action) or (
        not inspect.isfunction(action)
        and not inspect.ismethod(action)
        and inspect.iscoroutinefunction(getattr(action, "__call__", None))  # noqa: B004
    )


def _failure(error: Exception) -> RunFailure:
    stacktrace = "".join(traceback.format_exception(error))
    if isinstance(error, RetryableError):
        return RunFailure(error.message, error.status_code, stacktrace, _ms(error.retry_after))
    return RunFailure(repr(error), _LAST_RESORT_CODE, stacktrace)
