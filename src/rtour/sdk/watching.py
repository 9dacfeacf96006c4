"""Does a handler make tasks? A loop of our own can tell; then a lone handler needs no waiting.

The task factory of a watched loop reports every task that is made in the context of a handler, side
effects excepted. On loops of others (ASGI servers) nothing is installed, and the pump waits for the
loop to be quiet instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, Final, Protocol, cast
from weakref import WeakSet

_loops: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()

inside_run: ContextVar[bool] = ContextVar("rtour_inside_run", default=False)


class Watcher(Protocol):
    """Wants to know of tasks that a handler makes."""

    def several(self) -> None: ...


watcher: ContextVar[Watcher] = ContextVar("rtour_watcher")
"""Of the handler in whose context we are."""


def is_watched(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether handlers on this loop are told of their tasks."""
    return loop in _loops


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Tell handlers on this loop of the tasks that they make."""
    if loop in _loops:
        return
    make = loop.get_task_factory() or _make

    def factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Future[Any]:
        _report(options.get("context"))
        return make(loop, coro, **options)

    loop.set_task_factory(cast("Any", factory))
    _loops.add(loop)


def _make(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Future[Any]:
    return asyncio.Task(coro, loop=loop, **options)


def _report(context: Context | None) -> None:
    if context is None:
        owner, in_run = watcher.get(None), inside_run.get()
    else:
        owner, in_run = context.get(watcher), context.get(inside_run, False)
    if owner is not None and not in_run:
        owner.several()
