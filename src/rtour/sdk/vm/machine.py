"""The operations of a handler: each is one command, matched or written (§5.4).

`sys_…` returns what to wait for (a leaf), or the result itself when the journal or the eager state
has it. Completion ids are dealt in the order of the calls, from 1; a call takes two. Signals count
on their own, from 17.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rtour import ids
from rtour.errors import InvalidId
from rtour.protocol import messages as m
from rtour.sdk.vm import replay
from rtour.sdk.vm.awaiting import Leaf
from rtour.sdk.vm.core import INTERNAL, UNSUPPORTED_FEATURE, Core, Phase
from rtour.sdk.vm.retries import RunFailure, RunRetryPolicy

_METADATA_SINCE: Final = 6
_ACK_SINCE: Final = 7


class CallOptions(msgspec.Struct, frozen=True):
    """Whom to call and with what."""

    service: str
    handler: str
    parameter: bytes
    key: str = ""
    idempotency_key: str | None = None
    headers: tuple[m.Header, ...] = ()
    scope: str | None = None
    limit_key: str | None = None
    name: str = ""


class VM(Core):
    """One attempt of one invocation."""

    def __init__(self, version: int, check_payloads: bool = True) -> None:
        super().__init__(version, check_payloads)
        self._next_completion = 0
        self._next_signal = m.SignalIndex.FIRST_AWAKEABLE - 1
        self._runs: dict[int, m.Run] = {}
        self._run_indexes: dict[int, int] = {}
        self._runs_to_tell = 0

    def _completion_id(self) -> int:
        self._next_completion += 1
        return self._next_completion

    # --- input and output --------------------------------------------------------------------

    def sys_input(self) -> m.Input:
        """What the invocation was called with."""
        recorded = self.command(m.Input())
        assert isinstance(recorded, m.Input), "replay matched another command"
        return recorded

    def sys_output(self, result: m.Value | m.Failure) -> None:
        """The invocation's result; `sys_end` must follow."""
        self.command(m.Output(self._supported(result)))

    def sys_end(self) -> None:
        """The invocation is finished."""
        self.assert_open()
        recorded = self.peek_recorded()
        if recorded is not None:
            self.command_index += 1
            self.mismatch(replay.left_over(self.command_index, recorded), recorded)
        self.close(m.End())

    # --- state -------------------------------------------------------------------------------

    def sys_get_state(self, key: bytes, name: str = "") -> Leaf | m.Value | m.Void:
        """A value at once when it is known here, else the leaf to wait for."""
        completion = self._completion_id()
        recorded = self.peek_recorded()
        known = recorded.result if isinstance(recorded, m.GetEagerState) else self.state.get(key)
        if known is None or isinstance(recorded, m.GetLazyState):
            self.command(m.GetLazyState(key, completion, name))
            return completion
        self.command(m.GetEagerState(key, known, name))
        return known

    def sys_get_state_keys(self, name: str = "") -> Leaf | m.StateKeys:
        completion = self._completion_id()
        recorded = self.peek_recorded()
        known = recorded.keys if isinstance(recorded, m.GetEagerStateKeys) else self.state.keys()
        if known is None or isinstance(recorded, m.GetLazyStateKeys):
            self.command(m.GetLazyStateKeys(completion, name))
            return completion
        self.command(m.GetEagerStateKeys(known, name))
        return m.StateKeys(known)

    def sys_set_state(self, key: bytes, value: bytes, name: str = "") -> None:
        self.command(m.SetState(key, value, name))
        self.state.set(key, value)

    def sys_clear_state(self, key: bytes, name: str = "") -> None:
        self.command(m.ClearState(key, name))
        self.state.clear(key)

    def sys_clear_all_state(self, name: str = "") -> None:
        self.command(m.ClearAllState(name))
        self.state.clear_all()

    # --- time, calls -------------------------------------------------------------------------

    def sys_sleep(self, wake_up_time: int, name: str = "") -> Leaf:
        completion = self._completion_id()
        self.command(m.Sleep(wake_up_time, completion, name))
        return completion

    def sys_call(self, call: CallOptions) -> tuple[Leaf, Leaf]:
        """Leaves of the callee's invocation id and of its result."""
        invocation_id, result = self._completion_id(), self._completion_id()
        self.command(
            m.Call(
                call.service,
                call.handler,
                call.parameter,
                invocation_id,
                result,
                call.headers,
                call.key,
                call.idempotency_key,
                call.scope,
                call.limit_key,
                call.name,
            )
        )
        self._calls[invocation_id] = None
        return invocation_id, result

    def sys_send(self, call: CallOptions, invoke_time: int = 0) -> Leaf:
        """The leaf of the callee's invocation id; `invoke_time` 0 is now."""
        invocation_id = self._completion_id()
        self.command(
            m.OneWayCall(
                call.service,
                call.handler,
                call.parameter,
                invocation_id,
                invoke_time,
                call.headers,
                call.key,
                call.idempotency_key,
                call.scope,
                call.limit_key,
                call.name,
            )
        )
        return invocation_id

    # --- other invocations -------------------------------------------------------------------

    def sys_attach(self, target: m.AttachTarget) -> Leaf:
        completion = self._completion_id()
        self.command(m.AttachInvocation(target, completion))
        return completion

    def sys_get_output(self, target: m.AttachTarget) -> Leaf:
        completion = self._completion_id()
        self.command(m.GetInvocationOutput(target, completion))
        return completion

    def sys_send_signal(
        self, target: str, signal: int | str, result: m.Void | m.Value | m.Failure
    ) -> None:
        if isinstance(result, m.Failure):
            self._supported(result)
        self.command(m.SendSignal(target, signal, result))

    def sys_cancel_invocation(self, target: str) -> None:
        self.sys_send_signal(target, m.SignalIndex.CANCEL, m.VOID)

    # --- awakeables, signals, promises -------------------------------------------------------

    def sys_awakeable(self) -> tuple[str, Leaf]:
        """An id for others to complete, and the leaf to wait for. No command is written."""
        self.assert_open()
        self._next_signal += 1
        try:
            invocation_id = ids.invocation_id_from_bytes(self.start.id)
        except InvalidId as error:
            self.fail(INTERNAL, f"The server gave an invocation id that is none: {error}")
            self.assert_open()
        return ids.awakeable_id(invocation_id, self._next_signal), -self._next_signal

    def sys_signal(self, name: str) -> Leaf:
        self.assert_open()
        return name

    def sys_complete_awakeable(self, awakeable_id: str, result: m.Value | m.Failure) -> None:
        self.command(m.CompleteAwakeable(awakeable_id, self._supported(result)))

    def sys_get_promise(self, key: str) -> Leaf:
        completion = self._completion_id()
        self.command(m.GetPromise(key, completion))
        return completion

    def sys_peek_promise(self, key: str) -> Leaf:
        completion = self._completion_id()
        self.command(m.PeekPromise(key, completion))
        return completion

    def sys_complete_promise(self, key: str, result: m.Value | m.Failure) -> Leaf:
        completion = self._completion_id()
        self.command(m.CompletePromise(key, self._supported(result), completion))
        return completion

    # --- side effects ------------------------------------------------------------------------

    def sys_run(self, name: str) -> int:
        """The leaf of a side effect; `startable_runs` says when its closure is to run."""
        completion = self._completion_id()
        run = m.Run(completion, name)
        told = len(self._output)
        self.command(run)
        self._runs_to_tell += len(self._output) - told
        if not self._arrivals.has_come(completion):
            self._waiting_runs.append(completion)
            self._runs[completion] = run
            self._run_indexes[completion] = self.command_index
        return completion

    def take_output(self) -> bytes:
        self._runs_to_tell = 0
        return super().take_output()

    @property
    def can_wait(self) -> bool:
        """All there is to send is that side effects have begun: their results may go with it."""
        return bool(self.executing) and 0 < self._runs_to_tell == len(self._output)

    def awaits_execution(self, run: int) -> bool:
        """Whether the journal lacks the result of this run."""
        return run in self._waiting_runs

    def startable_runs(self) -> list[int]:
        """The closures to start now, in order: none while recorded commands are left."""
        if not self._waiting_runs or self.closed or self.phase is not Phase.PROCESSING:
            return []
        runs, self._waiting_runs = self._waiting_runs, []
        self.executing.update(runs)
        return runs

    def propose_run(self, run: int, result: m.Value | m.Failure) -> None:
        """The closure has ended: make its result durable. It counts when the server says so."""
        self.executing.discard(run)
        if self.closed:
            return
        self._proposals[run] = self._supported(result)
        self.write(m.ProposeRunCompletion(run, result), ack=self.version >= _ACK_SINCE)

    def propose_run_failure(
        self, run: int, failure: RunFailure, policy: RunRetryPolicy | None, elapsed_ms: int
    ) -> None:
        """The closure has failed: a last result, or the end of this attempt."""
        if self.closed:
            self.executing.discard(run)
            return
        attempts, elapsed_ms = self._run_history(run, elapsed_ms)
        if policy is not None and policy.gives_up(attempts, elapsed_ms):
            self.propose_run(run, m.Failure(failure.code, failure.message))
            return
        self.executing.discard(run)
        delay_ms = failure.retry_after_ms
        if delay_ms is None and policy is not None:
            delay_ms = policy.delay_ms(attempts)
        self.fail(
            failure.code,
            failure.message,
            failure.stacktrace,
            related=(self._run_indexes[run], self._runs[run]),
            next_retry_delay_ms=delay_ms,
        )

    def _run_history(self, run: int, elapsed_ms: int) -> tuple[int, int]:
        """(attempts, elapsed) of a run. Start's counters are about the last stored command.

        They hold for this run when no other command was written since, so that the attempts they
        count are attempts of this run too.
        """
        only_command = self.written == 1 and self._run_indexes[run] == self.command_index
        if self.written and not only_command:
            return 1, elapsed_ms
        earlier = self.start.retry_count_since_last_stored_entry
        if earlier:
            elapsed_ms += self.start.duration_since_last_stored_entry_ms
        return earlier + 1, elapsed_ms

    # --- versions ----------------------------------------------------------------------------

    def _supported(self, result: m.Value | m.Failure) -> m.Value | m.Failure:
        if isinstance(result, m.Failure) and result.metadata and self.version < _METADATA_SINCE:
            self.fail(
                UNSUPPORTED_FEATURE,
                f"Error metadata needs protocol v6, the server speaks v{self.version}: "
                "update the server or leave `metadata` out",
            )
            self.assert_open()
        return result
