"""A consumer of librdkafka, on a thread of its own, with the few things that readers ask of it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from rtour.errors import RtourError
from rtour.server.kafka.catalog import BROKERS
from rtour.server.kafka.records import Record

_librdkafka = logging.getLogger("rtour.kafka.librdkafka")

_T = TypeVar("_T")
# Few enough to be one batch of the log, many enough to share its fsync.
RECORDS_MAX = 256
# How long a poll waits for the first record: as long as it takes to stop.
_POLL_S = 0.5
_CLOSE_S = 5.0
# What librdkafka fetches ahead, unless the properties say otherwise; its own default is 64 MB.
_FETCHED_AHEAD = {"queued.max.messages.kbytes": "16384"}
# What librdkafka adds to its words, and what differs each time they are said.
_TRIES: Final = ("FAIL ", "REQTMOUT ")
_ADDED: Final = re.compile(r" \(after \d+ms in state [^)]*\)$")


class KafkaFailed(RtourError):  # noqa: N818 - reads as the fact it reports
    """The consumer cannot go on as it is; a new one may."""


class Client(Protocol):
    """What a reader needs of Kafka. One call at a time."""

    async def poll(self) -> list[Record]:
        """The next records, in order per partition; none after a while. Raises KafkaFailed."""

    async def taken(self, record: Record) -> None:
        """All up to this record of its partition need not be read again."""

    async def hold(self, record: Record) -> None:
        """Read its partition no further; this record is the next."""

    async def release(self, record: Record) -> bool:
        """Go on with the partition of a held record, with that record; false if it is not ours."""

    async def lags(self) -> dict[int, int | None]:
        """How many records each assigned partition has beyond those that were read, if known."""

    def complaint(self) -> str | None:
        """What librdkafka said that keeps it from its brokers, until they answer again."""

    async def close(self) -> None:
        """Commit what was taken, and leave the group."""


class RdKafkaClient:
    """`Client` over confluent-kafka. Raises KafkaFailed if it cannot be made."""

    def __init__(self, properties: Mapping[str, str], topic: str) -> None:
        try:
            import confluent_kafka  # noqa: PLC0415 - an extra, and only those who subscribe need it
        except ImportError as error:
            raise KafkaFailed(
                "Kafka needs the extra: pip install 'rtour[kafka]', then start the server again"
            ) from error
        self._kafka = confluent_kafka
        self._topic = topic
        self._brokers = next(filter(None, map(properties.get, BROKERS)), "the cluster")
        self._complaint: str | None = None
        self._read: dict[int, int] = {}
        settings: dict[str, Any] = {
            **_FETCHED_AHEAD,
            **properties,
            "error_cb": self._complained,
            "logger": _librdkafka,
        }
        try:
            self._consumer = confluent_kafka.Consumer(settings)
            self._consumer.subscribe([topic], on_assign=self._assigned)
        except (confluent_kafka.KafkaException, ValueError, TypeError) as error:
            raise KafkaFailed(_words(error)) from error
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rtour-kafka")

    async def poll(self) -> list[Record]:
        return await self._call(self._poll)

    def _poll(self) -> list[Record]:
        first = self._consumer.poll(_POLL_S)
        if first is None:
            self._ask_brokers()
            return []
        return list(self._records([first, *self._consumer.consume(RECORDS_MAX - 1, 0)]))

    def _records(self, messages: Iterable[Any]) -> Iterable[Record]:
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaFailed(error.str())
            self._complaint = None
            kind, timestamp = message.timestamp()
            known = kind != self._kafka.TIMESTAMP_NOT_AVAILABLE
            partition, offset = message.partition(), message.offset()
            self._read[partition] = offset + 1
            yield Record(
                message.topic(),
                partition,
                offset,
                message.key(),
                message.value(),
                timestamp if known else None,
            )

    def _assigned(self, _consumer: Any, places: list[Any]) -> None:
        """What was read of these partitions is what their group took."""
        try:
            known = self._consumer.committed(places, timeout=_POLL_S)
        except self._kafka.KafkaException:  # then it is known from the first record on
            known = []
        for place in places:
            self._read.pop(place.partition, None)
        self._read.update({place.partition: place.offset for place in known if place.offset >= 0})

    async def taken(self, record: Record) -> None:
        # The offset of the next one; a partition that was taken from us meanwhile is another's.
        await self._call(self._unless_lost, self._store, self._after(record, 1))

    def _store(self, place: Any) -> None:
        self._consumer.store_offsets(offsets=[place])

    async def hold(self, record: Record) -> None:
        await self._call(self._unless_lost, self._pause, self._after(record, 0))

    def _pause(self, place: Any) -> None:
        self._consumer.pause([place])
        self._consumer.seek(place)
        self._read[place.partition] = place.offset

    async def release(self, record: Record) -> bool:
        return await self._call(self._unless_lost, self._resume, self._after(record, 0))

    def _resume(self, place: Any) -> None:
        self._consumer.seek(place)
        self._consumer.resume([place])

    def _after(self, record: Record, step: int) -> Any:
        return self._kafka.TopicPartition(record.topic, record.partition, record.offset + step)

    def _unless_lost(self, act: Callable[[Any], None], place: Any) -> bool:
        assigned = {(each.topic, each.partition) for each in self._consumer.assignment()}
        if (place.topic, place.partition) not in assigned:
            return False
        act(place)
        return True

    async def lags(self) -> dict[int, int | None]:
        return await self._call(self._lags)

    def _lags(self) -> dict[int, int | None]:
        return {place.partition: self._lag(place) for place in self._consumer.assignment()}

    def _lag(self, place: Any) -> int | None:
        read = self._read.get(place.partition)
        known = self._consumer.get_watermark_offsets(place, cached=True)
        if read is None or known is None or known[1] < 0:  # nothing was fetched yet
            return None
        return max(0, int(known[1]) - read)

    # --- complaints ------------------------------------------------------------------------------

    def complaint(self) -> str | None:
        return self._complaint

    def _complained(self, error: Any) -> None:
        if error.name() != "_ALL_BROKERS_DOWN":
            self._complaint = _ADDED.sub("", error.str())
        elif self._complaint is None:  # what was said of one of them says more
            self._complaint = f"no broker of {self._brokers} answers ({error.str()})"

    def _ask_brokers(self) -> None:
        """After a complaint: do they answer again? There may be no record for long to show it."""
        if self._complaint is not None:
            try:
                self._consumer.list_topics(timeout=_POLL_S)
            except self._kafka.KafkaException:
                return
            self._complaint = None

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._call(self._consumer.close)
        except (TimeoutError, KafkaFailed):
            _librdkafka.warning("A consumer of %s did not leave its group in time", self._topic)
        finally:
            self._thread.shutdown(wait=False)

    async def _call(self, act: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, act, *arguments)
        except (self._kafka.KafkaException, RuntimeError) as error:
            raise KafkaFailed(_words(error)) from error


def _unless_repeated(line: logging.LogRecord) -> bool:
    """Each try that fails is a line, or two; readers tell what is wrong, once."""
    if line.getMessage().startswith(_TRIES):
        line.levelno, line.levelname = logging.DEBUG, "DEBUG"
        return _librdkafka.isEnabledFor(logging.DEBUG)
    return True


_librdkafka.addFilter(_unless_repeated)


def _words(error: BaseException) -> str:
    """What librdkafka says, without its numbers."""
    told = error.args[0] if error.args else error
    return str(told.str()) if hasattr(told, "str") else str(told)
