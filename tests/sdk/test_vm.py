"""VM playbooks: each operation suspends, completes, waits, replays and refuses a mismatch."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest

from rtour.protocol import messages as m
from rtour.sdk.vm import VM, CallOptions
from tests.sdk.playbook import (
    Handler,
    Playbook,
    completion,
    signal,
    take,
)

END = m.End()
CALL = CallOptions("Other", "h", b"arg", headers=(m.Header("a", "b"),))
CALL_COMMAND = m.Call("Other", "h", b"arg", 1, 2, (m.Header("a", "b"),))
FAILURE = m.Failure(418, "teapot")


class Operation(NamedTuple):
    """An operation that waits for one notification."""

    call: Callable[[VM], Any]
    """Returns the leaf to wait for."""
    command: m.Command | None
    notification: m.Message
    result: bytes


OPERATIONS = {
    "sleep": Operation(
        lambda vm: vm.sys_sleep(5000, "nap"),
        m.Sleep(5000, 1, "nap"),
        completion(1, m.VOID),
        b"void",
    ),
    "call": Operation(
        lambda vm: vm.sys_call(CALL)[1], CALL_COMMAND, completion(2, m.Value(b"x")), b"x"
    ),
    "failing call": Operation(
        lambda vm: vm.sys_call(CALL)[1], CALL_COMMAND, completion(2, FAILURE), b"failed 418"
    ),
    "invocation id": Operation(
        lambda vm: vm.sys_call(CALL)[0],
        CALL_COMMAND,
        completion(1, m.InvocationId("inv_1")),
        b"invocationid",
    ),
    "send": Operation(
        lambda vm: vm.sys_send(CALL, 77),
        m.OneWayCall("Other", "h", b"arg", 1, 77, (m.Header("a", "b"),)),
        completion(1, m.InvocationId("inv_1")),
        b"invocationid",
    ),
    "lazy state": Operation(
        lambda vm: vm.sys_get_state(b"k"), m.GetLazyState(b"k", 1), completion(1, m.VOID), b"void"
    ),
    "lazy state keys": Operation(
        lambda vm: vm.sys_get_state_keys(),
        m.GetLazyStateKeys(1),
        completion(1, m.StateKeys((b"k",))),
        b"statekeys",
    ),
    "promise": Operation(
        lambda vm: vm.sys_get_promise("p"),
        m.GetPromise("p", 1),
        completion(1, FAILURE),
        b"failed 418",
    ),
    "peek": Operation(
        lambda vm: vm.sys_peek_promise("p"), m.PeekPromise("p", 1), completion(1, m.VOID), b"void"
    ),
    "resolve promise": Operation(
        lambda vm: vm.sys_complete_promise("p", m.Value(b"v")),
        m.CompletePromise("p", m.Value(b"v"), 1),
        completion(1, m.VOID),
        b"void",
    ),
    "attach": Operation(
        lambda vm: vm.sys_attach(m.WorkflowTarget("W", "k")),
        m.AttachInvocation(m.WorkflowTarget("W", "k"), 1),
        completion(1, m.Value(b"out")),
        b"out",
    ),
    "output": Operation(
        lambda vm: vm.sys_get_output(m.InvocationId("inv_1")),
        m.GetInvocationOutput(m.InvocationId("inv_1"), 1),
        completion(1, m.VOID),
        b"void",
    ),
    "awakeable": Operation(
        lambda vm: vm.sys_awakeable()[1], None, signal(17, m.Value(b"woken")), b"woken"
    ),
    "named signal": Operation(
        lambda vm: vm.sys_signal("bell"), None, signal("bell", m.Value(b"ding")), b"ding"
    ),
}

each = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
versions = pytest.mark.parametrize("version", [5, 6, 7])


def handler(operation: Operation) -> Handler:
    """Does the one thing and returns its result."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        leaf = operation.call(vm)
        yield leaf
        return take(vm, leaf)

    return run


def lazy(book: Playbook, *entries: m.Message) -> Playbook:
    """Start with Input, these entries, and no state."""
    return book.start(m.Input(), *entries, partial_state=True)


def commands(operation: Operation) -> list[m.Command]:
    return [] if operation.command is None else [operation.command]


def leaf_of(operation: Operation) -> m.Future:
    """What a server is told that the operation waits for."""
    notification = operation.notification
    assert isinstance(notification, m.Notification)
    id_, first = notification.id, m.Combinator.FIRST_COMPLETED
    if isinstance(id_, str):
        return m.Future(signals=(1,), named_signals=(id_,), combinator=first)
    if notification.type == m.MessageType.SIGNAL:
        return m.Future(signals=(id_, 1), combinator=first)
    return m.Future(completions=(id_,), signals=(1,), combinator=first)


