"""The eyes and hands of a check: it calls handlers and reads journals, state and side effects.

Never source text: any code that behaves well passes.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from rtour.client import JSON, Client, InvocationFailed, Target, TimedOut
from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation
from rtour.client.query import quote

from .outside import Outside
from .stuck import below, causes
from .theatre import Theatre
from .verdict import NotYet

T = TypeVar("T")
PATIENCE_S = 8.0
LOOK_EVERY_S = 0.05
A_LITTLE = timedelta(seconds=1)


class Answer(msgspec.Struct, frozen=True):
    """What a handler answered, and as which invocation."""

    id: str
    value: Any


class Look:
    """One check's view of the running theatre."""

    def __init__(self, client: Client, theatre: Theatre, outside: Outside) -> None:
        self.client = client
        self.theatre = theatre
        self.outside = outside
        self.seen: list[str] = []

    def done(self, text: str) -> None:
        """Something is as it should be."""
        self.seen.append(text)

    @staticmethod
    def fresh(word: str) -> str:
        """A user or seat that nobody has used before."""
        return f"{word}-{secrets.token_hex(3)}"

    # --- acting ------------------------------------------------------------------------------

    async def send(self, path: str, body: Any = None, **headers: str) -> str:
        """Sends to `Service/handler` or `Object/key/handler`; answers the invocation's id."""
        content = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = await self.client.ingress.send(
            _target(path), content, headers={**(JSON if content else {}), **named}
        )
        return sent.invocation_id

    async def call(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Sends and waits for the answer; one that does not come is the learner's to mend."""
        id_ = await self.send(path, body, **headers)
        return Answer(id_, await self.result(id_, path))

    async def result(self, id_: str, path: str, *hints: str) -> Any:
        """The value of an invocation."""
        try:
            reply = await self.client.ingress.attach(id_, timeout_s=PATIENCE_S)
        except InvocationFailed as error:
            raise NotYet(f"{path} answers", f"it failed: {error.message}", *hints) from error
        except TimedOut as error:
            raise await self._late(id_, path, *hints) from error
        return json.loads(reply.body) if reply.body else None

    async def failure(self, id_: str, path: str, *hints: str) -> InvocationFailed:
        """The failure that an invocation is expected to end in."""
        try:
            reply = await self.client.ingress.attach(id_, timeout_s=PATIENCE_S)
        except InvocationFailed as error:
            return error
        except TimedOut as error:
            raise await self._late(id_, path, *hints) from error
        raise NotYet(f"{path} fails", f"it answered {reply.body.decode()}", *hints)

    async def _late(self, id_: str, path: str, *hints: str) -> NotYet:
        invocation = await self.client.query.invocation(id_)
        expected = f"{path} answers within {PATIENCE_S:g} seconds"
        if invocation is None:
            return NotYet(expected, "it did not", *hints)
        stuck = await below(self.client, invocation)
        what = "it" if stuck.id == id_ else f"it waits for {stuck.target}, which"
        failure = reason(stuck)
        told = f", last failure: {failure}" if failure else ""
        likely = causes(stuck, failure) if failure or not hints else []
        return NotYet(
            expected,
            f"{what} is {stuck.status}{told}",
            *likely,
            *hints,
            f"Ask the engine: rtour invocations describe {stuck.id}",
        )

    async def skip(self, by: timedelta) -> None:
        """Moves the engine's clock on, and a little more: what is due by then happens now."""
        await self.client.time.skip(by + A_LITTLE)

    async def asleep(self, id_: str) -> bool:
        """Whether an invocation sleeps, rather than coming to its end."""

        async def either() -> bool:
            invocation = await self.client.query.invocation(id_)
            return bool(await self.entries(id_, "Sleep")) or (
                invocation is not None and invocation.done
            )

        await self.until(either)
        return bool(await self.entries(id_, "Sleep"))

    # --- looking -----------------------------------------------------------------------------

    async def journal(self, id_: str) -> list[JournalEntry]:
        """The command entries of a journal."""
        return [entry for entry in await self.client.query.journal(id_) if not entry.notification]

    async def entries(self, id_: str, kind: str, target: str | None = None) -> list[JournalEntry]:
        """Those of one kind; `target` is what a call or send is addressed to."""
        return [
            entry
            for entry in await self.journal(id_)
            if entry.kind == kind and (target is None or entry.target == target)
        ]

    async def invocations(self, *conditions: str) -> list[Invocation]:
        """Invocations, newest first; conditions are SQL over `inv`."""
        return await self.client.query.invocations(conditions)

    async def of_handler(self, target: str) -> list[Invocation]:
        """The invocations of `Object/key/handler` or `Service/handler`, newest first."""
        return await self.invocations(f"inv.target = {quote(target)}")

    async def state(self, service: str, key: str) -> dict[str, Any]:
        """The state under a key."""
        rows = await self.client.query.state(service, key)
        return {row.key: json.loads(row.value) for row in rows}

    async def until(
        self, look: Callable[[], Awaitable[T]], *, patience_s: float = PATIENCE_S
    ) -> T | None:
        """The first true answer of `look`; None if there is none in time."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    found = await look()
                    if found:
                        return found
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            return None


def _target(path: str) -> Target:
    service, *key, handler = path.split("/")
    return Target(service, handler, key[0] if key else None)


def reason(invocation: Invocation) -> str:
    """Why the last attempt failed, in a line; the stack trace is the service's to show."""
    return (invocation.last_failure or "").partition("\n")[0]


def words(entries: list[JournalEntry]) -> str:
    """A journal in one line, for the learner."""
    named = (f"{entry.kind} {entry.target or entry.name or ''}".strip() for entry in entries)
    return " → ".join(named) or "nothing"
