"""The engine's state as values: what is stored of an invocation, an object, a promise, a timer.

Everything is frozen: a change makes a new value. Instants end in `_at` and are milliseconds since
the epoch, taken from the record that caused them; durations end in `_ms`.
"""

from __future__ import annotations

import enum
from typing import Final, dataclass_transform

import msgspec

from rtour.protocol.messages import Failure, Future, Value

LATEST: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, which is never: dates and storages end somewhere, while
services and clients may ask for any number of 64 bits. Durations that long are as good.
"""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, frozen=True, gc=False):
    """An immutable value of the engine."""


class Status(enum.StrEnum):
    """Where a stored invocation is in its life (server-semantics.md §2.1)."""

    SCHEDULED = "scheduled"
    INBOXED = "inboxed"
    INVOKED = "invoked"
    SUSPENDED = "suspended"
    PAUSED = "paused"
    COMPLETED = "completed"


LIVE = frozenset({Status.INVOKED, Status.SUSPENDED, Status.PAUSED})
WAITING = frozenset({Status.SCHEDULED, Status.INBOXED})


class ServiceType(enum.StrEnum):
    SERVICE = "service"
    VIRTUAL_OBJECT = "virtual_object"
    WORKFLOW = "workflow"


class HandlerType(enum.StrEnum):
    """How a handler of a keyed service runs; a plain service's handlers have none."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"
    WORKFLOW = "workflow"


class Target(Struct):
    """What is invoked. `key` is None for plain services, and only for them."""

    service: str
    handler: str
    key: str | None = None
    service_type: ServiceType = ServiceType.SERVICE
    handler_type: HandlerType | None = None

    @property
    def takes_lock(self) -> bool:
        """One at a time per object: exclusive handlers of virtual objects."""
        return self.handler_type is HandlerType.EXCLUSIVE

    @property
    def is_workflow_run(self) -> bool:
        return self.handler_type is HandlerType.WORKFLOW

    @property
    def may_write_state(self) -> bool:
        return self.takes_lock or self.is_workflow_run

    def __str__(self) -> str:
        """`Service/handler` or `Object/key/handler`, the key as it is."""
        if self.key is None:
            return f"{self.service}/{self.handler}"
        return f"{self.service}/{self.key}/{self.handler}"


# --- where an invocation came from ---------------------------------------------------------------


class FromIngress(Struct, tag="ingress"):
    """A client's HTTP request."""


class FromService(Struct, tag="service"):
    """A call or send by another invocation."""

    id: str
    target: Target


class FromSubscription(Struct, tag="subscription"):
    """A Kafka record."""

    id: str


class FromRestart(Struct, tag="restart_as_new"):
    """A copy of a finished invocation."""

    id: str


Source = FromIngress | FromService | FromSubscription | FromRestart


# --- who waits for its end -----------------------------------------------------------------------


class CallerSink(Struct, tag_field="sink", tag="caller"):
    """Another invocation's journal: a notification of `type` with `completion_id` goes there.

    `number` is the waiting invocation's: a later one with the same id gets nothing.
    """

    id: str
    number: int
    completion_id: int
    type: int


class RequestSink(Struct, tag_field="sink", tag="request"):
    """A request at the ingress; gone if the server restarts, the client then asks again."""

    request_id: int


Sink = CallerSink | RequestSink


class Trace(Struct):
    """W3C trace context as received."""

    parent: str
    state: str = ""


