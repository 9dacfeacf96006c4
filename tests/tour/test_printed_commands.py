"""Every command that a lesson prints is executed.

Those of the console blocks by `test_play`, in order; here all others: what a lesson mentions,
leaves to a second terminal, or would start without the guide. A new one fails the last test until
there is a way to run it in `PRINTS`, `BESIDE` or `WITHOUT`, or a reason not to in `NAMES`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from rtour.client import Client, Connection
from tests.conformance.processes import free_port
from tests.tour.conftest import TOUR
from tests.tour.test_examples import User, answering
from tests.tour.typist import CTRL_C, CTRL_Q, ENTER, PATIENCE_S, Typist, typing
from tests.tracing.collector import Collected, Told, grpc_collector
from tour.guide.guide import Guide
from tour.guide.lesson import FENCE, addressed, placed
from tour.lessons import LESSONS

PROGRAMS = "rtour curl python pip npm docker psql sleep mkdir tail grep kill cat echo export"
COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{'|'.join(PROGRAMS.split())})(?= |$)")
INTERRUPTED = 130
# Printed, but not to be typed, so not executed. Each with the reason.
NAMES = {
    "rtour call": "names the command that stands with its arguments just below",
    "kill -9": "says how the check of this lesson ends processes",
    "psql": "names somebody else's program",
}


def told() -> list[str]:
    """The commands in lessons that are not in console blocks, as the sources have them."""
    found: list[str] = []
    for lesson in LESSONS:
        text = lesson.text(TOUR / "lessons")
        for kind, body in FENCE.findall(text):
            lines = body.splitlines()
            found += [each for each in lines if kind == "sh" or _typed(kind, each)]
        found += filter(COMMAND.match, re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))
    return list(dict.fromkeys(found))


def _typed(kind: str, line: str) -> bool:
    """A command in a block that is not for commands."""
    return kind != "console" and COMMAND.match(line) is not None


class Desk:
    """A learner's second terminal."""

    def __init__(self, guide: Guide, client: Client) -> None:
        self.guide = guide
        self.user = User(client)
        self.port = free_port()
        self.folder = guide.folder.parent

    def typed(self, command: str, id_: str = "") -> str:
        """The command as this learner types it: ports, folder and id are the real ones."""
        text = placed(addressed(command, self.guide.theatre.ports), self.guide.folder.name)
        return re.sub(r"\bID\b", id_, text.replace("9081", str(self.port)))

    async def latest(self, handler: str) -> str:
        """The id of the latest invocation of a handler; of none if there is no name."""
        where = [f"inv.target_handler_name = '{handler}'"]
        found = await self.user.client.query.invocations(where, limit=1)
        return found[0].id if found else ""

    async def prints(self, words: str, command: str, id_: str = "") -> None:
        """It ends well, and says the words."""
        ran = await self.guide.run(self.typed(command, id_))
        assert (ran.code, words in ran.output) == (0, True), ran

    def typing(self, command: str) -> AbstractAsyncContextManager[Typist]:
        """On a terminal, since it does not end by itself."""
        return typing(self.typed(command), self.folder, self.guide.theatre.env)


# --- beside the tour, which runs -------------------------------------------------------------


async def _resolves(desk: Desk, command: str) -> None:
    """The box office's mail has the id, and the refund waits for the answer."""
    id_ = await desk.user.send("RefundService/request", "seat4A")
    mails = desk.guide.folder / "outside" / "mails.jsonl"
    async with asyncio.timeout(PATIENCE_S):
        while not (mails.is_file() and "answer_to" in mails.read_text()):
            await asyncio.sleep(0.02)
    asked = re.search(r"sign_[\w-]+", mails.read_text())
    assert asked
    await desk.prints(asked[0], command, asked[0])
    reply = await desk.user.client.ingress.attach(id_, timeout_s=PATIENCE_S)
    assert reply.body == b'"refunded"'


async def _watches(desk: Desk, command: str) -> None:
    """It shows what is there, then what has come, until ctrl-C."""
    await desk.user.call("CartObject/Nina/addTicket", "seat7C")
    async with desk.typing(command) as terminal:
        await terminal.until("seat7C")
        assert "seat7D" not in terminal.text
        await desk.user.call("CartObject/Nina/addTicket", "seat7D")
        await terminal.until("seat7D")
        assert await terminal.type(CTRL_C).ends() == INTERRUPTED


