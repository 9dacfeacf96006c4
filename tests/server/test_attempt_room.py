"""Attempts that wait for memory: what they hold meanwhile, and how they come out of it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from rtour.engine.commands import Kill
from rtour.engine.commands import Signal as SignalCommand
from rtour.engine.model import Status
from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from rtour.protocol.messages import End, MessageType, Output, Value
from rtour.server.byte_budget import ByteBudget
from tests.server.rig import Rig, greeter
from tests.server.scenarios import on_rig, opening
from tests.server.scripted import ScriptedExchange

LARGE = b"x" * 600  # of budgets of 1,000: no two fit in a deployment's half


def little_room(rig: Rig) -> None:
    rig.outgoing, rig.incoming = ByteBudget(1000), ByteBudget(1000)


def take_all(budget: ByteBudget) -> None:
    """Somebody else of this deployment has what there is for it."""
    assert budget.claim("dp_1", 500).take_now()


async def arrives(rig: Rig, exchange: ScriptedExchange, data: bytes) -> None:
    """The service sends this much, and the server takes in what it wants."""
    exchange.say_bytes(data)
    await rig.settled()


def test_attempts_begin_when_there_is_room_for_their_first_bytes() -> None:
    """The second waits until the first's bytes are written; it comes with its whole input."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        written = asyncio.Event()
        rig.transport.drained = written
        rig.invoke(greeter(), LARGE)
        await rig.attempt()
        rig.invoke(greeter(), LARGE)
        await rig.settled()
        assert (rig.transport.waiting, rig.outgoing.waiting) == (0, 1)
        written.set()
        _, entries = await opening(await rig.attempt())
        assert entries == [m.Input((m.Header("a", "b"),), LARGE)]
        await rig.settled()
        assert rig.outgoing.left == 1000

    on_rig(scenario)


def test_small_first_bytes_pass_those_that_wait() -> None:
    """They are never counted."""

    async def scenario(rig: Rig) -> None:
        rig.outgoing = ByteBudget(10_000)
        assert rig.outgoing.claim("dp_1", 5000).take_now()
        rig.invoke(greeter(), LARGE * 2)
        await rig.settled()
        assert rig.transport.waiting == 0
        rig.invoke(greeter(), b"1")
        start, _ = await opening(await rig.attempt())
        assert start.known_entries == 1

    on_rig(scenario)


def test_what_comes_while_an_attempt_waits_is_in_its_journal() -> None:
    """A signal is replayed, rather than kept in memory until the attempt begins."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        claim = rig.outgoing.claim("dp_1", 500)
        assert claim.take_now()
        id_, _ = rig.invoke(greeter(), LARGE)
        await rig.settled()
        rig.processor.propose(SignalCommand(id_, 17, Value(b"s")))
        await rig.settled()
        claim.give_up()
        start, entries = await opening(await rig.attempt())
        assert start.known_entries == 2
        assert entries[1] == m.Notification(MessageType.SIGNAL, 17, Value(b"s"))

    on_rig(scenario)


def test_an_attempt_that_waits_is_not_silent() -> None:
    """An hour later its input is still open, and nobody gave it up."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        claim = rig.outgoing.claim("dp_1", 500)
        assert claim.take_now()
        _, answer = rig.invoke(greeter(), LARGE)
        await rig.settled()
        await asyncio.sleep(3600)
        claim.give_up()
        exchange = await rig.attempt()
        assert not exchange.request_ended
        exchange.say(Output(Value(b"ok")), End())
        await answer
        assert rig.counts.failed == 0

    on_rig(scenario)


def test_an_invocation_that_is_killed_while_it_waits_leaves_the_line() -> None:
    """No exchange is opened, and the next one gets the room."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        claim = rig.outgoing.claim("dp_1", 500)
        assert claim.take_now()
        id_, _ = rig.invoke(greeter(), LARGE)
        await rig.settled()
        rig.processor.propose(Kill(id_))
        assert await rig.status(id_) in {None, Status.COMPLETED}
        assert (rig.outgoing.waiting, rig.counts.aborted) == (0, 1)
        claim.give_up()
        await rig.settled()
        assert (rig.transport.waiting, rig.outgoing.left) == (0, 1000)

    on_rig(scenario)


def test_a_connection_that_fails_gives_the_room_back() -> None:
    """Each try takes it, and each failure returns it."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        rig.transport.refuse = ConnectionError("refused")
        rig.invoke(greeter(), LARGE)
        await rig.settled()
        assert (rig.counts.failed, rig.outgoing.left) == (1, 1000)

    on_rig(scenario)


