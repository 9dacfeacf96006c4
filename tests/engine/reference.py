"""What the engine means, said a second time and as plainly as possible, in mutable objects.

It knows neither entries nor storage nor protocol: a journal is a list of words, a command is a
method, a message is a call put off until its cause is done. Retention, pins and texts are left to
the scripts. Names decide targets: `o…` are exclusive runs of one object, `w` a workflow's run,
others plain services.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

LIVE = {"invoked", "suspended", "paused"}
Waiter = tuple[Any, ...]


@dataclass
class Run:
    """One incarnation of an invocation."""

    keep: bool
    status: str = "new"
    attempt: int = 0
    journal: list[Hashable] = field(default_factory=lambda: ["Input"])
    waiters: list[Waiter] = field(default_factory=list)
    callees: list[str] = field(default_factory=list)
    awaiting: set[Hashable] = field(default_factory=set)
    pausing: bool = False
    output: str | None = None
    result: str | None = None


class Reference:
    """All invocations and the one object `Object/k`."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.holder: str | None = None
        self.queue: list[str | dict[str, str]] = []
        self.state: dict[str, str] = {}
        self.promise: str | list[Waiter] = []
        self.timers: list[tuple[str, Run, int]] = []
        self.answers: dict[int, str] = {}
        self.mail: deque[Callable[[], None]] = deque()

    def deliver(self) -> None:
        while self.mail:
            self.mail.popleft()()

    # --- beginning and end -----------------------------------------------------------------------

    def invoke(self, name: str, waiter: Waiter, *, keep: bool, later: bool) -> None:
        run = self.runs.get(name)
        if run is None:
            run = self.runs[name] = Run(keep, waiters=[waiter])
            if later:
                run.status = "scheduled"
                self.timers.append((name, run, 0))
            else:
                self._start(name, run)
        elif name == "w":
            self._answer(waiter, "409")
        else:
            self.attach(name, waiter)

    def attach(self, name: str, waiter: Waiter) -> None:
        run = self.runs.get(name)
        if run is None:
            self._answer(waiter, "404")
        elif run.result is not None:
            self._answer(waiter, run.result)
        else:
            run.waiters.append(waiter)

    def _start(self, name: str, run: Run) -> None:
        if name.startswith("o") and self.holder is not None:
            run.status = "inboxed"
            self.queue.append(name)
            return
        if name.startswith("o"):
            self.holder = name
        self._go(run)

    def _go(self, run: Run) -> None:
        run.status, run.attempt, run.pausing = "invoked", run.attempt + 1, False
        run.awaiting = set()

    def _answer(self, waiter: Waiter, result: str) -> None:
        if waiter[0] == "request":
            assert waiter[1] not in self.answers, "a second answer"
            self.answers[waiter[1]] = result
        else:
            self.mail.append(lambda: self.notify(*waiter))

    def _finish(self, name: str, result: str) -> None:
        run = self.runs[name]
        waiters, run.waiters = run.waiters, []
        for waiter in waiters:
            self._answer(waiter, result)
        run.status, run.result = "completed", result
        if not run.keep:
            self._forget(name)
        if self.holder == name:
            self._hand_on()

    def _forget(self, name: str) -> None:
        del self.runs[name]
        if name == "w":
            self.promise = []

    def _hand_on(self) -> None:
        """The next in the queue gets the lock; state patches before it are applied."""
        self.holder = None
        while self.queue and self.holder is None:
            head = self.queue.pop(0)
            if isinstance(head, str):
                self.holder = head
                self.mail.append(lambda name=head: self._begin(name))
            else:
                self.state = dict(head)

    def _begin(self, name: str) -> None:
        run = self.runs.get(name)
        if run is not None and run.status == "inboxed" and self.holder == name:
            self._go(run)

    # --- notifications ---------------------------------------------------------------------------

    def notify(self, name: str, run: Run, what: Hashable) -> None:
        """Written down while it lives; wakes it if it sleeps for that."""
        if self.runs.get(name) is run and run.status in LIVE:
            run.journal.append(what)
            if run.status == "suspended" and what in run.awaiting:
                self._go(run)

    def fire(self, timer: tuple[str, Run, int]) -> None:
        name, run, completion_id = timer
        self.timers.remove(timer)
        if completion_id:
            self.notify(name, run, completion_id)
        elif self.runs.get(name) is run and run.status == "scheduled":
            self._start(name, run)

    # --- what an attempt does --------------------------------------------------------------------

    def sleep(self, name: str, completion_id: int) -> None:
        self.runs[name].journal.append("Sleep")
        self.timers.append((name, self.runs[name], completion_id))

    def call(self, name: str, callee: str, completion_id: int) -> None:
        run = self.runs[name]
        run.journal += ["Call", completion_id - 1]
        run.callees.append(callee)
        waiter = (name, run, completion_id)
        self.mail.append(lambda: self.invoke(callee, waiter, keep=False, later=False))

    def get_promise(self, name: str, completion_id: int) -> None:
        run = self.runs[name]
        run.journal.append("GetPromise")
        if isinstance(self.promise, str):
            run.journal.append(completion_id)
        else:
            self.promise.append((name, run, completion_id))

    def complete_promise(self, name: str, completion_id: int, value: str) -> None:
        run = self.runs[name]
        run.journal += ["CompletePromise", completion_id]
        if not isinstance(self.promise, str):
            waiters, self.promise = self.promise, value
            for waiter in waiters:
                self._answer(waiter, value)

    def suspend(self, name: str, awaiting: set[Hashable], given: int) -> None:
        run = self.runs[name]
        if run.pausing:
            run.status, run.pausing = "paused", False
        elif awaiting.intersection(run.journal[given:]):
            self._go(run)
        else:
            run.status, run.awaiting = "suspended", awaiting

    def fail(self, name: str, *, last: bool) -> None:
        run = self.runs[name]
        if run.pausing or last:
            run.status, run.pausing = "paused", False
        else:
            self._go(run)

    def end(self, name: str) -> None:
        self._finish(name, self.runs[name].output or "500")

    # --- control ---------------------------------------------------------------------------------

    def cancel(self, name: str) -> None:
        run = self.runs[name]
        if run.status in {"scheduled", "inboxed"}:
            self._erase(name, "409")
        elif run.status in LIVE:
            self.notify(name, run, "s1")
            if run.status == "paused":
                self._go(run)

    def kill(self, name: str) -> None:
        run = self.runs.get(name)
        if run is None or run.status == "completed":
            return
        if run.status in {"scheduled", "inboxed"}:
            self._erase(name, "409")
            return
        for callee in run.callees:
            self.mail.append(lambda callee=callee: self.kill(callee))
        self._finish(name, "409")

    def _erase(self, name: str, result: str) -> None:
        """As if it had never come; the lock may be on its way to it."""
        run = self.runs.pop(name)
        if self.holder == name:
            self._hand_on()
        self.queue = [item for item in self.queue if item != name]
        for waiter in run.waiters:
            self._answer(waiter, result)

    def resume(self, name: str) -> None:
        if self.runs[name].status in {"suspended", "paused"}:
            self._go(self.runs[name])

    def pause(self, name: str) -> None:
        run = self.runs[name]
        run.pausing = run.pausing or run.status == "invoked"

    def purge(self, name: str) -> None:
        if self.runs[name].status == "completed":
            self._forget(name)

    def patch(self, entries: dict[str, str]) -> None:
        if self.holder is None:
            self.state = dict(entries)
        else:
            self.queue.append(dict(entries))
