"""VM playbooks: mismatches, violations, and what older protocol versions cannot carry."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from rtour.protocol import messages as m
from rtour.sdk.vm import VM, CallOptions
from tests.sdk.playbook import CANCEL, ID, Playbook

END = m.End()
CALL = CallOptions("Other", "h", b"arg", headers=(m.Header("a", "b"),))


def sleeper(vm: VM) -> Generator[Any, None, bytes]:
    """Sleeps and is done."""
    yield vm.sys_sleep(5000, "nap")
    return b"slept"


def runner(vm: VM) -> Generator[Any, None, None]:
    yield vm.sys_run("side")


# --- ends and errors -----------------------------------------------------------------------------


def test_leftover_command_at_the_end_is_a_mismatch() -> None:
    """A handler that ends before its journal does fails with 570."""

    def run(_vm: VM) -> Generator[Any, None, None]:
        yield from ()

    book = Playbook(run).start(m.Input(), m.Output(m.Value()), m.Sleep(1, 1, "late"))
    book.fails(570, "the handler ended", "Sleep 'late'")


def test_waiting_for_what_the_journal_lacks_is_a_mismatch() -> None:
    """A wait that cannot be replayed, with commands left, never hangs."""
    book = Playbook(sleeper)
    book.start(m.Input(), m.Sleep(1, 1, "nap"), m.Output(m.Value()))
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
    book = Playbook(sleeper, version)
    book.receives(*frames).fails(code)
    book.receives(CANCEL).ends().sends()


def test_truncated_journal_is_a_violation() -> None:
    """A request that ends before its journal does is answered, not left open."""
    book = Playbook(sleeper)
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
    assert Playbook(runner, 6).start(m.Input(), random_seed=42).vm.random_seed == 42
    assert Playbook(runner, 5).start(m.Input()).vm.random_seed == 10494238447684014206


def test_awakeable_ids_count_from_17() -> None:
    """Ids are the official ones, so that either SDK may complete them."""
    book = Playbook(lambda vm: iter([vm.sys_sleep(1)])).start(m.Input())
    assert book.vm.sys_awakeable() == ("sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ", -17)
    assert book.vm.sys_awakeable()[1] == -18
