"""VM playbooks: each operation suspends, completes, waits, replays and refuses a mismatch."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest

from rtour.protocol import messages as m
from rtour.sdk.vm import VM, CallOptions, Node, RunFailure, RunRetryPolicy
from tests.sdk.playbook import (
    CANCEL,
    ID,
    Cancelled,
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


# --- order, combinators, cancellation ------------------------------------------------------------


def test_notifications_are_seen_one_by_one() -> None:
    """Of two results in one chunk, the first wins; the second is not even looked at."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        first, second = vm.sys_sleep(1), vm.sys_sleep(2)
        yield Node(m.Combinator.FIRST_COMPLETED, (first, second))
        return b"%r" % [vm.is_done(first), vm.is_done(second)]

    book = Playbook(run).start(
        m.Input(), m.Sleep(1, 1), m.Sleep(2, 2), completion(2, m.VOID), completion(1, m.VOID)
    )
    book.sends(m.Output(m.Value(b"[False, True]")), END)


@pytest.mark.parametrize(
    ("combinator", "results", "done_after"),
    [
        (m.Combinator.FIRST_COMPLETED, [FAILURE, m.VOID], 1),
        (m.Combinator.ALL_COMPLETED, [FAILURE, m.VOID], 2),
        (m.Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED, [FAILURE, m.VOID], 1),
        (m.Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED, [m.VOID, m.VOID], 2),
        (m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED, [FAILURE, m.VOID], 2),
        (m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED, [m.VOID, FAILURE], 1),
        (m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED, [FAILURE, FAILURE], 2),
        (m.Combinator.UNKNOWN, [FAILURE, m.VOID], 1),
    ],
)
def test_combinators(combinator: m.Combinator, results: list[m.Result], done_after: int) -> None:
    """Each combinator resolves exactly when the protocol says."""

    def run(vm: VM) -> Generator[Any, None, None]:
        leaves = tuple(vm.sys_call(CallOptions("S", "h", b""))[1] for _ in results)
        yield Node(combinator, leaves)

    book = Playbook(run).start(m.Input())
    for count, result in enumerate(results, start=1):
        assert not book.vm.closed
        book.receives(completion(2 * count, result))
        assert book.vm.closed == (count >= done_after)
        if book.vm.closed:
            break


def test_nested_trees_suspend_as_trees_in_v7_and_flat_before() -> None:
    """V7 tells the server the tree that is left; V6 all that is missing in it."""

    def run(vm: VM) -> Generator[Any, None, None]:
        sleeps = [vm.sys_sleep(n) for n in range(4)]
        inner = Node(m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED, (sleeps[2], -17, "bell"))
        yield Node(m.Combinator.ALL_COMPLETED, (sleeps[0], sleeps[1], inner))

    def suspension(version: int) -> m.Message:
        recorded = [m.Sleep(n, n + 1) for n in range(4)]
        book = Playbook(run, version).start(m.Input(), *recorded, completion(1, m.VOID))
        return book.ends().written()[-1]

    inner = m.Future((3,), (17,), ("bell",), (), m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED)
    tree = m.Future((2,), (), (), (inner,), m.Combinator.ALL_COMPLETED)
    first = m.Combinator.FIRST_COMPLETED
    assert suspension(7) == m.Suspension(m.Future((), (1,), (), (tree,), first))
    flat = suspension(6)
    assert isinstance(flat, m.Suspension)
    assert set(flat.awaiting_on.completions) == {2, 3}
    assert set(flat.awaiting_on.signals) == {1, 17}
    assert flat.awaiting_on.named_signals == ("bell",)


def test_signals_of_one_name_queue_up() -> None:
    """Two signals before the first wait are two values, in their order."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        yield vm.sys_sleep(1)
        yield "bell"
        first = take(vm, "bell")
        yield "bell"
        return first + take(vm, "bell")

    book = Playbook(run).start(m.Input())
    book.receives(signal("bell", m.Value(b"a")), signal("bell", m.Value(b"b")))
    book.receives(completion(1, m.VOID))
    assert book.written()[-2] == m.Output(m.Value(b"ab"))


def patient(vm: VM) -> Generator[Any, None, bytes]:
    call, send = vm.sys_call(CALL), vm.sys_send(CALL)
    seen = []
    for leaf in (call[1], send):
        try:
            yield leaf
            seen.append(take(vm, leaf))
        except Cancelled:
            seen.append(b"cancelled")
    return b" ".join(seen)


def test_cancellation_waits_for_the_callees_ids_and_passes_itself_on() -> None:
    """Calls, not sends, are cancelled, and only then the handler hears of it, once."""
    book = Playbook(patient).start(m.Input())
    book.written()
    book.receives(CANCEL).sends()
    book.receives(completion(1, m.InvocationId("inv_c"))).sends(m.SendSignal("inv_c", 1, m.VOID))
    book.receives(completion(3, m.InvocationId("inv_s")))
    book.sends(m.Output(m.Value(b"cancelled invocationid")), END)


def test_cancellation_suspends_on_the_missing_id_alone() -> None:
    """Without the callee's id, the attempt may end; it waits for nothing but the id."""
    book = Playbook(patient).start(m.Input()).receives(CANCEL).ends()
    waiting = m.Future((1,), combinator=m.Combinator.FIRST_COMPLETED)
    assert book.written()[-1] == m.Suspension(waiting)


