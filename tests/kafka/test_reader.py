"""Records become invocations: each one, once, in order, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from rtour.engine.actions import Response
from rtour.engine.commands import Command, Invoke
from rtour.engine.model import DocumentKind, FromSubscription, Status
from rtour.protocol.framing import decode
from rtour.protocol.messages import Header, Input
from rtour.server.kafka.catalog import Subscription
from rtour.server.kafka.subscriptions import Subscriptions
from rtour.server.registry import Registry
from tests import virtual_time
from tests.kafka.topics import BATCH, ListClient, Topic
from tests.server.rig import Rig
from tests.server.rooms import Rooms

GREETER, COUNTER, FLOW = "service://Greeter/greet", "service://Counter/add", "service://Flow/run"


class World:
    """A subscription over the real engine."""

    def __init__(self, rig: Rig, registry: Registry) -> None:
        self.rig = rig
        self.registry = registry
        self.topic = Topic()
        self.clients: list[ListClient] = []
        self.subscriptions = Subscriptions(
            registry, rig.requests, rig.clock, Random(1), lambda *_: self._open()
        )

    def _open(self) -> ListClient:
        self.clients.append(ListClient(self.topic))
        return self.clients[-1]

    async def subscribe(self, sink: str) -> Subscription:
        await self.subscriptions.add_cluster("main", {"bootstrap.servers": "x"})
        return await self.subscriptions.subscribe("kafka://main/orders", sink, {})

    async def read(self) -> None:
        """Until the reader has nothing more to do but wait."""
        await asyncio.sleep(1)

    def invoked(self) -> list[tuple[str | None, bytes]]:
        """Key and body of each invocation, in the order in which they were made."""
        tables = self.rig.storage.working
        made = sorted(tables.invocations.values(), key=lambda invocation: invocation.number)
        bodies = [decode(e.type, e.raw) for i in made for e in tables.journals[i.number][:1]]
        return [
            (invocation.target.key, body.value)
            for invocation, body in zip(made, bodies, strict=True)
            if isinstance(body, Input)
        ]


Story = Callable[[World], Awaitable[None]]


def play(story: Story) -> None:
    """On virtual time, with Greeter, Counter and Flow registered."""

    async def main(clock: virtual_time.VirtualClock) -> None:
        registry = (await Rooms().registered()).registry
        world = World(Rig(clock), registry)
        await story(world)
        await world.subscriptions.stop()

    virtual_time.run(main)


def test_records_invoke_a_service_with_what_kafka_says_of_them() -> None:
    """The value is the body, topic, partition, offset, time and key are headers."""

    async def story(world: World) -> None:
        subscription = await world.subscribe(GREETER)
        world.topic.put(b"\xff\x00", b"raw", partition=3)
        await world.read()
        (made,) = world.rig.storage.working.invocations.values()
        assert made.source == FromSubscription(subscription.id)
        assert made.target.key is None
        assert made.completion_retention_ms == made.journal_retention_ms > 0
        entry = world.rig.storage.working.journals[made.number][0]
        given = decode(entry.type, entry.raw)
        assert isinstance(given, Input)
        assert given.value == b"raw"
        assert set(given.headers) == {
            Header("kafka.topic", "orders"),
            Header("kafka.partition", "3"),
            Header("kafka.offset", "0"),
            Header("kafka.timestamp", "1000"),
            Header("kafka.key", "_wA="),
            Header("restate.subscription.id", subscription.id),
        }

    play(story)


def test_the_key_of_a_record_is_the_key_of_the_object() -> None:
    """In the order of the partition; a record without a key has the empty one."""

    async def story(world: World) -> None:
        await world.subscribe(COUNTER)
        for number in range(25):
            world.topic.put(b"Mary" if number % 2 else b"Jane", b"%d" % number)
        world.topic.put(None, b"none")
        await world.read()
        assert world.invoked() == [
            *(("Mary" if number % 2 else "Jane", b"%d" % number) for number in range(25)),
            ("", b"none"),
        ]

    play(story)


def test_nothing_is_read_while_records_are_under_way() -> None:
    """However many there are: the next read waits until those of the last are durable."""

    async def story(world: World) -> None:
        await world.subscribe(GREETER)
        ask, gate, asked = world.rig.requests.ask, asyncio.Event(), 0

        async def slowly(command: Callable[[int], Command]) -> Response:
            nonlocal asked
            asked += 1
            await gate.wait()
            return await ask(command)

        world.rig.requests.ask = slowly  # type: ignore[assignment]
        for number in range(25):
            world.topic.put(None, b"%d" % number)
        for _ in range(3):
            await world.read()
            assert asked == BATCH
        gate.set()
        await world.read()
        assert [body for _, body in world.invoked()] == [b"%d" % number for number in range(25)]

    play(story)


def test_a_workflow_runs_once_per_key() -> None:
    """A second record with the key of a workflow that ran invokes nothing."""

    async def story(world: World) -> None:
        await world.subscribe(FLOW)
        world.topic.put(b"w", b"first")
        world.topic.put(b"w", b"second")
        await world.read()
        assert world.invoked() == [("w", b"first")]
        assert world.topic.committed == {}
        await world.subscriptions.stop()
        assert world.topic.committed == {0: 2}

    play(story)


def test_records_that_kafka_gives_again_invoke_nothing_again() -> None:
    """The consumer fails before it has committed anything: the engine knows how far it was."""

    async def story(world: World) -> None:
        await world.subscribe(GREETER)
        for number in range(5):
            world.topic.put(None, b"%d" % number)
        await world.read()
        world.clients[-1]._stored.clear()
        world.topic.fail_next = "broker gone"
        await world.read()
        world.topic.put(None, b"5")
        await world.read()
        assert len(world.clients) == 2
        assert world.invoked() == [(None, b"%d" % number) for number in range(6)]

    play(story)


def test_no_record_overtakes_one_that_was_refused() -> None:
    """A record whose command fails is read again, and those after it wait for it."""

    async def story(world: World) -> None:
        await world.subscribe(GREETER)
        refused: list[Command] = []
        propose = world.rig.requests._propose

        def once(command: Command) -> None:
            if isinstance(command, Invoke) and command.body == b"1" and not refused:
                refused.append(command)
                error = RuntimeError("a defect")
                loop = asyncio.get_running_loop()
                loop.call_soon(world.rig.requests.refuse, command.accept_request_id, error)
            else:
                propose(command)

        world.rig.requests._propose = once
        for number in range(4):
            world.topic.put(None, b"%d" % number)
        await world.read()
        assert refused
        assert world.invoked() == [(None, b"%d" % number) for number in range(4)]

    play(story)


def test_a_record_that_cannot_be_delivered_holds_back_its_partition_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is reported, tried for as long as it takes, and nothing of its partition is skipped."""

    async def story(world: World) -> None:
        await world.subscribe(COUNTER)
        world.topic.put(b"a", b"good")
        world.topic.put(b"\xff", b"poison")
        world.topic.put(b"a", b"later")
        world.topic.put(b"b", b"elsewhere", partition=1)
        await world.read()
        assert sorted(world.invoked()) == [("a", b"good"), ("b", b"elsewhere")]
        (reading,) = world.subscriptions.readings()
        assert reading.state == "reading"
        assert "is not UTF-8" in reading.held[0]
        assert reading.lag == {0: 2, 1: 0}
        await asyncio.sleep(3600)
        world.topic.put(b"b", b"more", partition=1)
        await world.read()
        assert ("b", b"more") in world.invoked()
        reports = [r for r in caplog.records if "holds back its partition" in r.message]
        assert len(reports) == 1
        await world.subscriptions.stop()
        assert world.topic.committed == {0: 1, 1: 2}

    with caplog.at_level(logging.ERROR, "rtour.kafka"):
        play(story)


