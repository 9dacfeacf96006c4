"""All SQL tables: journals, objects and the registry here, the rest gathered from beside."""

from __future__ import annotations

from rtour.storage.introspection.columns import Column, Table, partition_key, scope
from rtour.storage.introspection.flow import FLOW_TABLES
from rtour.storage.introspection.invocations import INVOCATION_TABLES, failure

_JOURNAL_ROWS = (
    "FROM main.journal j JOIN main.invocation i ON i.number = j.number "
    "LEFT JOIN main.invocation callee ON callee.id = j.callee"
)
_WAITING_ROWS = (
    "FROM main.inbox x LEFT JOIN main.invocation i ON i.id = x.invocation_id "
    "WHERE x.invocation_id IS NOT NULL"
)
_ENTRY = (
    "rtour_entry_{}(j.type, j.raw, j.callee, callee.service_type, callee.handler_type, "
    "callee.completion_retention_ms, callee.journal_retention_ms)"
)

SYS_JOURNAL = Table(
    "sys_journal",
    "The entries of every journal that is kept.",
    (
        partition_key("rtour_partition_of_id(i.id)"),
        Column("id", "text", "The invocation's id.", "i.id"),
        Column("index", "u32", "The entry's place in the journal, from 0.", "j.idx"),
        Column(
            "entry_type",
            "text",
            "`Command: Run`, `Notification: Run` and so on.",
            "rtour_entry_type(j.type)",
        ),
        Column(
            "name",
            "text",
            "The name given to a command, empty without; NULL for notifications.",
            "rtour_entry_name(j.type, j.raw)",
        ),
        Column("completed", "bool", "Always NULL: journals of protocol v3 and older had it."),
        Column("invoked_id", "text", "Always NULL, see `entry_json`."),
        Column("invoked_target", "text", "Always NULL, see `entry_json`."),
        Column("sleep_wakeup_at", "timestamp", "Always NULL, see `entry_json`."),
        Column("promise_name", "text", "Always NULL, see `entry_json`."),
        Column("raw", "binary", "The entry as it went over the wire.", "j.raw"),
        Column("raw_length", "u64", "The length of `raw`.", "length(j.raw)"),
        Column("version", "u32", "The journal's format: 2 since protocol v4.", "2"),
        Column("entry_json", "text", "The entry, read.", _ENTRY.format("json")),
        Column("entry_lite_json", "text", "The same without payloads.", _ENTRY.format("lite_json")),
        Column("appended_at", "timestamp", "When the entry was stored.", "j.appended_at"),
    ),
    ((_JOURNAL_ROWS, {}),),
)
SYS_JOURNAL_EVENTS = Table(
    "sys_journal_events",
    "What happened to an invocation beside its journal: failed attempts, pauses.",
    (
        partition_key("rtour_partition_of_id(i.id)"),
        Column("id", "text", "The invocation's id.", "i.id"),
        Column(
            "after_journal_entry_index",
            "u32",
            "The last entry that was stored before.",
            "e.after_index",
        ),
        Column("appended_at", "timestamp", "When it happened.", "e.appended_at"),
        Column("event_type", "text", "`TransientError` or `Paused`.", "e.type"),
        Column("event_json", "text", "What is known of it.", "rtour_event_json(e.type, e.error)"),
    ),
    (("FROM main.event e JOIN main.invocation i ON i.number = e.number", {}),),
)
STATE = Table(
    "state",
    "The state of every virtual object and workflow.",
    (
        partition_key("rtour_partition_of_key(s.key)"),
        scope("object"),
        Column("service_name", "text", "The service.", "s.service"),
        Column("service_key", "text", "The object's or workflow's key.", "s.key"),
        Column("key", "text", "The state entry's name.", "rtour_text(s.name)"),
        Column("key_length", "u64", "The name's length in bytes.", "length(s.name)"),
        Column("value_utf8", "text", "The value as text, if it is text.", "rtour_utf8(s.value)"),
        Column("value", "binary", "The value.", "s.value"),
        Column("value_length", "u64", "The value's length in bytes.", "length(s.value)"),
    ),
    (("FROM main.state s", {}),),
)
SYS_INBOX = Table(
    "sys_inbox",
    "Invocations that wait for their object, first come first.",
    (
        partition_key("rtour_partition_of_key(x.key)"),
        Column("service_name", "text", "The service.", "x.service"),
        Column("service_key", "text", "The object's key.", "x.key"),
        Column("id", "text", "The waiting invocation.", "x.invocation_id"),
        Column("sequence_number", "u64", "Its place: lower ones go first.", "x.sequence"),
        Column("created_at", "timestamp", "When the invocation was accepted.", "i.created_at"),
    ),
    ((_WAITING_ROWS, {}),),
)
SYS_KEYED_SERVICE_STATUS = Table(
    "sys_keyed_service_status",
    "Objects that are busy, and with what.",
    (
        partition_key("rtour_partition_of_key(k.key)"),
        Column("service_name", "text", "The service.", "k.service"),
        Column("service_key", "text", "The object's key.", "k.key"),
        Column("invocation_id", "text", "The invocation that has the object.", "k.holder"),
    ),
    (("FROM main.lock k", {}),),
)
SYS_PROMISE = Table(
    "sys_promise",
    "The promises of workflows.",
    (
        partition_key("rtour_partition_of_key(p.key)"),
        scope("workflow"),
        Column("service_name", "text", "The workflow.", "p.service"),
        Column("service_key", "text", "The workflow's key.", "p.key"),
        Column("key", "text", "The promise's name.", "p.name"),
        Column(
            "completed",
            "bool",
            "Whether it has a result.",
            "p.success IS NOT NULL OR p.failure_code IS NOT NULL",
        ),
        Column("completion_success_value", "binary", "The value, if resolved.", "p.success"),
        Column(
            "completion_success_value_utf8",
            "text",
            "The value as text, if it is text.",
            "rtour_utf8(p.success)",
        ),
        Column(
            "completion_failure",
            "text",
            "The failure, if rejected: `[code] message`.",
            failure("p"),
        ),
    ),
    (("FROM main.promise p", {}),),
)


