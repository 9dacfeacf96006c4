"""Driving the clock of a development server, from the command palette."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from textual.app import SystemCommand

from rtour.client import ClientError
from rtour.client.equivalents import rtour
from rtour.client.time import Clock, Time, described
from rtour.client.times import ago
from rtour.client.wording import plural
from rtour.tui.dialogs import Ask
from rtour.tui.view import View

Change = Callable[[Time], Awaitable[Clock]]


def clock_commands(view: View[Any, Any]) -> Iterable[SystemCommand]:
    """What can be done with the clock; nothing where it cannot be driven."""
    clock = view.workspace.clock
    if clock is None or clock.mode == "off":
        return

    def at_once(change: Change) -> Callable[[], None]:
        return lambda: _start(view, _drive(view, change))

    yield SystemCommand(
        "Clock: skip", "Move the server's time on, such as 15m", lambda: _start(view, _skip(view))
    )
    yield SystemCommand(
        "Clock: skip to next",
        "Move it on to the next sleep, start or retry",
        lambda: _start(view, _skip_to_next(view)),
    )
    yield SystemCommand("Clock: freeze", "No sleep ends, nothing is retried", at_once(Time.freeze))
    yield SystemCommand("Clock: resume", "It goes on by itself", at_once(Time.resume))
    yield SystemCommand(
        "Clock: auto", "It leaps to what is waited for next when all work waits", at_once(Time.auto)
    )


def _start(view: View[Any, Any], work: Coroutine[Any, Any, None]) -> None:
    view.run_worker(work, group="changing")


async def _skip(view: View[Any, Any]) -> None:
    by = await view.app.push_screen_wait(Ask("Skip the server's clock by how long?", "15m"))
    if by is not None:
        await _drive(view, lambda time: time.skip(by))


async def _skip_to_next(view: View[Any, Any]) -> None:
    try:
        due = (await view.workspace.client.time.show()).next
    except ClientError as error:
        view.post_message(View.Done(str(error), failed=True))
        return
    if due is None:
        view.post_message(View.Done("nothing is waited for"))
        return
    lines = [f"{due.what} of {due.invocation_id}, {ago(due.at, view.workspace.now())}"]
    lines += ["", f"$ {rtour('time', 'skip', '--to-next')}"]
    if await view.confirmed("Skip to what is waited for next?", lines):
        await _drive(view, Time.skip_to_next)


async def _drive(view: View[Any, Any], change: Change) -> None:
    if not view.may_change():
        return
    try:
        clock = await change(view.workspace.client.time)
    except ClientError as error:
        view.post_message(View.Done(str(error), failed=True))
        return
    told = f"the clock is {described(clock)}"
    if clock.moved_ms:
        told += f"; {plural(clock.timers, 'timer')} and {clock.retries} retries became due"
    view.post_message(View.Done(told))