def test_a_partition_goes_on_when_kafka_forgets_what_held_it_back() -> None:
    """Retention takes the record away: the next one is read in its place."""

    async def story(world: World) -> None:
        await world.subscribe(COUNTER)
        poison = world.topic.put(b"\xff", b"poison")
        world.topic.put(b"a", b"later")
        await world.read()
        assert world.invoked() == []
        world.topic.forgotten.add((poison.partition, poison.offset))
        await asyncio.sleep(15)
        assert world.invoked() == [("a", b"later")]
        assert world.subscriptions.readings()[0].held == {}

    play(story)


def test_records_for_a_handler_that_is_gone_wait_for_it() -> None:
    """When the handler is back, they go on by themselves."""

    async def story(world: World) -> None:
        await world.subscribe(GREETER)
        (deployment,) = world.registry.deployments()
        world.registry.remove(deployment.id)
        world.topic.put(None, b"early")
        await world.read()
        assert world.invoked() == []
        assert "is not registered" in world.subscriptions.readings()[0].held[0]
        world.registry.put(deployment)
        await asyncio.sleep(15)
        assert world.invoked() == [(None, b"early")]
        assert world.subscriptions.readings()[0].held == {}

    play(story)


def test_a_consumer_that_fails_is_replaced_for_ever() -> None:
    """With a pause that grows to ten seconds, and the reason for all to see."""

    async def story(world: World) -> None:
        failing = asyncio.Event()

        def never(*_: object) -> ListClient:
            failing.set()
            world.topic.fail_next = "no brokers"
            return world._open()

        world.subscriptions._open_client = never
        await world.subscribe(GREETER)
        await failing.wait()
        await asyncio.sleep(600)
        (reading,) = world.subscriptions.readings()
        assert (reading.state, reading.error) == ("failing", "no brokers")
        assert 60 <= world.topic.opened <= 70
        assert all(client.closed for client in world.clients[:-1])

    play(story)


