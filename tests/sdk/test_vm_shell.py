"""The rest of the machine's contract with its shell: hints, lost connections, late words."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from rtour.sdk.exceptions import SdkInternalException, SuspendedException
from rtour.sdk.vm import VM, CallOptions, Node, Outcome, Progress, RunFailure, RunRetryPolicy
from tests.sdk.playbook import CANCEL, Playbook, completion, start

FIRST = m.Combinator.FIRST_COMPLETED
SLEEPING = m.Future((1,), (1,), combinator=FIRST)


def sleeper(vm: VM) -> Generator[Any, None, None]:
    yield vm.sys_sleep(1)


def runner(vm: VM) -> Generator[Any, None, None]:
    yield vm.sys_run("side")


def test_replaying_is_known() -> None:
    """Until the last recorded command is matched; logging asks."""
    vm = VM(6)
    entries = [start(2), m.Input(), m.Sleep(1, 1)]
    vm.receive(b"".join(encode(message, 6) for message in entries))
    vm.sys_input()
    assert vm.replaying
    vm.sys_sleep(1)
    assert not vm.replaying


def test_the_hint_is_given_with_the_commands_and_once() -> None:
    """V7 is told what the handler waits for before it does; the same hint is not repeated."""
    vm = VM(7)
    vm.receive(encode(start(1), 7) + encode(m.Input(), 7))
    vm.sys_input()
    leaf = vm.sys_sleep(1)
    vm.about_to_wait([leaf])
    assert vm.take_output() == encode(m.Sleep(1, 1), 7) + encode(m.AwaitingOn(SLEEPING), 7)
    vm.about_to_wait([leaf])
    assert vm.progress([leaf]) is Progress.WAIT
    assert vm.take_output() == b""


@pytest.mark.parametrize("version", [6, 7])
def test_no_hint_when_the_handler_may_go_on(version: int) -> None:
    """Not while a run executes, nor with news unread, nor after the end of input."""
    book = Playbook(runner, version).start(m.Input())
    book.vm.startable_runs()
    book.vm.about_to_wait([1])
    book.sends(m.Run(1, "side"))
    with_news = Playbook(lambda _vm: iter(()), version)
    with_news.vm.receive(encode(start(1), version) + encode(m.Input(), version))
    with_news.vm.receive(encode(completion(9, m.VOID), version))
    with_news.vm.sys_input()
    assert with_news.vm.has_news
    with_news.vm.about_to_wait([1])
    with_news.sends()


def test_draining_suspends_at_the_next_wait() -> None:
    """The host is stopping: what waits suspends, though the request is open."""
    Playbook(sleeper).start(m.Input()).sends(m.Sleep(1, 1))
    book = Playbook(sleeper).start(m.Input())
    book.vm.drain()
    book.receives().sends(m.Sleep(1, 1), m.Suspension(SLEEPING))
    assert book.vm.suspended


def test_operations_after_the_end_say_how_it_ended() -> None:
    """Suspended, failed and lost attempts refuse everything; nothing is written."""
    suspended = Playbook(sleeper).start(m.Input()).ends()
    with pytest.raises(SuspendedException):
        suspended.vm.sys_set_state(b"k", b"v")
    failed = Playbook(sleeper).start(m.Input())
    failed.vm.fail(500, "first")
    failed.vm.fail(500, "second")
    with pytest.raises(SdkInternalException, match="first"):
        failed.vm.sys_sleep(1)
    assert failed.fails(500, "first").message == "first"
    lost = Playbook(sleeper).start(m.Input())
    lost.vm.abandon()
    with pytest.raises(SdkInternalException, match="over"):
        lost.vm.sys_awakeable()
    assert lost.vm.progress([1]) is Progress.CLOSED
    lost.sends()


def test_proposals_after_the_end_are_dropped() -> None:
    """A closure that ends too late changes nothing, whatever its outcome."""
    for late in (
        lambda vm: vm.propose_run(1, m.Value(b"r")),
        lambda vm: vm.propose_run_failure(1, RunFailure("boom"), None, 0),
    ):
        book = Playbook(runner).start(m.Input())
        book.vm.startable_runs()
        book.vm.fail(500, "over")
        book.written()
        late(book.vm)
        book.sends()
        assert not book.vm.executing


def test_runs_wait_for_the_shell() -> None:
    """Blocked on a run that nobody has started, the machine asks for it."""
    book = Playbook(runner).start(m.Input())
    assert book.vm.awaits_execution(1)
    assert book.vm.progress([1]) is Progress.EXECUTE
    assert book.vm.startable_runs() == [1]
    assert book.vm.progress([1]) is Progress.WAIT
    assert not book.vm.awaits_execution(1)


def test_a_cancellation_that_cannot_be_replayed_is_a_mismatch() -> None:
    """Passing it on is a command, too: the journal must agree."""

    def caller(vm: VM) -> Generator[Any, None, None]:
        yield vm.sys_call(CallOptions("S", "h", b""))[1]

    call = m.Call("S", "h", b"", 1, 2)
    known = completion(1, m.InvocationId("inv_c"))
    book = Playbook(caller).start(m.Input(), call, CANCEL, known, m.Sleep(1, 3))
    book.fails(570, "Sleep", "SendSignal")


def test_a_bad_invocation_id_is_the_servers_fault() -> None:
    """An awakeable's id is made of it; the error says where it came from."""
    vm = VM(6)
    vm.receive(encode(m.Start(b"short", "inv", 1), 6) + encode(m.Input(), 6))
    vm.sys_input()
    with pytest.raises(SdkInternalException, match="invocation id that is none"):
        vm.sys_awakeable()


