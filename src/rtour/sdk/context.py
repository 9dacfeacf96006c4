"""What a handler sees: one class per kind of handler, and one that is all of them at run time.

    Context                          every handler
    └── ObjectSharedContext          + key, reading state
        ├── ObjectContext            + writing state
        │   └── WorkflowContext      + promises
        └── WorkflowSharedContext    + promises

Calls take effect when they are made; awaiting what they return only waits.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from rtour.protocol import messages as m
from rtour.sdk.context_calls import Calls, ScopedContext
from rtour.sdk.context_signals import DurablePromise, Signals
from rtour.sdk.decoding import Decode, decode_state_keys, decode_with
from rtour.sdk.futures import DurableFuture, LeafFuture, ReadyFuture, SealedFuture, SleepFuture
from rtour.sdk.runs import Closure, RunAction, RunOptions
from rtour.sdk.serde import Serde, resolve, return_hint, without_none

if TYPE_CHECKING:
    from rtour.sdk.attempt import Attempt

T = TypeVar("T")

_DEFAULTS: RunOptions[Any] = RunOptions()


class AttemptFinishedEvent:
    """Set when this attempt ends, for whatever reason."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def is_set(self) -> bool:
        return self._attempt.ended

    async def wait(self) -> None:
        await self._attempt.ended_event().wait()


@dataclass(frozen=True)
class Request:
    """What the invocation was called with. `headers` are the caller's, in every attempt."""

    id: str
    headers: Mapping[str, str]
    attempt_headers: Mapping[str, str]
    body: bytes
    attempt_finished_event: AttemptFinishedEvent
    scope: str | None = None
    limit_key: str | None = None
    idempotency_key: str | None = None


