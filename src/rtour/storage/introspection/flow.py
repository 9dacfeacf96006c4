"""The tables of Restate's experimental flow control, which is off by default: always empty here."""

from __future__ import annotations

from rtour.storage.introspection.columns import Column, Table, Type, partition_key

_DOC = "Known with flow control alone."


def _columns(type_: Type, names: str) -> tuple[Column, ...]:
    return tuple(Column(name, type_, _DOC) for name in names.split())


_BLOCKERS = [
    "invoker_concurrency",
    "throttling_rules",
    "invoker_throttling",
    "invoker_memory",
    "concurrency_rules",
    "lock",
    "deployment_concurrency",
]
_TALLY = _columns("u32", "num_attempts num_errors num_pauses num_suspensions num_yields")
_MOMENTS = _columns("timestamp", "first_attempt_at latest_attempt_at first_runnable_at")

FLOW_TABLES = (
    Table(
        "sys_locks",
        "Locks of objects under flow control; others are in `sys_keyed_service_status`.",
        (
            partition_key("NULL"),
            *_columns("text", "scope lock_name"),
            *_columns("timestamp", "acquired_at"),
            *_columns("text", "acquired_by"),
        ),
    ),
    Table(
        "sys_user_limits",
        "How much of each limit is used.",
        (
            partition_key("NULL"),
            *_columns("text", "scope l1 l2 level"),
            *_columns("u32", "usage concurrency_limit"),
            *_columns("text", "rule_pattern"),
            *_columns("u32", "available"),
            *_columns("u64", "num_waiters"),
        ),
    ),
    Table(
        "sys_scheduler",
        "What the head of each queue waits for.",
        (
            partition_key("NULL"),
            *_columns("text", "id"),
            *_columns("u64", "num_inbox"),
            *_columns("text", "status head_entry_id"),
            *_columns("timestamp", "scheduled_at"),
            *_columns("text", "blocked_on blocked_on_json"),
            *_columns("duration", " ".join(f"{name}_block_duration" for name in _BLOCKERS)),
        ),
    ),
    Table(
        "sys_vqueues",
        "What waits in queues.",
        (
            partition_key("NULL"),
            *_columns("text", "id stage status"),
            *_columns("bool", "has_lock"),
            *_columns("timestamp", "run_at"),
            *_columns("u64", "sequence_number"),
            *_columns("text", "entry_id entry_kind"),
            *_columns("timestamp", "created_at transitioned_at"),
            *_TALLY,
            *_MOMENTS,
            *_columns("text", "deployment"),
        ),
    ),
    Table(
        "sys_vqueue_meta",
        "Each queue, with its averages.",
        (
            partition_key("NULL"),
            *_columns("text", "id"),
            *_columns("bool", "is_active queue_is_paused"),
            *_columns("text", "service_name scope limit_key lock_name"),
            *_columns(
                "timestamp",
                "created_at last_enqueued_at last_start_at last_attempt_at last_finish_at",
            ),
            *_columns(
                "duration",
                "avg_queue_duration avg_inbox_duration avg_run_duration avg_suspension_duration "
                "avg_end_to_end_duration avg_blocked_on_concurrency_rules "
                "avg_blocked_on_invoker_concurrency avg_blocked_on_invoker_throttling "
                "avg_blocked_on_lock",
            ),
            *_columns("u64", "num_inbox num_running num_suspended num_paused num_finished"),
        ),
    ),
    Table(
        "sys_vqueue_entry_status",
        "Each queued entry, with its history.",
        (
            partition_key("NULL"),
            *_columns("text", "entry_id vqueue_id stage status"),
            *_columns("bool", "has_lock"),
            *_columns("timestamp", "next_at"),
            *_columns("u64", "sequence_number"),
            *_columns("text", "entry_kind"),
            *_columns("timestamp", "created_at transitioned_at"),
            *_TALLY,
            *_MOMENTS,
            *_columns("text", "deployment"),
            *_columns("u64", "needed_memory"),
            *_columns("u32", "retry_attempts retry_count_since_last_stored_command"),
            *_columns("duration", " ".join(f"latest_attempt_blocked_on_{b}" for b in _BLOCKERS)),
            *_columns("duration", " ".join(f"total_blocked_on_{b}" for b in _BLOCKERS)),
        ),
    ),
)
