"""Engine values to rows and back: the only place that knows both.

Rows to be written hold `ABSENT` for NULL and bytearrays for blobs. For a None or bytes, `sqlite3`
looks for an adapter before it binds them, which takes ten times as long as the binding: half the
time of storing an invocation, whose columns are mostly NULL. The statements turn `ABSENT` back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rtour.engine.model import (
    CallerSink,
    Entry,
    Event,
    FromIngress,
    FromRestart,
    FromService,
    FromSubscription,
    HandlerType,
    InboxItem,
    Invocation,
    Promise,
    RequestSink,
    ServiceType,
    Sink,
    Source,
    StatePatch,
    Status,
    Target,
    Telling,
    Timer,
    TimerKind,
    Trace,
)
from rtour.protocol.messages import Failure, Value
from rtour.storage import futures

Row = tuple[Any, ...]

ABSENT = -1
"""No column holds it: numbers are not negative, and texts and blobs never equal a number."""

_json = msgspec.json.Encoder().encode
_sinks = msgspec.json.Decoder(tuple[Sink, ...])
_waiters = msgspec.json.Decoder(tuple[CallerSink, ...])
_metadata = msgspec.json.Decoder(tuple[tuple[str, str], ...])
_target = msgspec.json.Decoder(Target)
_pack_patch = msgspec.msgpack.Encoder().encode
_unpack_patch = msgspec.msgpack.Decoder(StatePatch)

# Looking a value up costs a fifth of calling the enum.
_STATUS = {status.value: status for status in Status}
_SERVICE_TYPE = {kind.value: kind for kind in ServiceType}
_HANDLER_TYPE: dict[str | None, HandlerType | None] = {
    None: None,
    **{kind.value: kind for kind in HandlerType},
}
_TIMER_KIND = {kind.value: kind for kind in TimerKind}

RESULT_COLUMNS = ("failure_code", "failure_message", "failure_metadata", "success")

BORN_COLUMNS = (
    "number",
    "id",
    "target_service",
    "target_key",
    "target_handler",
    "service_type",
    "handler_type",
    "source",
    "source_id",
    "source_target",
    "idempotency_key",
    "created_at",
    "completion_retention_ms",
    "journal_retention_ms",
    "trace_parent",
    "trace_state",
)
"""Written once: the engine never changes these of an invocation."""

GROWN_COLUMNS = (
    "status",
    "modified_at",
    "attempt",
    "journal_length",
    "commands",
    "output_index",
    "deployment_id",
    "protocol_version",
    "pause_requested",
    "inbox_sequence",
    "scheduled_start_at",
    "scheduled_at",
    "inboxed_at",
    "running_at",
    "completed_at",
    "expires_at",
    "awaiting",
    "sinks",
    *RESULT_COLUMNS,
)
"""Written again with every change of the invocation."""

NULLABLE = frozenset(
    {
        "target_key",
        "handler_type",
        "source_id",
        "source_target",
        "idempotency_key",
        "trace_parent",
        "trace_state",
        "output_index",
        "deployment_id",
        "protocol_version",
        "inbox_sequence",
        "scheduled_start_at",
        "scheduled_at",
        "inboxed_at",
        "running_at",
        "completed_at",
        "expires_at",
        "awaiting",
        "sinks",
        "callee",
        "error",
        "invocation_id",
        "patch",
        "waiters",
        *RESULT_COLUMNS,
    }
)
"""Columns that may be NULL, of all tables."""

ENTRY_COLUMNS = ("idx", "type", "appended_at", "callee", "raw")
WAITER_COLUMNS = ("number", "waiter", "completion_id", "type", "invocation_id")
TELLING_COLUMNS = ("number", "id", *RESULT_COLUMNS)
PROMISE_COLUMNS = ("waiters", *RESULT_COLUMNS)
TIMER_COLUMNS = ("at", "number", "completion_id", "kind", "invocation_id")


def _text(value: object) -> str:
    return _json(value).decode()


def _text_or_absent(values: tuple[object, ...]) -> str | int:
    return _json(values).decode() if values else ABSENT


def _or_absent(value: str | int | None) -> str | int:
    return ABSENT if value is None else value


def _result(result: Value | Failure | None) -> Row:
    if result is None:
        return (ABSENT, ABSENT, ABSENT, ABSENT)
    if type(result) is Value:
        return (ABSENT, ABSENT, ABSENT, bytearray(result.content))
    assert type(result) is Failure
    return (result.code, result.message, _text_or_absent(result.metadata), ABSENT)


def _read_result(
    code: int | None, message: str | None, metadata: str | None, success: bytes | None
) -> Value | Failure | None:
    if success is not None:
        return Value(success)
    if code is None or message is None:
        return None
    return Failure(code, message, _metadata.decode(metadata) if metadata else ())


def _source(source: Source) -> Row:
    match source:
        case FromIngress():
            return ("ingress", ABSENT, ABSENT)
        case FromService(id_, target):
            return ("service", id_, _text(target))
        case FromSubscription(id_):
            return ("subscription", id_, ABSENT)
        case FromRestart(id_):
            return ("restart_as_new", id_, ABSENT)


_INGRESS = FromIngress()


def _read_source(source: str, id_: str | None, target: str | None) -> Source:
    if source == "ingress":
        return _INGRESS
    assert id_ is not None
    if source == "service":
        assert target is not None
        return FromService(id_, _target.decode(target))
    if source == "subscription":
        return FromSubscription(id_)
    assert source == "restart_as_new", source
    return FromRestart(id_)


def born(invocation: Invocation) -> Row:
    """`BORN_COLUMNS` of the invocation."""
    target = invocation.target
    trace = invocation.trace
    handler_type = target.handler_type
    return (
        invocation.number,
        invocation.id,
        target.service,
        _or_absent(target.key),
        target.handler,
        target.service_type._value_,
        ABSENT if handler_type is None else handler_type._value_,
        *_source(invocation.source),
        _or_absent(invocation.idempotency_key),
        invocation.created_at,
        invocation.completion_retention_ms,
        invocation.journal_retention_ms,
        ABSENT if trace is None else trace.parent,
        ABSENT if trace is None else trace.state,
    )


def grown(invocation: Invocation) -> Row:
    """`GROWN_COLUMNS` of the invocation."""
    awaiting = invocation.awaiting
    return (
        invocation.status._value_,
        invocation.modified_at,
        invocation.attempt,
        invocation.journal_length,
        invocation.commands,
        _or_absent(invocation.output_index),
        _or_absent(invocation.deployment_id),
        _or_absent(invocation.protocol_version),
        1 if invocation.pause_requested else 0,
        _or_absent(invocation.inbox_sequence),
        _or_absent(invocation.scheduled_start_at),
        _or_absent(invocation.scheduled_at),
        _or_absent(invocation.inboxed_at),
        _or_absent(invocation.running_at),
        _or_absent(invocation.completed_at),
        _or_absent(next_expiry(invocation)),
        ABSENT if awaiting is None else futures.to_text(awaiting),
        _text_or_absent(invocation.sinks),
        *_result(invocation.result),
    )


def next_expiry(invocation: Invocation) -> int | None:
    """When the cleaner next has something to forget of it: the journal, then all."""
    journal = invocation.journal_expires_at
    return invocation.expires_at if journal is None else journal


def read_invocation(row: Row) -> Invocation:
    """The invocation of `(*BORN_COLUMNS, *GROWN_COLUMNS)`."""
    awaiting, sinks = row[32], row[33]
    return Invocation(
        id=row[1],
        number=row[0],
        target=Target(row[2], row[4], row[3], _SERVICE_TYPE[row[5]], _HANDLER_TYPE[row[6]]),
        status=_STATUS[row[16]],
        source=_read_source(row[7], row[8], row[9]),
        created_at=row[11],
        modified_at=row[17],
        completion_retention_ms=row[12],
        journal_retention_ms=row[13],
        idempotency_key=row[10],
        sinks=_sinks.decode(sinks) if sinks else (),
        trace=None if row[14] is None else Trace(row[14], row[15]),
        attempt=row[18],
        journal_length=row[19],
        commands=row[20],
        output_index=row[21],
        deployment_id=row[22],
        protocol_version=row[23],
        awaiting=futures.from_text(awaiting) if awaiting else None,
        pause_requested=bool(row[24]),
        inbox_sequence=row[25],
        scheduled_start_at=row[26],
        scheduled_at=row[27],
        inboxed_at=row[28],
        running_at=row[29],
        completed_at=row[30],
        result=_read_result(row[34], row[35], row[36], row[37]),
    )


def entry(value: Entry) -> Row:
    """`ENTRY_COLUMNS` of the entry."""
    return (
        value.index,
        int(value.type),
        value.appended_at,
        _or_absent(value.callee),
        bytearray(value.raw),
    )


def read_entry(row: Row) -> Entry:
    index, type_, appended_at, callee, raw = row
    return Entry(index, type_, raw, appended_at, callee)


def event(value: Event) -> Row:
    """type, after_index, appended_at, error."""
    error = ABSENT if value.error is None else _text(value.error)
    return (value.type._value_, value.after_index, value.appended_at, error)


def inbox_item(value: InboxItem) -> Row:
    """sequence, invocation_id, patch."""
    patch = ABSENT if value.patch is None else bytearray(_pack_patch(value.patch))
    return (value.sequence, _or_absent(value.invocation_id), patch)


def read_inbox_item(row: Row) -> InboxItem:
    sequence, invocation_id, patch = row
    return InboxItem(
        sequence, invocation_id, None if patch is None else _unpack_patch.decode(patch)
    )


def promise(value: Promise) -> Row:
    """`PROMISE_COLUMNS` of the promise."""
    return (_text_or_absent(value.waiters), *_result(value.result))


def read_promise(row: Row) -> Promise:
    waiters, *result = row
    return Promise(_read_result(*result), _waiters.decode(waiters) if waiters else ())


def waiter(number: int, sink: Sink) -> Row:
    """`WAITER_COLUMNS` of one who waits for the invocation with this number.

    A request has no completion, and no type of one.
    """
    if isinstance(sink, RequestSink):
        return (number, sink.request_id, 0, 0, ABSENT)
    return (number, sink.number, sink.completion_id, int(sink.type), sink.id)


def place_of_waiter(sink: Sink) -> Row:
    """By which those who wait for an invocation are in order."""
    return waiter(0, sink)[1:4]


def read_waiter(row: Row) -> Sink:
    _, waiter, completion_id, type_, invocation_id = row
    if invocation_id is None:
        return RequestSink(waiter)
    return CallerSink(invocation_id, waiter, completion_id, type_)


def telling(value: Telling) -> Row:
    """`TELLING_COLUMNS` of the telling."""
    return (value.number, value.id, *_result(value.result))


def read_telling(row: Row) -> Telling:
    number, id_, *columns = row
    result = _read_result(*columns)
    assert result is not None, "there is something to tell"
    return Telling(id_, number, result)


def timer(value: Timer) -> Row:
    """`TIMER_COLUMNS` of the timer."""
    return (value.at, value.number, value.completion_id, value.kind._value_, value.invocation_id)


def read_timer(row: Row) -> Timer:
    at, number, completion_id, kind, invocation_id = row
    return Timer(at, number, completion_id, _TIMER_KIND[kind], invocation_id)