def _json(path: str) -> str:
    return f"json_extract(d.json, '$.{path}')"


def _documents(kind: str) -> tuple[tuple[str, dict[str, str]], ...]:
    return ((f"FROM main.document d WHERE d.kind = '{kind}'", {}),)


SYS_DEPLOYMENT = Table(
    "sys_deployment",
    "Registered deployments.",
    (
        Column("id", "text", "The deployment's id.", "d.id"),
        Column(
            "ty",
            "text",
            "`http` or `lambda`.",
            f"CASE WHEN {_json('uri')} LIKE 'arn:%' THEN 'lambda' ELSE 'http' END",
        ),
        Column("endpoint", "text", "Where it is.", _json("uri")),
        Column("created_at", "timestamp", "When it was registered.", _json("created_at")),
        Column(
            "min_service_protocol_version",
            "u32",
            "The lowest protocol version it speaks.",
            _json("min_protocol_version"),
        ),
        Column(
            "max_service_protocol_version",
            "u32",
            "The highest protocol version it speaks.",
            _json("max_protocol_version"),
        ),
        Column(
            "services",
            "list<text>",
            "The services it serves.",
            "(SELECT json_group_array(json_extract(service.value, '$.manifest.name')) "
            "FROM json_each(d.json, '$.services') service)",
        ),
    ),
    _documents("deployment"),
)
SYS_SERVICE = Table(
    "sys_service",
    "The active revision of every service.",
    (
        Column("name", "text", "The service's name.", "d.id"),
        Column("revision", "u64", "Counts its registrations.", _json("revision")),
        Column("public", "bool", "Whether the ingress calls it.", _json("public")),
        Column("ty", "text", "`service`, `virtual_object` or `workflow`.", _json("ty")),
        Column(
            "deployment_id", "text", "The deployment new invocations go to.", _json("deployment_id")
        ),
    ),
    _documents("service"),
)
SYS_RULES = Table(
    "sys_rules",
    "Rules of flow control.",
    (
        Column("pattern", "text", "What the rule covers: `scope/l1/l2`, `*` for any.", "d.id"),
        Column("concurrency", "u32", "How many may run at once.", _json("limits.concurrency")),
        Column("description", "text", "What its author said of it.", _json("description")),
        Column("disabled", "bool", "Whether it is switched off.", _json("disabled")),
        Column("version", "u32", "Counts its changes.", _json("version")),
        Column("last_modified", "timestamp", "When it last changed.", _json("last_modified")),
    ),
    _documents("rule"),
)

TABLES: tuple[Table, ...] = (
    *INVOCATION_TABLES,
    SYS_JOURNAL,
    SYS_JOURNAL_EVENTS,
    STATE,
    SYS_INBOX,
    SYS_KEYED_SERVICE_STATUS,
    SYS_PROMISE,
    SYS_DEPLOYMENT,
    SYS_SERVICE,
    SYS_RULES,
    *FLOW_TABLES,
)