class Invocation(Struct, omit_defaults=True):
    """Everything stored of one invocation but its journal.

    `number` is the sequence of the record that made it: unique even if an id is used again, and
    the order of rows on disk. `attempt` is the number of the attempt whose reports count. `sinks`
    are the first few who wait for the end; others have rows of their own (`waiting`).
    `commands` counts the command entries of `journal_length` entries. `awaiting` is what a
    suspended one waits for, without the parts that came already.
    """

    id: str
    number: int
    target: Target
    status: Status
    source: Source
    created_at: int
    modified_at: int
    completion_retention_ms: int = 0
    journal_retention_ms: int = 0
    idempotency_key: str | None = None
    sinks: tuple[Sink, ...] = ()
    trace: Trace | None = None
    attempt: int = 0
    journal_length: int = 0
    commands: int = 0
    output_index: int | None = None
    deployment_id: str | None = None
    protocol_version: int | None = None
    awaiting: Future | None = None
    pause_requested: bool = False
    inbox_sequence: int | None = None
    scheduled_start_at: int | None = None
    scheduled_at: int | None = None
    inboxed_at: int | None = None
    running_at: int | None = None
    completed_at: int | None = None
    result: Value | Failure | None = None

    @property
    def expires_at(self) -> int | None:
        """When the stored result may be forgotten; None while it runs."""
        if self.completed_at is None:
            return None
        return self.completed_at + self.completion_retention_ms

    @property
    def journal_expires_at(self) -> int | None:
        """When the journal may be forgotten, if earlier than the result; None otherwise."""
        if self.completed_at is None or self.journal_length == 0:
            return None
        if self.journal_retention_ms >= self.completion_retention_ms:
            return None
        return self.completed_at + self.journal_retention_ms


class Entry(Struct):
    """One journal item: a command or a notification, as the bytes that went over the wire.

    `type` is the message type code, `raw` the payload without its frame header, `callee` the id of
    the invocation that a call or send made.
    """

    index: int
    type: int
    raw: bytes
    appended_at: int
    callee: str | None = None

    @property
    def is_command(self) -> bool:
        return self.type < 0x8000


class EventType(enum.StrEnum):
    TRANSIENT_ERROR = "TransientError"
    PAUSED = "Paused"


class AttemptError(Struct):
    """Why an attempt failed, as kept in events and shown to people.

    `code` is the HTTP-like code of the SDK's error, `doc_code` Restate's (`RT0007`).
    """

    code: int
    message: str
    stacktrace: str = ""
    doc_code: str | None = None
    related_command_index: int | None = None
    related_command_name: str | None = None
    related_command_type: int | None = None


class Event(Struct):
    """Something that happened to an invocation beside its journal, after entry `after_index`."""

    type: EventType
    after_index: int
    appended_at: int
    error: AttemptError | None = None


class StatePatch(Struct):
    """A replacement of all state of one object, queued behind its lock.

    Applied only if `version` is None or still the version of the stored state.
    """

    entries: dict[bytes, bytes]
    version: str | None = None


class Place(Struct):
    """Where the cause of an invocation stands in a source that may give it again.

    `source` names a stream of the subscription's (consumer group, topic and partition), in which
    offsets only grow. `after` is the offset that must have been taken before this one.
    """

    subscription: str
    source: str
    offset: int
    after: int = -1


class InboxItem(Struct):
    """What waits for an object's lock: an invocation, or a state patch."""

    sequence: int
    invocation_id: str | None = None
    patch: StatePatch | None = None


class Promise(Struct):
    """A workflow's durable promise: open with waiters, or completed with a result."""

    result: Value | Failure | None = None
    waiters: tuple[CallerSink, ...] = ()


class Telling(Struct):
    """The result of an ended invocation, while some who waited for it are still to be told."""

    id: str
    number: int
    result: Value | Failure


class TimerKind(enum.IntEnum):
    SLEEP = 0
    START = 1


class Timer(Struct, order=True):
    """Something due at `at` for the invocation with this id and number.

    `completion_id` names the sleep entry to complete. The number keeps a timer of a purged
    invocation from firing into a later one with the same id.
    """

    at: int
    number: int
    completion_id: int
    kind: TimerKind
    invocation_id: str


class DocumentKind(enum.StrEnum):
    """Stored JSON documents that are no part of an invocation's life."""

    DEPLOYMENT = "deployment"
    SERVICE = "service"
    KAFKA_CLUSTER = "kafka_cluster"
    SUBSCRIPTION = "subscription"
    SUBSCRIPTION_PLACES = "subscription_places"
    RULE = "rule"
    CLOCK = "clock"
