"""Reads one subscription's topic: each record becomes durable before Kafka hears that it was read.

A record that invokes nothing as things are (its key is no text, the handler is gone) holds back its
partition, is tried again, and is reported until it goes; the other partitions go on. Whatever else
fails, a new consumer is made after a while, for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from rtour.engine.actions import Accepted, Outcome, Verdict
from rtour.engine.commands import Invoke
from rtour.errors import RtourError
from rtour.server.kafka.catalog import Subscription
from rtour.server.kafka.client import Client, KafkaFailed
from rtour.server.kafka.records import Deliveries, Record, Undeliverable
from rtour.server.kafka.trouble import Trouble
from rtour.server.requests import Requests

log = logging.getLogger("rtour.kafka")

_FIRST_RETRY_S = 0.2
_LAST_RETRY_S = 10.0


class Held(msgspec.Struct):
    """A record that holds back its partition, and why. `retry_at` is None once it was let go."""

    record: Record
    reason: str
    retry_s: float
    retry_at: float | None


class Reading(msgspec.Struct, frozen=True):
    """How a reader is doing. `state` is reading, failing or ended; `lag` is in records.

    `error` says what is wrong as a whole, `held` what holds back a partition.
    """

    subscription_id: str
    state: str
    error: str | None
    taken: int
    lag: dict[int, int]
    held: dict[int, str]


class Reader:
    """The reader of one subscription, while it stands."""

    def __init__(
        self,
        subscription: Subscription,
        open_client: Callable[[], Client],
        deliveries: Deliveries,
        requests: Requests,
    ) -> None:
        self._subscription = subscription
        self._open_client = open_client
        self._deliveries = deliveries
        self._requests = requests
        self._held: dict[int, Held] = {}
        self._last: dict[int, int] = {}  # the offset that was proposed last, by partition
        self._lag: dict[int, int] = {}
        self.taken: Counter[int] = Counter()  # records, by partition
        self._error: str | None = None
        self._trouble = Trouble(subscription)
        self._client: Client | None = None
        self._ended = False

    def reading(self) -> Reading:
        """How it goes, now."""
        complaint = None if self._client is None else self._client.complaint()
        error = self._error or complaint
        return Reading(
            self._subscription.id,
            "ended" if self._ended else "failing" if error else "reading",
            error,
            self.taken.total(),
            dict(sorted(self._lag.items())),
            {partition: held.reason for partition, held in sorted(self._held.items())},
        )

    async def run(self) -> None:
        """Read until cancelled, with a new consumer whenever one fails."""
        retry_s = _FIRST_RETRY_S
        while not self._ended:
            taken = self.taken.total()
            try:
                await self._read()
            except Exception as error:
                if not isinstance(error, RtourError):
                    log.exception("The reader of %s failed", self._subscription.source)
                retry_s = _FIRST_RETRY_S if self.taken.total() > taken else retry_s
                self._error = str(error)
                self._trouble.tell(self._error)
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, _LAST_RETRY_S)

    async def _read(self) -> None:
        """With one consumer, until it fails."""
        self._client = client = self._open_client()
        self._held.clear()
        self._last.clear()
        try:
            while not self._ended:
                if records := await client.poll():
                    await self._take(client, records)
                await self._retry_held(client)
                lags = await client.lags()
                self._lag = {one: lag for one, lag in lags.items() if lag is not None}
                self._look(client.complaint(), reads=bool(lags))
        finally:
            self._client = None
            await client.close()

    def _look(self, complaint: str | None, *, reads: bool) -> None:
        """What goes on: brokers that cannot be reached, or all well since there are partitions."""
        if complaint is not None:
            self._trouble.tell(complaint)
        elif reads:
            self._error = None
            self._trouble.over()

    async def _take(self, client: Client, records: list[Record]) -> None:
        """Make the records' invocations durable, then let Kafka know."""
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for partition, ordered in by_partition.items():
            held = self._held.get(partition)
            # What was fetched before the partition was held comes again once it is let go.
            if held is None or held.retry_at is None:
                await self._take_in_order(client, ordered)

    async def _take_in_order(self, client: Client, records: list[Record]) -> None:
        """Records of one partition, up to the first that cannot be delivered."""
        commands: list[Invoke] = []
        stuck: Undeliverable | None = None
        for record in records:
            after = self._last.get(record.partition, -1)
            try:
                commands.append(self._deliveries.invoke(record, after))
            except Undeliverable as error:
                stuck = error
                break
            self._last[record.partition] = record.offset
        deliveries = [self._deliver(command) for command in commands]
        for failure in await asyncio.gather(*deliveries, return_exceptions=True):
            if failure is not None:
                raise failure
        if commands and not self._ended:
            self.taken[records[0].partition] += len(commands)
            self._held.pop(records[0].partition, None)
            await client.taken(records[len(commands) - 1])
        if stuck is not None:
            await self._hold(client, records[len(commands)], stuck)

    async def _deliver(self, command: Invoke) -> None:
        """Wait until the invocation is durable, or known to be."""
        answer = await self._requests.ask(lambda number: replace(command, accept_request_id=number))
        if isinstance(answer, Accepted):
            return
        assert isinstance(answer, Outcome), f"a record was answered with {answer!r}"
        if answer.verdict is not Verdict.NOT_FOUND:
            raise KafkaFailed(answer.message)
        self._ended = True

    # --- records that hold back their partition --------------------------------------------------

    async def _hold(self, client: Client, record: Record, error: Undeliverable) -> None:
        before = self._held.get(record.partition)
        retry_s = _FIRST_RETRY_S
        if before is not None and before.record.offset == record.offset:
            retry_s = min(before.retry_s * 2, _LAST_RETRY_S)
        else:
            log.error(
                "The record at offset %d of %s/%d holds back its partition in subscription %s: %s",
                record.offset,
                record.topic,
                record.partition,
                self._subscription.id,
                error,
            )
        now = asyncio.get_running_loop().time()
        self._held[record.partition] = Held(record, str(error), retry_s, now + retry_s)
        await client.hold(record)

    async def _retry_held(self, client: Client) -> None:
        now = asyncio.get_running_loop().time()
        for partition, held in list(self._held.items()):
            if held.retry_at is not None and held.retry_at <= now:
                held.retry_at = None
                if not await client.release(held.record):
                    del self._held[partition]