def test_failed_signals_carry_no_metadata_before_v6() -> None:
    """The same rule as for outputs."""
    book = Playbook(sleeper, 5).start(m.Input())
    with pytest.raises(SdkInternalException):
        book.vm.sys_send_signal("inv_1", "bell", m.Failure(500, "x", (("k", "v"),)))
    book.fails(573, "metadata")


def test_payloads_need_not_be_compared() -> None:
    """For payloads that are encrypted anew each time; everything else is still compared."""

    def setter(vm: VM) -> None:
        vm.receive(encode(start(2), 6) + encode(m.Input(), 6))
        vm.receive(encode(m.SetState(b"k", b"other"), 6))
        vm.sys_input()

    lenient = VM(6, check_payloads=False)
    setter(lenient)
    lenient.sys_set_state(b"k", b"v")
    strict_about_keys = VM(6, check_payloads=False)
    setter(strict_about_keys)
    with pytest.raises(SdkInternalException, match="Journal mismatch"):
        strict_about_keys.sys_set_state(b"z", b"v")


def test_mismatched_results_are_readable() -> None:
    """Values inside results are shown as text, and long ones are cut."""

    def finisher(_vm: VM) -> Generator[Any, None, bytes]:
        yield from ()
        return b"x" * 100

    book = Playbook(finisher).start(m.Input(), m.Output(m.Failure(418, "teapot")))
    book.fails(570, "418, teapot", "xxx…")


def test_undecided_children_resolve_any_combination() -> None:
    """Type 0 stands for a child whose success only its owner can tell (§5.9)."""
    undecided = Node(m.Combinator.UNKNOWN, (1,))
    vm = VM(6)
    for combinator in (
        m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED,
        m.Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED,
    ):
        tree = Node(combinator, (Outcome.UNDECIDED, 2))
        assert vm.is_done(tree)
        assert not vm.is_done(Node(combinator, (undecided, 2)))


def test_absurd_backoff_is_capped() -> None:
    """Thousands of failures later, the delay is still a number."""
    assert RunRetryPolicy().delay_ms(5000) == 10_000
    assert RunRetryPolicy(max_interval_ms=None).delay_ms(5000) == 50
    assert RunRetryPolicy(max_interval_ms=None).delay_ms(3) == 200