def test_a_large_message_is_read_when_there_is_room_for_it() -> None:
    """Until then its rest stays with the service; afterwards the room is free again."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        _, answer = rig.invoke(greeter())
        exchange = await rig.attempt()
        other = rig.incoming.claim("dp_1", 500)
        assert other.take_now()
        message = encode(Output(Value(LARGE)))
        await arrives(rig, exchange, message[:100])
        exchange.say_bytes(message[100:300])
        exchange.say_bytes(message[300:] + encode(End()))
        await rig.settled()
        assert (exchange.unread, rig.incoming.waiting) == (2, 1)
        other.give_up()
        await answer
        assert (exchange.unread, rig.incoming.left) == (0, 1000)

    on_rig(scenario)


def test_room_for_a_message_is_kept_until_the_disk_has_caught_up() -> None:
    """What was handed on is still in memory: the next one must not begin before."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        rig.invoke(greeter())
        exchange = await rig.attempt()
        message = encode(m.Run(1, "x" * 600))
        await arrives(rig, exchange, message[:100])
        caught_up = asyncio.Event()
        rig.making_room = caught_up.wait
        await arrives(rig, exchange, message[100:])
        assert rig.incoming.left == 500
        caught_up.set()
        await rig.settled()
        assert rig.incoming.left == 1000

    on_rig(scenario)


def test_a_large_message_is_not_read_before_the_disk_has_caught_up() -> None:
    """Who ends with a message gives its room to the next one before the disk has it."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        other = rig.incoming.claim("dp_1", 500)
        assert other.take_now()
        _, answer = rig.invoke(greeter())
        exchange = await rig.attempt()
        message = encode(Output(Value(LARGE)))
        await arrives(rig, exchange, message[:100])
        caught_up = asyncio.Event()
        rig.making_room = caught_up.wait
        other.give_up()
        await arrives(rig, exchange, message[100:] + encode(End()))
        assert (exchange.unread, rig.incoming.left) == (1, 500)
        caught_up.set()
        await answer
        assert rig.incoming.left == 1000

    on_rig(scenario)


def test_a_wait_for_room_breaks_off_with_the_invocation() -> None:
    """Killed while its message waits, an attempt leaves the line and ends."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        take_all(rig.incoming)
        id_, _ = rig.invoke(greeter())
        exchange = await rig.attempt()
        await arrives(rig, exchange, encode(Output(Value(LARGE)))[:100])
        assert rig.incoming.waiting == 1
        rig.processor.propose(Kill(id_))
        await rig.settled()
        assert exchange.aborted
        assert (rig.incoming.waiting, rig.invoker.running, rig.incoming.left) == (0, 0, 500)

    on_rig(scenario)


def test_a_message_that_breaks_off_gives_its_room_back() -> None:
    """The response ends in the middle of it: the attempt fails, and holds nothing."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        rig.invoke(greeter())
        exchange = await rig.attempt()
        await arrives(rig, exchange, encode(Output(Value(LARGE)))[:100])
        assert rig.incoming.left == 500
        exchange.end()
        await rig.settled()
        assert (rig.counts.failed, rig.incoming.left) == (1, 1000)

    on_rig(scenario)


def test_silence_counts_again_after_the_wait() -> None:
    """With its room, a service that stops in the middle of a message is given up in time."""

    async def scenario(rig: Rig) -> None:
        little_room(rig)
        rig.route_ = replace(rig.route_, inactivity_timeout_ms=1000, abort_timeout_ms=1000)
        rig.invoke(greeter())
        exchange = await rig.attempt()
        other = rig.incoming.claim("dp_1", 500)
        assert other.take_now()
        await arrives(rig, exchange, encode(Output(Value(LARGE)))[:100])
        await asyncio.sleep(60)
        assert not exchange.aborted
        assert not exchange.request_ended
        other.give_up()
        await asyncio.sleep(5)
        assert exchange.aborted

    on_rig(scenario)