async def _shows(desk: Desk, command: str) -> None:
    """The terminal UI has the invocations of the learner's engine."""
    async with desk.typing(command) as terminal:
        await terminal.until("CartObject/Nina/addTicket")
        assert await terminal.type(CTRL_Q).ends() == 0


async def _serves(desk: Desk, command: str) -> None:
    """A stage, alone and beside the learner's own code."""
    async with desk.typing(command) as terminal:
        await terminal.until("serving CartObject, TicketObject, CheckoutService on")
        await answering(desk.port)
        assert await terminal.type(CTRL_C).ends() == 0


async def _serves_the_next(desk: Desk, serve: str, register: str) -> None:
    """New code at another address; the engine takes it in, and says what has changed."""
    async with desk.typing(serve) as new:
        await new.until("serving CartObject")
        await answering(desk.port)
        async with desk.typing(register) as terminal:
            await terminal.until("[y/N]")
            assert await terminal.type(f"y{ENTER}").ends() == 0
        known = await desk.user.client.admin.deployments()
        assert any(str(desk.port) in each.endpoint for each in known)
        assert await new.type(CTRL_C).ends() == 0


# What ends by itself, what it says, and the handler whose latest invocation is meant by ID.
PRINTS = (
    ("rtour example", "saga", ""),
    ("rtour time", "ahead", ""),
    ("rtour invocations list", "CartObject/Mary/expireTicket", ""),
    ("rtour invocations describe ID", "TicketObject/seat2B/reserve", "addTicket"),
    ("rtour why ID", "succeeded", "addTicket"),
    ("rtour trace ID", "TicketObject/seat2B/reserve", "addTicket"),
    (
        """curl localhost:9070/deployments --json '{"uri": "http://localhost:9080"}'""",
        "CartObject",
        "",
    ),
)
BESIDE: Mapping[tuple[str, ...], Callable[..., Awaitable[None]]] = {
    ("rtour awakeables resolve ID true",): _resolves,
    ("rtour kv get -w -n 1 CartObject Nina",): _watches,
    ("rtour ui",): _shows,
    ("rtour serve tour.part1.app:app --port 9081",): _serves,
    (
        "rtour serve tour.app.app:app --port 9081",
        "rtour deployments register localhost:9081",
    ): _serves_the_next,
}


@pytest.mark.slow
async def test_beside_the_tour(guide: Guide) -> None:
    """On the engine and the service of a learner who is through with the tour."""
    shutil.copytree(TOUR / "part1", guide.folder / "part1")
    guide.put({each.name: each.read_text() for each in (TOUR / "part5").glob("*.py")})
    async with guide.open(), Client(guide.theatre.connection) as client:
        await guide.solve(guide.lessons[0])
        desk = Desk(guide, client)
        await client.time.skip(timedelta(hours=1))
        await desk.user.call("CartObject/Mary/addTicket", "seat2B")
        for command, words, handler in PRINTS:
            await desk.prints(words, command, await desk.latest(handler))
        for commands, executed in BESIDE.items():
            await executed(desk, *commands)


# --- without it ------------------------------------------------------------------------------


class Alone:
    """A learner's folder and an engine's ports; nothing runs."""

    def __init__(self, guide: Guide) -> None:
        self.folder = guide.folder.parent
        self.ports = (free_port(), free_port(), free_port())
        ingress, admin, self.port = self.ports
        self.env = {
            **guide.theatre.env,
            "RTOUR_INGRESS_PORT": str(ingress),
            "RTOUR_ADMIN_PORT": str(admin),
            "RTOUR_PG_PORT": str(free_port()),
        }
        for url in ("RTOUR_ADMIN_URL", "RTOUR_INGRESS_URL"):
            del self.env[url]
        self.connection = Connection(
            admin_url=f"http://127.0.0.1:{admin}", ingress_url=f"http://127.0.0.1:{ingress}"
        )

    def typing(self, command: str) -> AbstractAsyncContextManager[Typist]:
        """On a terminal."""
        return typing(command, self.folder, self.env)

    def serving(self, command: str) -> AbstractAsyncContextManager[Typist]:
        """The same, at a port that is free for certain: the usual one may be in use here."""
        return self.typing(f"{command} --port {self.port}")

    async def used(self) -> None:
        """A service is registered and called, by the engine's API."""
        async with Client(self.connection) as client:
            await client.admin.register({"uri": f"http://127.0.0.1:{self.port}"})
            assert await User(client).call("CartObject/Mary/addTicket", "seat2B") is True


