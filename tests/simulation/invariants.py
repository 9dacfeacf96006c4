"""What must hold of the stored rows after every single record, and of what is left at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rtour.engine import changes as c
from rtour.engine.model import LIVE, Invocation, Status
from rtour.protocol.framing import decode
from rtour.protocol.messages import MessageType, Notification, OneWayCall, Sleep
from rtour.storage.memory import Tables
from tests.simulation.clock import Shown, WallClock
from tests.simulation.services import LONGEST_MS

Completion = tuple[int, int]


class Watch:
    """Looks at the changes of every record. What it learns outlives the server's lives."""

    def __init__(self, machine: WallClock, shown: Shown, fail: Callable[[str], None]) -> None:
        self._machine = machine
        self._shown = shown
        self._fail = fail
        self._due: dict[Completion, int] = {}
        self._attempts: dict[Completion, tuple[int, int]] = {}

    def record(self, tables: Tables, sequence: int, at: int) -> None:
        """A record, about to change `tables`."""
        if sequence <= tables.sequence or at < tables.at:
            self._fail(
                f"records go on: after {tables.sequence} of {tables.at} came {sequence} of {at}"
            )
        tables.sequence, tables.at = sequence, at

    def before(self, tables: Tables, change: c.Change) -> None:
        """A change, about to be made to `tables`."""
        match change:
            case c.AppendEntry():
                self._entry(tables, change)
            case c.PutInvocation():
                self._invocation(tables, change.invocation)

    def after(self, tables: Tables, changes: Iterable[c.Change]) -> None:
        """All changes of a record have been made."""
        for change in changes:
            if isinstance(change, c.PutInvocation):
                self._journal_is_whole(tables, change.invocation)
                self._one_at_a_time(tables, change.invocation)

    # --- journals --------------------------------------------------------------------------------

    def _entry(self, tables: Tables, change: c.AppendEntry) -> None:
        journal, entry = tables.journals.get(change.number, []), change.entry
        if entry.index != len(journal):
            self._fail(f"journals only grow: {change.id} got entry {entry.index}")
        if entry.type == MessageType.SLEEP:
            asked = decode(entry.type, entry.raw)
            assert isinstance(asked, Sleep)
            self._due[change.number, asked.result_completion_id] = asked.wake_up_time
            self._in_server_time(tables, change, asked.wake_up_time)
        elif entry.type == MessageType.ONE_WAY_CALL:
            sent = decode(entry.type, entry.raw)
            assert isinstance(sent, OneWayCall)
            if sent.invoke_time:
                self._in_server_time(tables, change, sent.invoke_time)
        if entry.is_command or entry.type == MessageType.SIGNAL:
            return
        message = decode(entry.type, entry.raw)
        assert isinstance(message, Notification)
        for other in journal:
            if other.type == entry.type:
                earlier = decode(other.type, other.raw)
                if isinstance(earlier, Notification) and earlier.id == message.id:
                    self._fail(f"one completion per entry: {change.id} got two for {message.id}")
        if entry.type == MessageType.SLEEP_COMPLETION:
            assert isinstance(message.id, int)
            due = self._due.get((change.number, message.id))
            if due is not None and due > self._shown.latest:
                early = due - self._shown.latest
                self._fail(f"timers are never early: a sleep of {change.id} ended {early} ms early")

    def _in_server_time(self, tables: Tables, change: c.AppendEntry, at: int) -> None:
        """What a service asked for lies ahead as far as it asked, by the server's clock.

        Less what passed since its attempt began. A clock that was set or driven meanwhile says
        nothing of that.
        """
        now_s = asyncio.get_running_loop().time()
        invocation = tables.invocations.get(change.id)
        if invocation is None:  # begun with another's journal
            return
        began, jumps = self._attempts.get((invocation.number, invocation.attempt), (0, -1))
        if jumps != self._machine.jumps or self._shown.driven_at == now_s:
            return
        ahead = at - self._shown.now
        if not began - self._machine.now_ms() <= ahead <= LONGEST_MS:
            self._fail(f"services' instants are in the server's time: {ahead} ms ahead of it")

    def _journal_is_whole(self, tables: Tables, invocation: Invocation) -> None:
        if tables.invocations.get(invocation.id) is not invocation:
            return
        journal = tables.journals.get(invocation.number, [])
        commands = sum(entry.is_command for entry in journal)
        if (len(journal), commands) != (invocation.journal_length, invocation.commands):
            self._fail(
                f"{invocation.id} counts {invocation.journal_length} entries and "
                f"{invocation.commands} commands, its journal has {len(journal)} and {commands}"
            )

    # --- invocations -----------------------------------------------------------------------------

    def _invocation(self, tables: Tables, new: Invocation) -> None:
        start_at = new.scheduled_start_at
        begun = new.status is not Status.SCHEDULED
        if begun and start_at is not None and start_at > self._shown.latest:
            self._fail(f"delayed sends are never early: {new.id} was")
        if new.status is Status.INVOKED:
            place = (new.number, new.attempt)
            self._attempts.setdefault(place, (self._machine.now_ms(), self._machine.jumps))
        old = tables.invocations.get(new.id)
        if old is None or old.number != new.number or old.status is Status.SCHEDULED:
            if new.target.takes_lock and new.status in LIVE:
                self._nobody_waits(tables, new)
            return
        if old.result is not None and new.result != old.result:
            self._fail(f"a result never changes: that of {new.id} did")
        if new.attempt < old.attempt:
            self._fail(f"attempts count up: {new.id} went from {old.attempt} to {new.attempt}")
        if old.status is Status.INBOXED and new.status in LIVE:
            self._first_come_first(tables, old)

    def _first_come_first(self, tables: Tables, begun: Invocation) -> None:
        for other in _of_object(tables, begun):
            if other.status is Status.INBOXED and other.id != begun.id:
                assert other.inbox_sequence is not None
                assert begun.inbox_sequence is not None
                if other.inbox_sequence < begun.inbox_sequence:
                    self._fail(f"first come, first served: {begun.id} began before {other.id}")

    def _nobody_waits(self, tables: Tables, begun: Invocation) -> None:
        waiting = [o.id for o in _of_object(tables, begun) if o.status is Status.INBOXED]
        if waiting:
            self._fail(f"first come, first served: {begun.id} passed by {waiting}")

    def _one_at_a_time(self, tables: Tables, changed: Invocation) -> None:
        target = changed.target
        if not target.takes_lock or changed.status not in LIVE:
            return
        assert target.key is not None
        if tables.locks.get((target.service, target.key)) != changed.id:
            self._fail(f"{changed.id} runs without the lock of {target}")
        running = [other.id for other in _of_object(tables, changed) if other.status in LIVE]
        if len(running) > 1:
            self._fail(f"one at a time per object: {' and '.join(running)} run on {target}")


def _of_object(tables: Tables, one: Invocation) -> list[Invocation]:
    """The exclusive invocations of the same object."""
    place = (one.target.service, one.target.key)
    return [
        other
        for other in tables.invocations.values()
        if (other.target.service, other.target.key) == place and other.target.takes_lock
    ]


def unfinished(tables: Tables) -> list[str]:
    """What has not come to its end."""
    return [
        f"{invocation.target} {invocation.id} is {invocation.status.value}"
        for invocation in tables.invocations.values()
        if invocation.status is not Status.COMPLETED
    ]


def leftovers(tables: Tables) -> list[str]:
    """Rows that should be gone when all work is done and all retention over."""
    kept: dict[str, Mapping[Any, object]] = {
        "invocations": tables.invocations,
        "journals": tables.journals,
        "events": tables.events,
        "locks": tables.locks,
        "timers": tables.timers,
        "inboxes": {key: inbox for key, inbox in tables.inboxes.items() if inbox},
        "promises": tables.promises,
        "waiters": {number: sinks for number, sinks in tables.waiters.items() if sinks},
        "tellings": tables.tellings,
    }
    return [f"{name}: {sorted(map(str, rows))[:5]}" for name, rows in kept.items() if rows]
