"""Why an invocation has not ended: the one below it that is in trouble, and the likely cause."""

from __future__ import annotations

import re

from rtour.client import Client
from rtour.client.model import Invocation

DEEPEST = 5
# Words of a failure, and the mistake behind them. The first that fits is told.
CAUSES = (
    (
        r"can't be used in 'await' expression",
        "There is nothing to await in a message or a set: take that await away.",
    ),
    (
        r"Future|coroutine",
        "An await is missing: calls, gets and runs give futures, and `await` makes the value.",
    ),
    (
        r"NoneType",
        "What was never set is None: await ctx.get(…) or [].",
    ),
    (
        r"not callable",
        "A run takes the function itself, without calling it: ctx.run_typed(name, function).",
    ),
    (
        r"total_seconds|timedelta",
        "A duration is a timedelta: timedelta(minutes=15).",
    ),
    (r"is not defined", "Is it imported?"),
)
WAITING = (
    "It does not get to its next step. Waiting goes through the context, too: ctx.sleep, and not "
    "asyncio.sleep or time.sleep."
)


async def below(client: Client, invocation: Invocation) -> Invocation:
    """What it waits for, and what that waits for: the last of them that has not ended."""
    for _ in range(DEEPEST):
        if invocation.last_failure:
            break
        called = await client.query.children([invocation.id])
        waited_for = [each for each in called if not each.done and each.status != "scheduled"]
        if not waited_for:
            break
        invocation = waited_for[0]
    return invocation


def causes(invocation: Invocation, failure: str) -> list[str]:
    """The mistake behind a failure; for what runs and does not fail, what may hold it up."""
    if failure:
        return [told for words, told in CAUSES if re.search(words, failure)][:1]
    return [WAITING] if invocation.status == "running" else []
