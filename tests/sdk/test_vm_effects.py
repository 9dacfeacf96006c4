"""VM playbooks: state that was sent along, and side effects with their retries."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rtour.protocol import messages as m
from rtour.sdk.vm import VM, RunFailure, RunRetryPolicy
from tests.sdk.playbook import Playbook, completion, take

END = m.End()


# --- state ---------------------------------------------------------------------------------------


def read(vm: VM, key: bytes) -> Any:
    got = vm.sys_get_state(key)
    if isinstance(got, m.Value):
        return got.content
    return None if isinstance(got, m.Void) else got


def test_state_sent_along_is_read_at_once() -> None:
    """The eager map answers, and the journal keeps what it answered."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        yield from ()
        return b"%r" % [read(vm, b"a"), read(vm, b"b"), vm.sys_get_state_keys()]

    Playbook(run).start(m.Input(), state={b"a": b"1"}).sends(
        m.GetEagerState(b"a", m.Value(b"1")),
        m.GetEagerState(b"b", m.VOID),
        m.GetEagerStateKeys((b"a",)),
        m.Output(m.Value(b"[b'1', None, StateKeys(keys=(b'a',))]")),
        END,
    )


def test_own_writes_are_seen() -> None:
    """Set, clear and clear-all change what later reads find, without asking the server."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        yield from ()
        vm.sys_set_state(b"a", b"2")
        seen = [read(vm, b"a")]
        vm.sys_clear_state(b"a")
        seen.append(read(vm, b"a"))
        seen.append(read(vm, b"z"))  # unknown: the map is partial
        vm.sys_clear_all_state()
        seen.append(read(vm, b"z"))
        return b"%r" % seen

    book = Playbook(run).start(m.Input(), state={b"a": b"1"}, partial_state=True)
    assert book.written()[-2] == m.Output(m.Value(b"[b'2', None, 3, None]"))


def test_recorded_state_wins_over_the_map() -> None:
    """A replayed eager read answers what it answered then, whatever the state is now."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        yield from ()
        return b"%r" % read(vm, b"a")

    Playbook(run).start(
        m.Input(), m.GetEagerState(b"a", m.Value(b"old")), state={b"a": b"new"}
    ).sends(m.Output(m.Value(b"b'old'")), END)


def test_eager_reads_consume_completion_ids() -> None:
    """Ids stay those of the official SDK, whether state is sent along or not."""

    def run(vm: VM) -> Generator[Any, None, None]:
        read(vm, b"a")
        yield vm.sys_sleep(1)

    Playbook(run).start(m.Input()).sends(m.GetEagerState(b"a", m.VOID), m.Sleep(1, 2))


# --- side effects --------------------------------------------------------------------------------


def step(vm: VM) -> Generator[Any, None, bytes]:
    leaf = vm.sys_run("side")
    yield leaf
    return take(vm, leaf)


@pytest.mark.parametrize("version", [5, 6])
def test_run_result_counts_when_the_server_has_it(version: int) -> None:
    """A proposal is written; the handler goes on with the server's completion."""
    book = Playbook(step, version).start(m.Input()).sends(m.Run(1, "side"))
    assert book.vm.startable_runs() == [1]
    book.vm.propose_run(1, m.Value(b"r"))
    book.receives().sends(m.ProposeRunCompletion(1, m.Value(b"r")))
    book.receives(completion(1, m.Value(b"r"), m.MessageType.RUN_COMPLETION))
    book.sends(m.Output(m.Value(b"r")), END)


def test_run_result_is_acknowledged_in_v7() -> None:
    """V7 answers a proposal with an ack, at the completion's place in the order."""
    book = Playbook(step, 7).start(m.Input())
    book.vm.startable_runs()
    book.vm.propose_run(1, m.Value(b"r"))
    book.written()
    book.receives(m.ProposeRunCompletionAck(1)).sends(m.Output(m.Value(b"r")), END)


