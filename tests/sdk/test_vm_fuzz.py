"""Whatever comes in: the machine ends in one last frame or waits for more, and never raises.

At the end of input nothing may be left waiting: an Error, a Suspension or an End is the answer.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rtour.protocol import messages as m
from rtour.protocol.framing import encode, frame
from rtour.sdk.vm import VM, CallOptions, Node
from tests.sdk.playbook import ID, Cancelled, Playbook, completion, signal, start

LAST = (m.Error, m.Suspension, m.End)


def busy(vm: VM) -> Generator[Any, None, bytes]:
    """A handler that does a bit of everything and survives cancellation."""
    for _ in range(2):
        try:
            vm.sys_get_state(b"k")
            vm.sys_set_state(b"k", b"v")
            call = vm.sys_call(CallOptions("S", "h", b"x"))[1]
            yield Node(m.Combinator.FIRST_COMPLETED, (call, vm.sys_sleep(1), "bell"))
            yield vm.sys_awakeable()[1]
        except Cancelled:
            vm.sys_clear_all_state()
    return b"out"


def assert_answered(book: Playbook) -> None:
    """The end of input has brought exactly one last frame, as the last one."""
    written = book.ends().written()
    assert book.vm.closed
    assert [type(message) in LAST for message in written].count(True) == 1
    assert isinstance(written[-1], LAST)


versions = st.sampled_from([5, 6, 7])
results = st.sampled_from(
    [m.VOID, m.Value(b"v"), m.Failure(409, "no"), m.InvocationId("inv_1x"), m.StateKeys((b"k",))]
)
ids = st.integers(1, 8)
notifications = st.one_of(
    st.builds(completion, ids, results),
    st.builds(signal, st.sampled_from([1, 17, 18, "bell", "other"]), results),
)
commands = st.sampled_from(
    [
        m.Input(),
        m.GetEagerState(b"k", m.VOID),
        m.GetLazyState(b"k", 1),
        m.SetState(b"k", b"v"),
        m.Call("S", "h", b"x", 2, 3),
        m.Sleep(1, 4),
        m.Sleep(7, 1, "nap"),
        m.ClearAllState(),
        m.Output(m.Value(b"out")),
        m.Run(1, "r"),
    ]
)
strange = st.sampled_from(
    [m.End(), m.CommandAck(1), m.ProposeRunCompletionAck(2), m.Error(500), start(1), start(0)]
)


@settings(deadline=None)
@given(versions, st.lists(st.one_of(commands, notifications, strange), max_size=12), st.data())
def test_any_messages_end_in_an_answer(
    version: int, entries: list[m.Message], data: st.DataObject
) -> None:
    """Journals of any content, complete or not, are answered at the latest when input ends."""
    known = data.draw(st.integers(0, len(entries) + 1))
    book = Playbook(busy, version)
    book.receives(start(known, partial_state=data.draw(st.booleans())), *entries)
    if not book.vm.closed:
        assert_answered(book)


@settings(deadline=None)
@given(versions, st.binary(max_size=200))
def test_any_bytes_end_in_an_answer(version: int, data: bytes) -> None:
    """Bytes that are no frames are answered, too."""
    book = Playbook(busy, version)
    book.vm.receive(data)
    if not book.vm.closed:
        assert_answered(book)


@settings(deadline=None)
@given(versions, st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_any_frame_in_mid_flight_is_survived(version: int, type_: int, payload: bytes) -> None:
    """A frame of any type and content, after the journal, leaves the machine with an answer."""
    book = Playbook(busy, version).start(m.Input())
    book.vm.receive(frame(type_, payload))
    if not book.vm.closed:
        assert_answered(book)


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), max_size=30))
def test_input_may_be_split_anywhere(sizes: list[int]) -> None:
    """The same bytes in other pieces lead to the same output."""

    def output(chunks: list[bytes]) -> bytes:
        vm = VM(6)
        for chunk in chunks:
            vm.receive(chunk)
        vm.sys_input()
        vm.sys_get_state(b"k")
        return vm.take_output()

    entries = [m.Start(ID, "inv", 2, (m.StateEntry(b"k", b"v"),)), m.Input(), completion(9, m.VOID)]
    whole = b"".join(encode(message, 6) for message in entries)
    chunks, rest = [], whole
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    assert output([*chunks, rest]) == output([whole])