async def _up(alone: Alone, up: str, serve: str) -> None:
    """Engine, screen and service; the service starts again when a file is saved."""
    async with alone.typing(up) as engine, alone.serving(serve) as service:
        await engine.until("no invocations")
        await service.until("serving CartObject")
        await alone.used()
        await engine.until("CartObject/Mary/addTicket")
        cart = alone.folder / "tour" / "app" / "cart_object.py"
        service.forget()
        cart.write_text(cart.read_text() + "\n")
        await service.until("serving CartObject")
        await answering(alone.port)
        assert await service.type(CTRL_C).ends() == 0
        assert await engine.type(CTRL_Q).ends() == 0
    assert (alone.folder / "rtour-data").is_dir()


async def _ephemeral(alone: Alone, command: str) -> None:
    """It is there, and leaves nothing behind."""
    before = set(alone.folder.iterdir())
    async with alone.typing(command) as engine:
        await engine.until("rtour is ready")
        assert await engine.type(CTRL_C).ends() == 0
    assert set(alone.folder.iterdir()) == before


async def _reports(alone: Alone, command: str) -> None:
    """A collector gets the spans of a request."""
    with grpc_collector() as collected:
        async with (
            alone.typing(_to(collected, command)) as engine,
            alone.serving("rtour serve tour.app.app:app") as service,
        ):
            await engine.until("rtour is ready")
            await service.until("serving CartObject")
            await alone.used()
            await asyncio.to_thread(collected.until, _asked)
            assert await engine.type(CTRL_C).ends() == 0


async def _tours(alone: Alone, command: str) -> None:
    """The tour's own engine reports: the learner does the first two lessons, by keys only."""
    with grpc_collector() as collected:
        async with alone.typing(_to(collected, command)) as tour:
            await tour.until("Lesson 1 of 25")
            await tour.type("s").until("Run the commands of this lesson?")
            await tour.type("y").until("Solved.")
            await tour.type(ENTER).until("Done.")
            await tour.type(ENTER).until("Lesson 2 of 25")
            await tour.type("s").until("Run the commands of this lesson?")
            await tour.type("y").until("Solved.")
            await asyncio.to_thread(collected.until, _asked)
            assert await tour.type("q").ends() == 0


def _to(collected: Collected, command: str) -> str:
    assert "http://localhost:4317" in command
    return command.replace("http://localhost:4317", collected.uri)


def _asked(spans: list[Told]) -> bool:
    return any(each.name == "ingress CartObject/{key}/addTicket" for each in spans)


WITHOUT: Mapping[tuple[str, ...], Callable[..., Awaitable[None]]] = {
    ("rtour up", "rtour serve tour.app.app:app --reload"): _up,
    ("rtour server --ephemeral",): _ephemeral,
    ("rtour server --tracing-endpoint http://localhost:4317",): _reports,
    ("RTOUR_TRACING_ENDPOINT=http://localhost:4317 rtour tour",): _tours,
}


@pytest.mark.slow
@pytest.mark.parametrize("commands", WITHOUT, ids=" ".join)
async def test_without_the_tour(commands: tuple[str, ...], guide: Guide) -> None:
    """In terminals of their own, until whoever typed them ends them."""
    await WITHOUT[commands](Alone(guide), *commands)


# --- all of them -----------------------------------------------------------------------------


def test_every_printed_command_is_executed() -> None:
    """Here, but for those of the console blocks; nothing is left out without a reason."""
    executed = {row[0] for row in PRINTS}
    executed |= {command for commands in (*BESIDE, *WITHOUT) for command in commands}
    assert set(told()) == executed | set(NAMES)
    assert not executed & set(NAMES)
    assert all(NAMES.values())
