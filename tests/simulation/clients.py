"""Clients: they ask, lose the connection, ask again, and remember what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from typing import Any, Protocol

import msgspec

from rtour.server.web import Reply, Request
from tests.simulation.faults import Faults
from tests.simulation.life import Dead, Life, body, header, is_refusal
from tests.simulation.linear import Operation
from tests.simulation.services import NAPS
from tests.simulation.topics import WorldTopic

PATIENCE_S = 8.0


class Host(Protocol):
    """What clients know of the world."""

    @property
    def faults(self) -> Faults: ...

    @property
    def life(self) -> Life | None: ...

    @property
    def topic(self) -> WorldTopic: ...

    def chance(self, probability: float) -> bool: ...

    def note(self, event: str) -> None: ...

    def fail(self, what: str) -> None: ...


class Lost(Exception):  # noqa: N818
    """No answer: the request may have been carried out or not."""


class Told(msgspec.Struct):
    """What all clients together did and were told."""

    counters: dict[str, list[Operation]] = {}
    registers: dict[str, list[Operation]] = {}
    results: dict[str, tuple[int, Any]] = {}
    """By invocation: status and body, which must never change."""
    counted: set[str] = set()
    """Operations on counters that were acknowledged."""
    maybe_counted: set[str] = set()
    moved: set[str] = set()
    noted: list[str] = []
    """In the order in which each client was told that its line was accepted."""
    gates: dict[str, list[str]] = {}
    """By key: who was told to have opened it."""
    effects: list[tuple[str, int]] = []
    """(operation, number of the effect that its answer names)."""


class Client:
    """Does a number of errands, one after the other."""

    def __init__(self, name: str, host: Host, told: Told, random: Random) -> None:
        self._name = name
        self._host = host
        self._told = told
        self._random = random
        self._ops = count(1)
        self._ticks = count()
        self.rooms: list[str] = []
        self._asked: dict[str, tuple[str, Any]] = {}

    async def run(self, errands: int) -> None:
        kinds: list[Callable[[str], Awaitable[None]]] = [
            *[self._add] * 6,
            *[self._get] * 2,
            *[self._write, self._swap, self._read] * 2,
            *[self._move] * 3,
            *[self._hold] * 2,
            *[self._note] * 2,
            *[self._publish] * 2,
            self._wait,
            self._spread,
            self._spread,
            self._refuse,
            self._gate,
        ]
        for _ in range(errands):
            await asyncio.sleep(self._random.choice((0, 0, 0.01, 0.5, 2)))
            await self._random.choice(kinds)(f"{self._name}.{next(self._ops)}")

    async def run_in_crowds(self, errands: int) -> None:
        """Many wait for the same."""
        for number in range(errands):
            await asyncio.sleep(self._random.choice((0, 0.5, 5)))
            await self._random.choice((self._crowd, self._lead))(f"{self._name}.{number}")

    # --- asking ----------------------------------------------------------------------------------

    async def _once(
        self,
        path: str,
        ask: Any,
        key: str | None,
        method: str,
        patience_s: float = PATIENCE_S,
    ) -> Reply:
        """One request. Raises Lost if no answer comes."""
        faults, chance = self._host.faults, self._host.chance
        await asyncio.sleep(self._random.choice((0, 0.001, 0.05)))
        life = self._host.life
        if life is None or chance(faults.lost_request):
            raise Lost
        headers = [(b"content-type", b"application/json")] if ask is not None else []
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        raw = b"" if ask is None else json.dumps(ask).encode()
        request = Request(method, path, "", headers, raw)
        if key is not None and chance(faults.doubled_call):
            asyncio.get_running_loop().call_later(0.01, self._echo, life, request)
        try:
            async with asyncio.timeout(patience_s):
                reply = await life.request(request)
        except (Dead, TimeoutError):
            raise Lost from None
        if chance(faults.lost_reply):
            raise Lost
        if is_refusal(reply):
            if reply.status not in {429, 503}:
                self._host.fail(f"{path} was refused: {reply.status} {reply.body!r}")
            raise Lost
        return reply

    def _echo(self, life: Life, request: Request) -> None:
        """The same request once more, whose answer nobody hears."""

        async def hear() -> None:
            with contextlib.suppress(Dead):
                await life.request(request)

        asyncio.get_running_loop().create_task(hear(), name="echo")

    async def _insist(
        self, path: str, ask: Any, key: str | None = None, method: str = "POST"
    ) -> Reply:
        """Ask until there is an answer, then maybe once more: it must be the same."""
        for turn in count(1):
            try:
                reply = await self._once(path, ask, key, method)
            except Lost:
                await asyncio.sleep(min(0.1 * turn, 3))
                continue
            self._remember(reply, path)
            if key is not None:
                self._asked[key] = (path, ask)
            if self._random.random() < 0.8:
                return reply
        raise AssertionError

    async def ask_again(self) -> None:
        """Much later, but within retention: whatever had a key has the same answer."""
        for key, (path, ask) in list(self._asked.items()):
            if not path.endswith("/send"):
                await self._insist(path, ask, key)

    def _remember(self, reply: Reply, path: str) -> None:
        """A response once given never changes."""
        id_ = header(reply, b"x-restate-id")
        if id_ is None or path.endswith("/send"):
            return
        if id_ in self.rooms and reply.status != 200:
            return  # what is killed before it began is as if it had never come
        answer = (reply.status, body(reply))
        self._host.note(f"{self._name} is told {id_} {answer}")
        known = self._told.results.setdefault(id_, answer)
        if known != answer:
            self._host.fail(f"a response never changes: {id_} gave {known}, then {answer}")

    async def _maybe(self, path: str, ask: Any) -> Any:
        """Ask once without a key. Raises Lost."""
        reply = await self._once(path, ask, None, "POST")
        self._remember(reply, path)
        return self._value(reply, path)

    def _value(self, reply: Reply, path: str) -> Any:
        if reply.status != 200:
            self._host.fail(f"{path} answered {reply.status} {reply.body!r}")
        return body(reply)

    # --- objects ---------------------------------------------------------------------------------

    def _tick(self) -> float:
        """Virtual time; answers and questions of one moment count as overlapping."""
        return asyncio.get_running_loop().time()

    async def _operate(
        self,
        histories: dict[str, list[Operation]],
        place: tuple[str, str],
        kind: str,
        argument: Any,
        ask: Any,
        key: str | None,
    ) -> Any:
        """Call a handler and write it into the object's history. None if the answer was lost."""
        service, name = place
        path = f"/{service}/{name}/{kind}"
        history = histories.setdefault(name, [])
        called = self._tick()
        try:
            if key is None:
                value = await self._maybe(path, ask)
            else:
                value = self._value(await self._insist(path, ask, key), path)
        except Lost:
            history.append(Operation(kind, argument, None, called))
            raise
        result = value["value"] if isinstance(value, dict) else value
        history.append(Operation(kind, argument, result, called, self._tick()))
        return value

    def _place(self, service: str, names: str) -> tuple[str, str]:
        return service, self._random.choice(names)

    async def _add(self, op: str) -> None:
        ask: dict[str, Any] = {}
        if self._random.random() < 0.3:
            ask["pause_ms"] = self._random.choice((1, 200, 2_000))
        if self._random.random() < 0.4:
            ask["effect"] = 1
        place = self._place("Counter", "ABC")
        if self._random.random() < 0.8:
            await self._count(place, op, ask, op)
            return
        # Without a key each try is an operation of its own, which may have counted.
        for turn in range(self._random.choice((1, 3))):
            if await self._count(place, f"{op}?{turn}", ask, None):
                break

    async def _count(
        self, place: tuple[str, str], op: str, ask: dict[str, Any], key: str | None
    ) -> bool:
        """Whether there was an answer."""
        ask = ask | {"op": op}
        try:
            answer = await self._operate(self._told.counters, place, "add", 1, ask, key)
        except Lost:
            self._told.maybe_counted.add(op)
            return False
        self._told.counted.add(op)
        if answer["effect"]:
            self._told.effects.append((op, answer["effect"]))
        return True

    async def _get(self, _op: str) -> None:
        await self._try(self._told.counters, self._place("Counter", "ABC"), "get", None, None)

    async def _write(self, op: str) -> None:
        place = self._place("Register", "XY")
        await self._operate(self._told.registers, place, "write", op, op, op)

    async def _swap(self, op: str) -> None:
        place = self._place("Register", "XY")
        old = await self._try(self._told.registers, place, "read", None, None)
        ask = {"old": old, "new": op, "pause_ms": self._random.choice((0, 0, 300))}
        await self._operate(self._told.registers, place, "swap", (old, op), ask, op)

    async def _read(self, _op: str) -> None:
        await self._try(self._told.registers, self._place("Register", "XY"), "read", None, None)

    async def _try(
        self, histories: dict[str, list[Operation]], place: tuple[str, str], kind: str, *ask: Any
    ) -> Any:
        """Reading changes nothing: an answer that is lost says nothing."""
        try:
            return await self._operate(histories, place, kind, ask[0], ask[1], None)
        except Lost:
            histories[place[1]].pop()
            return None

    # --- services --------------------------------------------------------------------------------

    async def _move(self, op: str) -> None:
        from_, to = self._random.sample("ABC", 2)
        ask = {"op": op, "from": from_, "to": to, "later_ms": self._random.choice((1, 700, 5_000))}
        called = self._tick()
        answer = self._value(await self._insist("/Teller/move", ask, op), "/Teller/move")
        self._told.effects.append((op, answer["effect"]))
        for name, verb, value in zip((from_, to), ("from", "to"), answer["values"], strict=True):
            self._told.counted.add(f"{op} {verb}")
            history = self._told.counters.setdefault(name, [])
            history.append(Operation("add", verb, value, called, self._tick()))
        self._told.moved.add(op)

    async def _hold(self, op: str) -> None:
        """Who holds a room, or queues for it, may be killed: any outcome will do, if it stays."""
        path = f"/Room/{self._random.choice('RS')}/hold"
        ids = []
        for turn in range(self._random.choice((1, 3))):
            for_ms = self._random.choice((10, 400, 3_000))
            reply = await self._insist(f"{path}/send", for_ms, f"{op} {turn}")
            ids.append(str(header(reply, b"x-restate-id")))
            self.rooms.append(ids[-1])
        followed = self._random.choice(ids)
        for turn in range(self._random.choice((0, 0, 8))):
            await self._insist("/Room/R/follow/send", followed, f"{op} after {turn}")
        if self._random.random() < 0.5:
            await self._insist(f"/restate/attach/{self._random.choice(ids)}", None, None, "GET")

    async def _note(self, op: str) -> None:
        """A send that was accepted is carried out."""
        await self._insist("/Ledger/book/note/send", op, op)
        self._told.noted.append(op)

    async def _publish(self, op: str) -> None:
        """Records of a topic are noted once each, in order."""
        for turn in range(self._random.choice((1, 5))):
            self._host.topic.publish(f"{op} {turn}")

    async def _wait(self, op: str) -> None:
        if self._value(await self._insist("/Errands/wait", op, op), "/Errands/wait") != op:
            self._host.fail(f"{op} was woken with another's value")

    async def _spread(self, op: str) -> None:
        answer = self._value(await self._insist("/Errands/spread", op, op), "/Errands/spread")
        naps, runs = answer[: len(NAPS)], answer[len(NAPS) :]
        if naps != list(NAPS):
            self._host.fail(f"{op} got the wrong results of its calls: {answer}")
        self._told.effects += [(op, number) for number in runs]

    async def _crowd(self, op: str) -> None:
        """All who wait for the same invocation are told the same."""
        nap = self._random.choice((1, 300, 2_000))
        id_ = str(header(await self._insist("/Errands/nap/send", nap, op), b"x-restate-id"))
        path = "/Crowd/follow"
        names = [f"{op} after {turn}" for turn in range(self._random.choice((2, 5, 9)))]
        goes_away = asyncio.get_running_loop().create_task(self._glance(id_))
        replies = await asyncio.gather(*(self._insist(path, id_, name) for name in names))
        await goes_away
        answers = [self._value(reply, path) for reply in replies]
        if answers != [nap] * len(names):
            self._host.fail(f"{op}, a nap of {nap} ms, is said to have given {answers}")

    async def _lead(self, op: str) -> None:
        """The same for what is forgotten with its end: who comes late finds nothing."""
        nap, followers = self._random.choice((1, 300, 2_000)), self._random.choice((2, 5, 9))
        reply = await self._insist("/Crowd/lead", [nap, followers], op)
        first, *others = self._value(reply, "/Crowd/lead")
        told = [answer for answer in others if answer != "404 not found"]
        if len(others) != followers or {first, *told} != {nap}:
            self._host.fail(f"{op}, a nap of {nap} ms, is said to have given {[first, *others]}")

    async def _glance(self, id_: str) -> None:
        """Wait for an invocation, and go away before its end."""
        with contextlib.suppress(Lost):
            await self._once(f"/restate/attach/{id_}", None, None, "GET", patience_s=0.2)

    async def _refuse(self, op: str) -> None:
        reply = await self._insist("/Errands/refuse", op, op)
        if (reply.status, body(reply)["message"]) != (418, op):
            self._host.fail(f"{op} should end in its terminal error, not {reply.status}")

    async def _gate(self, op: str) -> None:
        """A workflow runs once per key, and its promise is resolved once."""
        key = self._random.choice("GH") + op.partition(".")[0]
        await self._insist(f"/Gate/{key}/run/send", op)
        reply = await self._insist(f"/Gate/{key}/open", op, f"open {op}")
        if reply.status == 200:
            self._told.gates.setdefault(key, []).append(op)
        elif reply.status != 409:
            self._host.fail(f"opening {key} answered {reply.status} {reply.body!r}")
        path = f"/restate/workflow/Gate/{key}/attach"
        _, opened_by = self._value(await self._insist(path, None, None, "GET"), path)
        if self._told.gates.get(key) != [opened_by]:
            told = self._told.gates.get(key)
            self._host.fail(f"gate {key} was opened by {opened_by}, {told} was told so")
