"""Views from which invocations can be cancelled, killed, paused, resumed, restarted, purged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import work
from textual.binding import Binding, BindingType

from rtour.client import ClientError
from rtour.client.equivalents import rtour
from rtour.client.model import Invocation
from rtour.client.operations import OPERATIONS
from rtour.client.wording import plural
from rtour.tui.view import View
from rtour.tui.workspace import Workspace

P = TypeVar("P")
D = TypeVar("D")
AT_ONCE = 50
SHOWN = 12


class OperatingView(View[P, D]):
    """A view with invocations at hand; each operation asks first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "operate('cancel')", "Cancel"),
        Binding("K", "operate('kill')", "Kill"),
        Binding("p", "operate('pause')", "Pause"),
        Binding("R", "operate('resume')", "Resume"),
        Binding("N", "operate('restart-as-new')", "Restart as new", show=False),
        Binding("P", "operate('purge')", "Purge", show=False),
    ]

    def chosen(self) -> list[Invocation]:
        """What an operation is for."""
        raise NotImplementedError

    def action_operate(self, operation: str) -> None:
        chosen = self.chosen()
        if chosen and self.may_change():
            self._operate(operation, chosen)

    @work(group="operating")
    async def _operate(self, operation: str, chosen: Sequence[Invocation]) -> None:
        lines = []
        for each in chosen[:SHOWN]:
            lines += [f"{each.target}  {each.status}", f"  {each.id}"]
        if len(chosen) > SHOWN:
            lines.append(f"… and {len(chosen) - SHOWN} more")
        command = rtour("invocations", operation, chosen[0].id)
        lines += ["", f"$ {command}{' …' if chosen[1:] else ''}"]
        verb = operation.replace("-", " ").capitalize()
        if await self.confirmed(f"{verb} {plural(len(chosen), 'invocation')}?", lines):
            self.post_message(await carry_out(self.workspace, operation, chosen))


async def carry_out(
    workspace: Workspace, operation: str, chosen: Sequence[Invocation]
) -> View.Done:
    """One operation on many invocations; what became of it, in one line."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(invocation: Invocation) -> ClientError | str | None:
        async with gate:
            try:
                done = await workspace.client.admin.operate(operation, invocation.id)
            except ClientError as error:
                return error
            return done.new_invocation_id

    answers = await asyncio.gather(*(one(each) for each in chosen))
    failures = [each for each in answers if isinstance(each, ClientError)]
    made = [each for each in answers if isinstance(each, str)]
    done = len(chosen) - len(failures)
    told = [f"{plural(done, 'invocation')} {OPERATIONS[operation].done}"] if done else []
    told += [f"as {made[0]}"] if len(made) == 1 else []
    told += [f"{len(failures)} not: {failures[0]}"] if failures else []
    return View.Done("; ".join(told), failed=bool(failures))
