"""One attempt of one invocation: the handler, its runs and its tasks around the state machine.

The host (ASGI app, built-in server, Lambda) feeds `on_data`, `on_eof` and `on_lost`, sends what it
gets through `write`, and ends the response when `on_finished` is called: when the last frame is out
and the request has ended, which is what the server waits for.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from rtour.clock import SystemClock
from rtour.protocol import messages as m
from rtour.sdk.context import InvocationContext
from rtour.sdk.decoding import Decode, decode_invocation_id, decode_nothing
from rtour.sdk.exceptions import (
    RetryableError,
    SdkInternalBaseException,
    TerminalError,
    is_internal_exception,
)
from rtour.sdk.futures import CallFuture, LeafFuture, SendHandle, SleepFuture
from rtour.sdk.handlers import Handler
from rtour.sdk.pump import Pump
from rtour.sdk.runs import Runs
from rtour.sdk.vm import VM, CallOptions
from rtour.sdk.watching import watcher

if TYPE_CHECKING:
    from rtour.sdk.codec import CodecSource, JournalValueCodec

T = TypeVar("T")

_LOG: Final = logging.getLogger("rtour.sdk")
_CLOCK: Final = SystemClock()
_INTERNAL: Final = 500
_UNWIND_S: Final = 5.0
"""How long a handler may clean up after its attempt is over."""

_LINGER_S: Final = 0.005
"""How long the server need not know that a side effect has begun: it would run again anyway."""

current: contextvars.ContextVar[InvocationContext] = contextvars.ContextVar("rtour_context")


class Attempt:
    """A handler at work."""

    def __init__(
        self,
        handler: Handler,
        version: int,
        *,
        headers: Mapping[str, str],
        write: Callable[[bytes], None],
        on_finished: Callable[[], None],
        codec: CodecSource | None = None,
    ) -> None:
        self.handler = handler
        self.target = f"{handler.service_tag.name}/{handler.name}"
        self.headers = headers
        self.vm = VM(version, check_payloads=codec is None)
        self.codec: JournalValueCodec | None = None
        self._codec_source = codec
        self.runs = Runs(self.vm, self.seal, self._on_run_ended)
        self.pump = Pump(self.vm, self._flush_in_time, self.runs.start)
        self.ended = False
        self._write = write
        self._on_finished = on_finished
        self._finished = False
        self._returned = False
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._ended_event: asyncio.Event | None = None
        self._context: InvocationContext | None = None
        self._flush_due = False

    # --- the host's side ---------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """More of the request body."""
        self.vm.receive(data)
        self._on_input()

    def on_eof(self) -> None:
        """The end of the request body."""
        self.vm.receive_eof()
        self._on_input()

    def on_lost(self) -> None:
        """The connection is gone, or the host is stopping: end without a word."""
        self.vm.abandon()
        self.vm.input_closed = True
        self.pump.close()

    def drain(self) -> None:
        """The host is stopping: go on until the next wait, and suspend there."""
        self.vm.drain()
        self.pump.kick()

    def _on_input(self) -> None:
        if self._task is None and self.vm.ready_to_execute:
            self._task = self._loop.create_task(self._run())
            self.pump.bind(self._task)
        else:
            self.pump.kick()

    def _on_run_ended(self) -> None:
        self.flush()
        self.pump.kick()

    def _flush_in_time(self) -> None:
        """Flush; only that side effects have begun waits for their results, if those come soon."""
        if not self.vm.can_wait:
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            self._loop.call_later(_LINGER_S, self._flush_late)

    def _flush_late(self) -> None:
        self._flush_due = False
        self.flush()

    def flush(self) -> None:
        """Hand what is written to the host."""
        data = self.vm.take_output()
        if data:
            self._write(data)
        if not self.vm.closed:
            return
        if not self.ended:
            self.ended = True
            self._unwind()
        if self.vm.input_closed and not self._finished:
            self._finished = True
            self._on_finished()

    def _unwind(self) -> None:
        """The last frame is out: let what still runs come to its end."""
        if self._ended_event is not None:
            self._ended_event.set()
        self.runs.cancel()
        if self._task is not None and not self._returned:
            timer = self._loop.call_later(_UNWIND_S, self._task.cancel)
            self._task.add_done_callback(lambda _: timer.cancel())

    def _cancel_tasks(self) -> None:
        """Tasks that the handler started and left behind."""
        for task in list(self.pump.tasks):
            task.cancel()

    def ended_event(self) -> asyncio.Event:
        """Set when the attempt is over, for whatever reason."""
        if self._ended_event is None:
            self._ended_event = asyncio.Event()
            if self.ended:
                self._ended_event.set()
        return self._ended_event

    # --- the handler -------------------------------------------------------------------------

    async def _run(self) -> None:
        token = None
        try:
            self._context = InvocationContext(self, self.vm.sys_input())
            token = current.set(self._context)
            watcher.set(self.pump)
            if self._codec_source is not None:
                self.codec = await self._codec_source.get()
            result = await self._outcome(self._context)
            await self.runs.settle(start=isinstance(result, m.Value))
            if not self.vm.closed:
                self.vm.sys_output(result)
                self.vm.sys_end()
        except BaseException as error:  # noqa: BLE001 - nothing may leave a task unseen
            self._fail(error)
        finally:
            if token is not None:
                current.reset(token)
            self._returned = True
            self.flush()
            self._cancel_tasks()
            if self._context is not None:
                await self._context.close()

    async def _outcome(self, context: InvocationContext) -> m.Value | m.Failure:
        """The handler's value or terminal failure; other failures are raised."""
        try:
            return m.Value(await self._call(context))
        except Exception as error:
            cause = _decisive(error)
            if not isinstance(cause, TerminalError):
                raise
            metadata = tuple((cause.metadata or {}).items())
            return m.Failure(cause.status_code, cause.message, metadata)

    async def _call(self, context: InvocationContext) -> bytes:
        io = self.handler.io
        arguments = (
            (context, await self._input(context.input.value)) if io.takes_input else (context,)
        )
        if not self.handler.context_managers:
            return self.seal(io.output_serde.serialize(await self._user_code(arguments)))
        value = None  # a context manager may suppress what the handler raises
        async with AsyncExitStack() as stack:
            for enter in self.handler.context_managers:
                await stack.enter_async_context(enter())
            value = await self._user_code(arguments)
        return self.seal(io.output_serde.serialize(value))

    async def _user_code(self, arguments: tuple[Any, ...]) -> Any:
        value = self.handler.fn(*arguments)
        return await value if inspect.isawaitable(value) else value

    async def _input(self, body: bytes) -> Any:
        try:
            if self.codec is not None:
                body = await self.codec.decode(body)
            return self.handler.io.input_serde.deserialize(body)
        except Exception as error:
            raise TerminalError(f"Unable to parse an input argument. {error}") from error

    def _fail(self, error: BaseException) -> None:
        """The attempt fails and will be retried; nothing is said once it is over."""
        if self.vm.closed:
            return
        cause = _decisive(error)
        stacktrace = "".join(traceback.format_exception(error))
        if isinstance(cause, RetryableError):
            after = cause.retry_after
            delay = None if after is None else int(after.total_seconds() * 1000)
            self.vm.fail(_INTERNAL, cause.message, stacktrace, next_retry_delay_ms=delay)
        elif is_internal_exception(error):
            self.vm.fail(_INTERNAL, str(error), stacktrace)
        else:
            _LOG.error("%s failed, the server will retry: %r", self.target, error, exc_info=error)
            self.vm.fail(_INTERNAL, repr(error), stacktrace)

    # --- what contexts, clients and futures share --------------------------------------------

    def seal(self, content: bytes) -> bytes:
        """A value as it goes into the journal."""
        return content if self.codec is None else self.codec.encode(content)

    async def unseal(self, leaves: Sequence[LeafFuture[Any]]) -> None:
        """Decode the results that have arrived; no other task overtakes meanwhile."""
        assert self.codec is not None, "nothing is sealed without a codec"
        with self.pump.turn_held():
            for leaf in leaves:
                if leaf.sealed:
                    await leaf.unseal(self.codec)

    def call(self, options: CallOptions, decode: Decode[T]) -> CallFuture[T]:
        """Call a handler."""
        self.pump.guard()
        invocation_id, result = self.vm.sys_call(self._sealed(options))
        callee = LeafFuture(self, invocation_id, decode_invocation_id)
        return CallFuture(self, result, decode, callee)

    def send(self, options: CallOptions, delay: timedelta | None) -> SendHandle:
        """Call a handler without waiting for it."""
        self.pump.guard()
        due_ms = self.due_ms(delay) if delay else 0
        invocation_id = self.vm.sys_send(self._sealed(options), due_ms)
        return SendHandle(self, LeafFuture(self, invocation_id, decode_invocation_id))

    def _sealed(self, options: CallOptions) -> CallOptions:
        if self.codec is None:
            return options
        return msgspec.structs.replace(options, parameter=self.seal(options.parameter))

    def sleep(self, delta: timedelta, name: str = "") -> SleepFuture:
        """A durable timer."""
        self.pump.guard()
        return SleepFuture(self, self.vm.sys_sleep(self.due_ms(delta), name), decode_nothing)

    def due_ms(self, delta: timedelta) -> int:
        """`delta` from now, as the protocol tells times."""
        return _CLOCK.now_ms() + max(0, int(delta.total_seconds() * 1000))

    def cancel_invocation(self, invocation_id: str) -> None:
        self.pump.guard()
        self.vm.sys_cancel_invocation(invocation_id)


def _decisive(error: BaseException) -> BaseException:
    """What decides how the attempt ends: an error of ours that `error` is, holds or comes from."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (TerminalError, RetryableError, SdkInternalBaseException)):
            return cause
        if isinstance(cause, BaseExceptionGroup):  # of a TaskGroup: decided if its members agree
            members = [_decisive(member) for member in cause.exceptions]
            if len({isinstance(member, TerminalError) for member in members}) == 1:
                return members[0]
        cause = cause.__cause__
    return error