@each
@versions
def test_suspends(operation: Operation, version: int) -> None:
    """Without the result and without more input, the attempt ends and says what it waits for."""
    book = lazy(Playbook(handler(operation), version)).ends()
    written = book.written()
    if version == 7:  # the hint comes before the end of input is known
        assert written.pop(-2) == m.AwaitingOn(leaf_of(operation))
    assert written == [*commands(operation), m.Suspension(leaf_of(operation))]


@each
@versions
def test_completed(operation: Operation, version: int) -> None:
    """A result that arrives during the attempt lets it go on."""
    book = lazy(Playbook(handler(operation), version))
    book.written()
    book.receives(operation.notification)
    book.sends(m.Output(m.Value(operation.result)), END)


@each
def test_still_waiting(operation: Operation) -> None:
    """Other notifications wake nobody, and nothing more is said."""
    book = lazy(Playbook(handler(operation))).sends(*commands(operation))
    book.receives(completion(99, m.VOID), signal("other")).sends()


@each
@versions
def test_replayed(operation: Operation, version: int) -> None:
    """A recorded result is taken at once; only what comes after it is written."""
    book = lazy(Playbook(handler(operation), version), *commands(operation), operation.notification)
    book.sends(m.Output(m.Value(operation.result)), END)


@each
def test_replayed_without_its_result(operation: Operation) -> None:
    """A recorded command is not written again; the wait for its result goes on."""
    book = lazy(Playbook(handler(operation)), *commands(operation)).sends()
    book.ends().sends(m.Suspension(leaf_of(operation)))


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS.values() if operation.command],
    ids=[name for name, operation in OPERATIONS.items() if operation.command],
)
def test_mismatched(operation: Operation) -> None:
    """Another recorded command fails the attempt with 570 and shows both."""
    book = lazy(Playbook(handler(operation)), m.ClearAllState("spring"))
    error = book.fails(570, "command 1", "ClearAllState 'spring'", type(operation.command).__name__)
    assert (error.related_command_index, error.related_command_type) == (1, 0x0405)


# --- operations that do not wait -----------------------------------------------------------------

SILENT: dict[str, tuple[Callable[[VM], Any], m.Command]] = {
    "set": (lambda vm: vm.sys_set_state(b"k", b"v"), m.SetState(b"k", b"v")),
    "clear": (lambda vm: vm.sys_clear_state(b"k", "why"), m.ClearState(b"k", "why")),
    "clear all": (lambda vm: vm.sys_clear_all_state(), m.ClearAllState()),
    "cancel": (lambda vm: vm.sys_cancel_invocation("inv_2"), m.SendSignal("inv_2", 1, m.VOID)),
    "signal": (
        lambda vm: vm.sys_send_signal("inv_2", "bell", m.Value(b"d")),
        m.SendSignal("inv_2", "bell", m.Value(b"d")),
    ),
    "resolve awakeable": (
        lambda vm: vm.sys_complete_awakeable("sign_1x", m.Value(b"v")),
        m.CompleteAwakeable("sign_1x", m.Value(b"v")),
    ),
    "reject awakeable": (
        lambda vm: vm.sys_complete_awakeable("sign_1x", FAILURE),
        m.CompleteAwakeable("sign_1x", FAILURE),
    ),
}
silent = pytest.mark.parametrize(("call", "command"), SILENT.values(), ids=SILENT)


def once(call: Callable[[VM], Any]) -> Handler:
    def run(vm: VM) -> Generator[Any, None, None]:
        call(vm)
        yield from ()

    return run


@silent
def test_silent_operation_is_written(call: Callable[[VM], Any], command: m.Command) -> None:
    """An operation without a result is one command, and the handler goes on."""
    Playbook(once(call)).start(m.Input()).sends(command, m.Output(m.Value()), END)


@silent
def test_silent_operation_is_replayed(call: Callable[[VM], Any], command: m.Command) -> None:
    """Its recorded command is matched and not written again."""
    Playbook(once(call)).start(m.Input(), command).sends(m.Output(m.Value()), END)


@silent
def test_silent_operation_mismatched(call: Callable[[VM], Any], command: m.Command) -> None:
    """Another recorded command fails the attempt."""
    Playbook(once(call)).start(m.Input(), m.Sleep(1, 1)).fails(570, "Sleep")