def test_what_keeps_a_subscription_from_reading_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A complaint of minutes is one line of the log, and its end is another; so for failures."""

    async def story(world: World) -> None:
        world.topic.put(None, b"0")
        await world.subscribe(GREETER)
        await world.read()
        world.topic.complaint = "no such user"
        await asyncio.sleep(60)
        (reading,) = world.subscriptions.readings()
        assert (reading.state, reading.error) == ("failing", "no such user")
        world.topic.complaint = None
        await world.read()
        world.topic.fail_next = "the broker fell over"
        await asyncio.sleep(60)
        (reading,) = world.subscriptions.readings()
        assert (reading.state, reading.error, reading.lag) == ("reading", None, {0: 0})
        told = [record.getMessage().partition("orders ")[2] for record in caplog.records]
        assert told == [
            f"to {GREETER}",
            "reads nothing, and goes on trying: no such user",
            "reads again",
            "reads nothing, and goes on trying: the broker fell over",
            "reads again",
        ]

    with caplog.at_level(logging.INFO, "rtour.kafka"):
        play(story)


def test_nothing_is_read_after_the_end_of_a_subscription() -> None:
    """Its consumer leaves, what it invoked stays, and its places are forgotten."""

    async def story(world: World) -> None:
        subscription = await world.subscribe(GREETER)
        world.topic.put(None, b"before")
        await world.read()
        await world.subscriptions.unsubscribe(subscription.id)
        world.topic.put(None, b"after")
        await world.read()
        assert world.clients[-1].closed
        assert world.invoked() == [(None, b"before")]
        kinds = [kind for kind, _ in world.rig.storage.working.documents]
        assert kinds == ["kafka_cluster"]

    play(story)


def test_a_restarted_server_reads_on() -> None:
    """Clusters, subscriptions and places are stored; another server goes on after the last one."""

    async def story(world: World) -> None:
        await world.subscribe(GREETER)
        world.topic.put(None, b"0")
        await world.read()
        await world.subscriptions.stop()
        world.topic.committed.clear()  # as if Kafka had not heard of it
        documents = world.rig.storage.recover().documents
        again = Subscriptions(
            world.registry, world.rig.requests, world.rig.clock, Random(2), lambda *_: world._open()
        )
        again.load(documents)
        again.start()
        world.topic.put(None, b"1")
        await world.read()
        await again.stop()
        assert world.invoked() == [(None, b"0"), (None, b"1")]

    play(story)


def test_an_invocation_is_stored_with_the_place_of_its_record() -> None:
    """One commit has both, so that neither can be without the other."""

    async def story(world: World) -> None:
        subscription = await world.subscribe(GREETER)
        world.topic.put(None, b"0")
        await world.read()
        document = world.rig.storage.durable.documents[
            DocumentKind.SUBSCRIPTION_PLACES, subscription.id
        ]
        assert document == b'{"%b/orders/0":0}' % subscription.id.encode()
        statuses = [one.status for one in world.rig.storage.durable.invocations.values()]
        assert statuses == [Status.INVOKED]

    play(story)