class Context(Calls, Signals):
    """What every handler can do."""

    def __init__(self, attempt: Attempt, input: m.Input) -> None:  # noqa: A002 - the command's name
        super().__init__(attempt)
        self.input = input
        self._random: random.Random | None = None

    def request(self) -> Request:
        """The invocation's id, headers and raw input."""
        start = self._vm.start
        return Request(
            id=start.debug_id,
            headers={header.key: header.value for header in self.input.headers},
            attempt_headers=self._attempt.headers,
            body=self.input.value,
            attempt_finished_event=AttemptFinishedEvent(self._attempt),
            scope=start.scope,
            limit_key=start.limit_key,
            idempotency_key=start.idempotency_key,
        )

    def scope(self, scope: str) -> ScopedContext:
        """Typed calls within a scope (protocol v7)."""
        return ScopedContext(self._attempt, scope)

    # --- side effects and time ---------------------------------------------------------------

    @overload
    def run_typed(
        self,
        name: str,
        action: Callable[..., Awaitable[T]],
        options: RunOptions[T] = ...,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> DurableFuture[T]: ...
    @overload
    def run_typed(
        self,
        name: str,
        action: Callable[..., T],
        options: RunOptions[T] = ...,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> DurableFuture[T]: ...
    def run_typed(
        self,
        name: str,
        action: RunAction[T],
        options: RunOptions[T] | None = None,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> DurableFuture[T]:
        """Run a side effect once: `action(*args, **kwargs)`, and keep its result."""
        bound = partial(action, *args, **kwargs) if args or kwargs else action
        return self._run(name, bound, options or _DEFAULTS, without_none(return_hint(action)))

    @overload
    def run(
        self,
        name: str,
        action: Callable[..., Awaitable[T]],
        serde: Serde[T] | None = None,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: Any = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[T]: ...
    @overload
    def run(
        self,
        name: str,
        action: Callable[..., T],
        serde: Serde[T] | None = None,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: Any = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[T]: ...
    def run(
        self,
        name: str,
        action: RunAction[T],
        serde: Serde[T] | None = None,
        max_attempts: int | None = None,
        max_retry_duration: timedelta | None = None,
        type_hint: Any = None,
        args: tuple[Any, ...] | None = None,
    ) -> DurableFuture[T]:
        """Run a side effect once, and keep its result; `run_typed` takes more options."""
        options: RunOptions[T] = RunOptions(
            serde, type_hint, max_attempts=max_attempts, max_duration=max_retry_duration
        )
        bound = partial(action, *args) if args else action
        return self._run(name, bound, options, return_hint(action))

    def _run(
        self, name: str, action: Callable[[], Any], options: RunOptions[T], returned: Any
    ) -> DurableFuture[T]:
        self._attempt.pump.guard()
        hint = options.type_hint if options.type_hint is not None else returned
        serde = resolve(options.serde, hint)
        run = self._vm.sys_run(name)
        policy = None if options is _DEFAULTS else options.policy()
        closure = Closure(name, action, serde, policy, copy_context())
        self._attempt.runs.add(run, closure)
        return LeafFuture(self._attempt, run, cast("Decode[T]", decode_with(serde)))

    def sleep(self, delta: timedelta, name: str | None = None) -> SleepFuture:
        """A timer that outlives the process."""
        return self._attempt.sleep(delta, name or "")

    def time(self) -> DurableFuture[float]:
        """Seconds since the epoch, the same in every attempt."""

        async def timestamp() -> float:
            return self._attempt.due_ms(timedelta()) / 1000

        return self.run("timestamp", timestamp)

    # --- randomness --------------------------------------------------------------------------

    def random(self) -> random.Random:
        """A generator that gives every attempt the same numbers. Not for secrets."""
        if self._random is None:
            self._random = random.Random(self._vm.random_seed)  # noqa: S311 - must be repeatable
        return self._random

    def uuid(self) -> uuid.UUID:
        """A random UUID, the same in every attempt."""
        return uuid.UUID(int=self.random().getrandbits(128), version=4)


class ObjectSharedContext(Context):
    """What a shared handler of a virtual object can do: read its key and state."""

    def key(self) -> str:
        """The key of this virtual object or workflow."""
        return self._vm.start.key

    def get(
        self,
        name: str,
        serde: Serde[T] | None = None,
        type_hint: type[T] | None = None,
        entry_name: str | None = None,
    ) -> DurableFuture[T | None]:
        """A value of the state, None if it is not set."""
        self._attempt.pump.guard()
        decode = decode_with(resolve(serde, type_hint))
        got = self._vm.sys_get_state(name.encode(), entry_name or "")
        if isinstance(got, m.Value) and self._attempt.codec is not None:
            return SealedFuture(self._attempt, got, decode)
        if isinstance(got, m.Value | m.Void):
            return ReadyFuture(self._attempt, decode(got))
        return LeafFuture(self._attempt, got, decode)

    def state_keys(self, entry_name: str | None = None) -> DurableFuture[list[str]]:
        """The names of all values of the state."""
        self._attempt.pump.guard()
        got = self._vm.sys_get_state_keys(entry_name or "")
        if isinstance(got, m.StateKeys):
            return ReadyFuture(self._attempt, decode_state_keys(got))
        return LeafFuture(self._attempt, got, decode_state_keys)


class ObjectContext(ObjectSharedContext):
    """What an exclusive handler of a virtual object can do: also write its state."""

    def set(
        self,
        name: str,
        value: T,
        serde: Serde[T] | None = None,
        entry_name: str | None = None,
    ) -> None:
        """Set a value of the state."""
        self._attempt.pump.guard()
        content = self._attempt.seal(resolve(serde, type(value)).serialize(value))
        self._vm.sys_set_state(name.encode(), content, entry_name or "")

    def clear(self, name: str, entry_name: str | None = None) -> None:
        """Remove a value of the state."""
        self._attempt.pump.guard()
        self._vm.sys_clear_state(name.encode(), entry_name or "")

    def clear_all(self, entry_name: str | None = None) -> None:
        """Remove all values of the state."""
        self._attempt.pump.guard()
        self._vm.sys_clear_all_state(entry_name or "")


class WorkflowSharedContext(ObjectSharedContext):
    """What a workflow's other handlers can do: read its state, use its promises."""

    def promise(
        self, name: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> DurablePromise[T]:
        """A promise of this workflow; nothing is sent before it is used."""
        return DurablePromise(self._attempt, name, serde, type_hint)


class WorkflowContext(ObjectContext):
    """What a workflow's main handler can do."""

    def promise(
        self, name: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> DurablePromise[T]:
        """A promise of this workflow; nothing is sent before it is used."""
        return DurablePromise(self._attempt, name, serde, type_hint)


class InvocationContext(WorkflowContext, WorkflowSharedContext):
    """The class of every context at run time; the server judges what a handler may do."""

    def __init__(self, attempt: Attempt, input: m.Input) -> None:  # noqa: A002 - the command's name
        super().__init__(attempt, input)
        self.extension_data: dict[str, Any] = {}

    @property
    def attempt(self) -> Attempt:
        return self._attempt

    async def close(self) -> None:
        """Close what extensions have left with this attempt."""
        for value in self.extension_data.values():
            close = getattr(value, "__close__", None)
            if close is None:
                continue
            try:
                closing = close()
                if asyncio.iscoroutine(closing):
                    await closing
            except Exception:  # noqa: BLE001, S112 - the attempt is over: there is nobody to tell
                continue