def test_run_of_the_journal_does_not_start() -> None:
    """A recorded completion keeps the closure from running again."""
    book = Playbook(step).start(m.Input(), m.Run(1, "side"), completion(1, m.Value(b"kept")))
    assert book.vm.startable_runs() == []
    book.sends(m.Output(m.Value(b"kept")), END)


def test_run_without_completion_starts_again() -> None:
    """A recorded command alone is not a result."""
    book = Playbook(step).start(m.Input(), m.Run(1, "side"))
    assert book.vm.startable_runs() == [1]


def test_no_run_starts_before_the_replay_is_over() -> None:
    """While recorded commands are left, a mismatch may still come: nothing is executed."""

    def run(vm: VM) -> Generator[Any, None, None]:
        vm.sys_run("a")
        assert vm.startable_runs() == []
        vm.sys_run("b")
        yield 2

    book = Playbook(run).start(m.Input(), m.Run(1, "a"), m.Run(2, "b"))
    assert book.vm.startable_runs() == [1, 2]


def test_no_suspension_while_a_run_executes() -> None:
    """Input may end; the attempt waits for its closure, proposes, and suspends then."""
    book = Playbook(step).start(m.Input())
    book.vm.startable_runs()
    book.ends().sends(m.Run(1, "side"))
    book.vm.propose_run(1, m.Value(b"r"))
    waiting = m.Future((1,), (1,), combinator=m.Combinator.FIRST_COMPLETED)
    book.receives().sends(m.ProposeRunCompletion(1, m.Value(b"r")), m.Suspension(waiting))


def failed_run(policy: RunRetryPolicy | None, elapsed_ms: int = 0, **fields: Any) -> Playbook:
    """A run that has failed on its first try of this attempt."""
    book = Playbook(step).start(m.Input(), m.Run(1, "side"), **fields)
    book.vm.startable_runs()
    book.vm.propose_run_failure(1, RunFailure("boom", stacktrace="here"), policy, elapsed_ms)
    return book


def test_failed_run_without_policy_leaves_the_delay_to_the_server() -> None:
    """No retry option: the attempt fails, the service's policy decides."""
    error = failed_run(None).fails(500, "boom")
    assert (error.related_command_index, error.related_command_name) == (1, "side")
    assert (error.stacktrace, error.next_retry_delay_ms) == ("here", None)


@pytest.mark.parametrize(("earlier", "delay"), [(0, 50), (1, 100), (3, 400), (30, 10_000)])
def test_failed_run_backs_off(earlier: int, delay: int) -> None:
    """The delay doubles with the failures that the server has counted, up to the cap."""
    error = failed_run(RunRetryPolicy(), retry_count_since_last_stored_entry=earlier).fails(500)
    assert error.next_retry_delay_ms == delay


@pytest.mark.parametrize(
    "policy", [RunRetryPolicy(max_attempts=3), RunRetryPolicy(max_duration_ms=900)]
)
def test_failed_run_gives_up(policy: RunRetryPolicy) -> None:
    """At the limit of attempts or time, the failure is the result."""
    book = failed_run(
        policy,
        elapsed_ms=400,
        retry_count_since_last_stored_entry=2,
        duration_since_last_stored_entry_ms=500,
    )
    book.sends(m.ProposeRunCompletion(1, m.Failure(500, "boom")))


def test_new_commands_reset_the_count_of_a_run() -> None:
    """The server's counter is about the last stored command; a newer one starts at zero."""

    def run(vm: VM) -> Generator[Any, None, None]:
        vm.sys_set_state(b"k", b"v")
        yield vm.sys_run("side")

    book = Playbook(run).start(m.Input(), retry_count_since_last_stored_entry=9)
    book.vm.startable_runs()
    book.vm.propose_run_failure(1, RunFailure("boom"), RunRetryPolicy(max_attempts=2), 0)
    assert book.fails(500).next_retry_delay_ms == 50
