"""VM playbooks: the order of notifications, combinators, cancellation."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rtour.protocol import messages as m
from rtour.sdk.vm import VM, CallOptions, Node
from tests.sdk.playbook import CANCEL, Cancelled, Playbook, completion, signal, take

END = m.End()
CALL = CallOptions("Other", "h", b"arg", headers=(m.Header("a", "b"),))
FAILURE = m.Failure(418, "teapot")


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
