"""The tables of invocations: what is stored, what the invoker knows, and both side by side."""

from __future__ import annotations

from msgspec.structs import replace

from rtour.engine.model import Struct
from rtour.storage.introspection.columns import Column, Table, partition_key


class LiveAttempt(Struct):
    """What the invoker remembers of an invocation that runs or waits for its next attempt.

    One row of `sys_invocation_state`. `last_failure` reads `[500 Internal] message` and the stack
    trace; a command type reads as in `sys_journal`, `Run`.
    """

    id: str
    in_flight: bool
    retry_count: int
    last_start_at: int | None = None
    last_attempt_deployment_id: str | None = None
    last_attempt_server: str | None = None
    next_retry_at: int | None = None
    last_failure: str | None = None
    last_failure_error_code: str | None = None
    last_failure_related_command_index: int | None = None
    last_failure_related_command_name: str | None = None
    last_failure_related_command_type: str | None = None
    last_failure_related_entry_index: int | None = None
    last_failure_related_entry_name: str | None = None
    last_failure_related_entry_type: str | None = None
    last_awaiting_on_future_json: str | None = None


_LIVE_FIELDS = LiveAttempt.__struct_fields__
LIVE_TABLE = (
    "CREATE TEMP TABLE live_attempt "
    f"(id TEXT PRIMARY KEY, {', '.join(_LIVE_FIELDS[1:])}) WITHOUT ROWID"
)
FILL_LIVE = f"INSERT INTO temp.live_attempt VALUES ({', '.join('?' * len(_LIVE_FIELDS))})"  # noqa: S608


def _target(service: str, key: str, handler: str) -> str:
    return f"{service} || '/' || coalesce({key} || '/', '') || {handler}"