def test_every_cancel_signal_interrupts_once() -> None:
    """A handler that caught the first cancellation is interrupted by the second."""

    def run(vm: VM) -> Generator[Any, None, bytes]:
        count = 0
        for _ in range(2):
            try:
                yield vm.sys_sleep(1)
            except Cancelled:
                count += 1
        return b"%d" % count

    book = Playbook(run).start(m.Input(), CANCEL, CANCEL)
    assert book.written()[-2] == m.Output(m.Value(b"2"))


# --- ends and errors -----------------------------------------------------------------------------


def test_leftover_command_at_the_end_is_a_mismatch() -> None:
    """A handler that ends before its journal does fails with 570."""

    def run(_vm: VM) -> Generator[Any, None, None]:
        yield from ()

    book = Playbook(run).start(m.Input(), m.Output(m.Value()), m.Sleep(1, 1, "late"))
    book.fails(570, "the handler ended", "Sleep 'late'")


def test_waiting_for_what_the_journal_lacks_is_a_mismatch() -> None:
    """A wait that cannot be replayed, with commands left, never hangs."""
    book = Playbook(handler(OPERATIONS["sleep"]))
    lazy(book, m.Sleep(1, 1, "nap"), m.Output(m.Value()))
    book.fails(570, "waits for a result", "Output")


def test_mismatched_values_are_shown_side_by_side() -> None:
    """The error names the field and shows what was recorded and what was attempted."""

    def run(vm: VM) -> Generator[Any, None, None]:
        vm.sys_set_state(b"total", b"5")
        yield from ()

    book = Playbook(run).start(m.Input(), m.SetState(b"total", b"4"))
    error = book.fails(570, "command 1", "Likely cause: value was computed")
    row = next(line for line in error.message.splitlines() if "value " in line)
    assert row.split() == ["value", "4", "5"]


def test_times_may_differ_between_attempts() -> None:
    """Wake-up and invoke times are computed anew in each attempt and are not compared."""

    def run(vm: VM) -> Generator[Any, None, None]:
        vm.sys_sleep(9000)
        vm.sys_send(CALL, 9000)
        yield from ()

    sent = m.OneWayCall("Other", "h", b"arg", 2, 1, (m.Header("a", "b"),))
    Playbook(run).start(m.Input(), m.Sleep(1, 1), sent).sends(m.Output(m.Value()), END)


def test_output_replayed_needs_only_the_end() -> None:
    """When the output is stored and the stream was lost, the next attempt sends only End."""

    def run(_vm: VM) -> Generator[Any, None, bytes]:
        yield from ()
        return b"done"

    Playbook(run).start(m.Input(), m.Output(m.Value(b"done"))).sends(END)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([m.Input()], 571),
        ([m.Start(ID, "inv", 0)], 571),
        ([m.Start(ID, "inv", 1), m.Sleep(1, 1)], 571),
        ([m.Start(ID, "inv", 1), END], 571),
        ([m.Start(ID, "inv", 1), m.Input(), m.Sleep(1, 1)], 571),
        ([m.Start(ID, "inv", 1), m.Input(), END], 571),
        ([m.Start(ID, "inv", 1), m.Input(), m.ProposeRunCompletionAck(1)], 571),
    ],
)
@pytest.mark.parametrize("version", [6, 7])
def test_frames_out_of_place_are_violations(
    frames: list[m.Message], code: int, version: int
) -> None:
    """What the protocol does not allow ends the attempt with an Error, and nothing follows."""
    book = Playbook(handler(OPERATIONS["sleep"]), version)
    book.receives(*frames).fails(code)
    book.receives(CANCEL).ends().sends()


def test_truncated_journal_is_a_violation() -> None:
    """A request that ends before its journal does is answered, not left open."""
    book = Playbook(handler(OPERATIONS["sleep"]))
    book.receives(m.Start(ID, "inv", 3), m.Input()).ends().fails(571, "2 entries are missing")


def test_failure_metadata_needs_v6() -> None:
    """On V5 the attempt fails and says why, rather than losing what the user gave."""

    def run(_vm: VM) -> Generator[Any, None, m.Failure]:
        yield from ()
        return m.Failure(500, "x", (("k", "v"),))

    Playbook(run, 5).start(m.Input()).fails(573, "metadata", "v6")
    Playbook(run, 6).start(m.Input()).sends(m.Output(m.Failure(500, "x", (("k", "v"),))), END)


def test_scope_needs_v7() -> None:
    """A scoped call is refused where the protocol cannot carry it."""

    def run(vm: VM) -> Generator[Any, None, None]:
        vm.sys_call(CallOptions("S", "h", b"", scope="tenant"))
        yield from ()

    Playbook(run, 6).start(m.Input()).fails(573)


def test_random_seed() -> None:
    """V6 brings the seed; before, it follows from the invocation's id."""
    assert Playbook(step, 6).start(m.Input(), random_seed=42).vm.random_seed == 42
    assert Playbook(step, 5).start(m.Input()).vm.random_seed == 10494238447684014206


def test_awakeable_ids_count_from_17() -> None:
    """Ids are the official ones, so that either SDK may complete them."""
    book = Playbook(lambda vm: iter([vm.sys_sleep(1)])).start(m.Input())
    assert book.vm.sys_awakeable() == ("sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ", -17)
    assert book.vm.sys_awakeable()[1] == -18