def _when(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


def _of_caller(field: str) -> str:
    return f"json_extract(i.source_target, '$.{field}')"


def failure(alias: str) -> str:
    """`[409] killed`, NULL without a failure."""
    return f"'[' || {alias}.failure_code || '] ' || {alias}.failure_message"


_SUSPENDED = "i.status = 'suspended'"

_ID = Column("id", "text", "The invocation's id.", "i.id")
_VQUEUE = Column("vqueue_id", "text", "Its queue, with flow control.")
_RESULT = (
    Column(
        "completion_result",
        "text",
        "How it ended: `success` or `failure`; NULL while it has not.",
        _when("i.status = 'completed'", "iif(i.failure_code IS NULL, 'success', 'failure')"),
    ),
    Column(
        "completion_failure",
        "text",
        "The failure it ended with, as `[code] message`.",
        failure("i"),
    ),
)
_IDENTITY = (
    Column(
        "target",
        "text",
        "What was called: `Service/handler` or `Object/key/handler`.",
        _target("i.target_service", "i.target_key", "i.target_handler"),
    ),
    Column("target_service_name", "text", "The called service.", "i.target_service"),
    Column("target_service_key", "text", "The object's or workflow's key.", "i.target_key"),
    Column("target_handler_name", "text", "The called handler.", "i.target_handler"),
    Column(
        "target_service_ty",
        "text",
        "`service`, `virtual_object` or `workflow`.",
        "i.service_type",
    ),
    Column("scope", "text", "The scope it was called in; set by flow control alone."),
    Column("limit_key", "text", "The limit it counts against; set by flow control alone."),
    Column(
        "idempotency_key",
        "text",
        "The caller's key, or the one made for a call without.",
        "i.idempotency_key",
    ),
    Column(
        "invoked_by",
        "text",
        "`ingress`, `service`, `subscription` or `restart_as_new`.",
        "i.source",
    ),
    Column("invoked_by_service_name", "text", "The calling service.", _of_caller("service")),
    Column(
        "invoked_by_id",
        "text",
        "The calling invocation.",
        _when("i.source = 'service'", "i.source_id"),
    ),
    Column(
        "invoked_by_subscription_id",
        "text",
        "The Kafka subscription whose record started it.",
        _when("i.source = 'subscription'", "i.source_id"),
    ),
    Column(
        "invoked_by_target",
        "text",
        "What the calling invocation itself was a call of.",
        _target(_of_caller("service"), _of_caller("key"), _of_caller("handler")),
    ),
    Column(
        "restarted_from",
        "text",
        "The finished invocation that this one repeats.",
        _when("i.source = 'restart_as_new'", "i.source_id"),
    ),
    Column(
        "pinned_deployment_id",
        "text",
        "The deployment it stays on, known from its first stored entry on.",
        "i.deployment_id",
    ),
    Column(
        "pinned_service_protocol_version",
        "u32",
        "The protocol version it stays on.",
        "i.protocol_version",
    ),
    Column(
        "trace_id",
        "text",
        "The W3C trace that it belongs to.",
        "substr(i.trace_parent, 4, 32)",
    ),
)
_PROGRESS = (
    Column("journal_size", "u32", "Entries in its journal.", "i.journal_length"),
    Column("journal_commands_size", "u32", "Command entries in its journal.", "i.commands"),
    Column("created_at", "timestamp", "When it was accepted.", "i.created_at"),
    Column(
        "created_using_restate_version", "text", "The server version that accepted it; not kept."
    ),
    Column("modified_at", "timestamp", "When its status or journal last changed.", "i.modified_at"),
    Column("inboxed_at", "timestamp", "When it began to wait for its object.", "i.inboxed_at"),
    Column("scheduled_at", "timestamp", "When it was scheduled.", "i.scheduled_at"),
    Column(
        "scheduled_start_at",
        "timestamp",
        "When it was asked to start, for delayed calls.",
        "i.scheduled_start_at",
    ),
    Column("running_at", "timestamp", "When it first started to run.", "i.running_at"),
    Column("completed_at", "timestamp", "When it ended.", "i.completed_at"),
    Column(
        "completion_retention",
        "duration",
        "How long its result is kept after the end.",
        "i.completion_retention_ms",
    ),
    Column(
        "journal_retention",
        "duration",
        "How long its journal is kept after the end.",
        "i.journal_retention_ms",
    ),
    Column(
        "suspended_waiting_for_completions",
        "list<u32>",
        "The completions that it waits for beside what is combined within.",
        _when(_SUSPENDED, "rtour_awaited_completions(i.awaiting)"),
    ),
    Column(
        "suspended_waiting_for_signals",
        "list<u32>",
        "The signals that it waits for beside what is combined within; awakeables count from 17.",
        _when(_SUSPENDED, "rtour_awaited_signals(i.awaiting)"),
    ),
    Column(
        "suspended_waiting_future_json",
        "text",
        "The tree of all that it waits for.",
        _when(_SUSPENDED, "rtour_awaited_tree(i.awaiting, i.protocol_version)"),
    ),
)


def _live(name: str, type_: str, doc: str) -> Column:
    return Column(name, type_, doc, f"l.{name}")  # type: ignore[arg-type]


_LIVE = (
    _live("retry_count", "u64", "Attempts begun since it was last started; 1 during the first."),
    _live("last_start_at", "timestamp", "When the latest attempt began."),
    _live("next_retry_at", "timestamp", "When the next attempt begins, while it backs off."),
    _live("last_attempt_deployment_id", "text", "The deployment of the latest attempt."),
    _live("last_attempt_server", "text", "The SDK and version that answered the latest attempt."),
    _live("last_failure", "text", "Why the latest failed attempt failed."),
    _live("last_failure_error_code", "text", "Restate's code of that failure, such as RT0007."),
    _live("last_failure_related_entry_index", "u64", "Deprecated, see the related command."),
    _live("last_failure_related_entry_name", "text", "Deprecated, see the related command."),
    _live("last_failure_related_entry_type", "text", "Deprecated, see the related command."),
    _live("last_failure_related_command_index", "u64", "The command at which it failed."),
    _live("last_failure_related_command_name", "text", "The name of that command."),
    _live("last_failure_related_command_type", "text", "The type of that command."),
    _live("last_awaiting_on_future_json", "text", "What the running attempt last waited for."),
)
_SHOWN_STATUS = Column(
    "status",
    "text",
    "`scheduled`, `pending`, `ready`, `running`, `backing-off`, `suspended`, `paused` or "
    "`completed`.",
    "CASE i.status WHEN 'inboxed' THEN 'pending' WHEN 'invoked' THEN "
    "CASE WHEN l.in_flight THEN 'running' WHEN l.retry_count > 0 THEN 'backing-off' "
    "ELSE 'ready' END ELSE i.status END",
)
_STORED_STATUS = Column(
    "status",
    "text",
    "`scheduled`, `inboxed`, `invoked`, `suspended`, `paused` or `completed`.",
    "i.status",
)

SYS_INVOCATION = Table(
    "sys_invocation",
    "Every invocation that is known: accepted and not yet forgotten.",
    (_ID, _VQUEUE, *_IDENTITY, *_PROGRESS, *_LIVE, _SHOWN_STATUS, *_RESULT),
    (("FROM main.invocation i LEFT JOIN temp.live_attempt l ON l.id = i.id", {}),),
)

# Finished invocations are many and living ones few. As a source of their own, the living ones are
# found by their index, and a condition on the status rules out the other source before any of its
# rows is read. But SQLite counts and sorts two sources ten times as slowly as one.
_LIVING = (
    "FROM main.invocation i LEFT JOIN temp.live_attempt l ON l.id = i.id "
    "WHERE i.status != 'completed'"
)
_FINISHED: dict[str, str] = {
    "status": "'completed'",
    **{column.name: "NULL" for column in (*_LIVE, *_PROGRESS[-3:])},
}
SYS_INVOCATION_BY_STATUS = replace(
    SYS_INVOCATION,
    sources=(
        (_LIVING, {}),
        ("FROM main.invocation i WHERE i.status = 'completed'", _FINISHED),
    ),
)
"""The same rows as `SYS_INVOCATION`, for queries with a condition on the status."""

SYS_INVOCATION_STATUS = Table(
    "sys_invocation_status",
    "The stored half of `sys_invocation`.",
    (
        partition_key("rtour_partition_of_id(i.id)"),
        _ID,
        _VQUEUE,
        _STORED_STATUS,
        *_RESULT,
        *_IDENTITY,
        *_PROGRESS,
    ),
    (("FROM main.invocation i", {}),),
)
SYS_INVOCATION_STATE = Table(
    "sys_invocation_state",
    "The half of `sys_invocation` that lives in the invoker's memory: what runs or backs off.",
    (
        partition_key("rtour_partition_of_id(l.id)"),
        Column("id", "text", "The invocation's id.", "l.id"),
        _live("in_flight", "bool", "Whether an attempt is running."),
        *_LIVE,
    ),
    (("FROM temp.live_attempt l", {}),),
)

INVOCATION_TABLES = (SYS_INVOCATION, SYS_INVOCATION_STATUS, SYS_INVOCATION_STATE)
