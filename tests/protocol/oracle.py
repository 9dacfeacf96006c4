"""Google's protobuf as a second opinion: the service protocol as descriptors made at run time.

The table is the spec's §4, retyped independently of the codec: per message, fields as
"number name type", where a type may be `*repeated`, `?optional` or `a|oneof member`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from rtour.protocol import messages as m

NOTIFICATION = """
    1 completion_id id|uint32, 2 signal_id id|uint32, 3 signal_name id|string,
    4 void result|Void, 5 value result|Value, 6 failure result|Failure,
    16 invocation_id result|string, 17 state_keys result|StateKeys
"""
TARGET = """
    1 invocation_id target|string, 3 idempotent_request_target target|IdempotentRequestTarget,
    4 workflow_target target|WorkflowTarget, 11 result_completion_id uint32, 12 name string
"""
SCHEMA = {
    "Void": "",
    "Value": "1 content bytes",
    "Pair": "1 key string, 2 value string",
    "StateEntry": "1 key bytes, 2 value bytes",
    "Failure": "1 code uint32, 2 message string, 3 metadata *Pair",
    "StateKeys": "1 keys *bytes",
    "WorkflowTarget": "1 workflow_name string, 2 workflow_key string, 3 scope ?string",
    "IdempotentRequestTarget": """
        1 service_name string, 2 service_key ?string, 3 handler_name string,
        4 idempotency_key string, 5 scope ?string""",
    "Future": """
        1 completions *uint32, 2 signals *uint32, 3 named_signals *string,
        4 nested *Future, 5 combinator int32""",
    "Start": """
        1 id bytes, 2 debug_id string, 3 known_entries uint32, 4 state_map *StateEntry,
        5 partial_state bool, 6 key string, 7 retry_count_since_last_stored_entry uint32,
        8 duration_since_last_stored_entry_ms uint64, 9 random_seed uint64,
        10 scope ?string, 11 limit_key ?string, 12 idempotency_key ?string""",
    "Suspension": "4 awaiting_on Future",
    "FlatSuspension": "1 completions *uint32, 2 signals *uint32, 3 named_signals *string",
    "Error": """
        1 code uint32, 2 message string, 3 stacktrace string, 4 related_command_index ?uint32,
        5 related_command_name ?string, 6 related_command_type ?uint32,
        8 next_retry_delay_ms ?uint64, 9 behavior int32""",
    "End": "",
    "CommandAck": "1 command_index uint32",
    "ProposeRunCompletion": """
        1 result_completion_id uint32, 14 raw result|bytes, 15 failure result|Failure""",
    "AwaitingOn": "1 awaiting_on Future, 2 executing_side_effects bool",
    "ProposeRunCompletionAck": "1 completion_id uint32",
    "Input": "1 headers *Pair, 12 name string, 14 value Value",
    "Output": "12 name string, 14 value result|Value, 15 failure result|Failure",
    "GetLazyState": "1 key bytes, 11 result_completion_id uint32, 12 name string",
    "SetState": "1 key bytes, 3 value Value, 12 name string",
    "ClearState": "1 key bytes, 12 name string",
    "ClearAllState": "12 name string",
    "GetLazyStateKeys": "11 result_completion_id uint32, 12 name string",
    "GetEagerState": "1 key bytes, 12 name string, 13 void result|Void, 14 value result|Value",
    "GetEagerStateKeys": "12 name string, 14 value StateKeys",
    "GetPromise": "1 key string, 11 result_completion_id uint32, 12 name string",
    "PeekPromise": "1 key string, 11 result_completion_id uint32, 12 name string",
    "CompletePromise": """
        1 key string, 2 value completion|Value, 3 failure completion|Failure,
        11 result_completion_id uint32, 12 name string""",
    "Sleep": "1 wake_up_time uint64, 11 result_completion_id uint32, 12 name string",
    "Call": """
        1 service_name string, 2 handler_name string, 3 parameter bytes, 4 headers *Pair,
        5 key string, 6 idempotency_key ?string, 7 scope ?string, 8 limit_key ?string,
        10 invocation_id_notification_idx uint32, 11 result_completion_id uint32,
        12 name string""",
    "OneWayCall": """
        1 service_name string, 2 handler_name string, 3 parameter bytes, 4 invoke_time uint64,
        5 headers *Pair, 6 key string, 7 idempotency_key ?string, 8 scope ?string,
        9 limit_key ?string, 10 invocation_id_notification_idx uint32, 12 name string""",
    "SendSignal": """
        1 target_invocation_id string, 2 signal_id signal|uint32, 3 signal_name signal|string,
        4 void result|Void, 5 value result|Value, 6 failure result|Failure, 12 name string""",
    "Run": "11 result_completion_id uint32, 12 name string",
    "AttachInvocation": TARGET,
    "GetInvocationOutput": TARGET,
    "CompleteAwakeable": """
        1 awakeable_id string, 2 value result|Value, 3 failure result|Failure, 12 name string""",
    "Notification": NOTIFICATION,
}
_FIELD = descriptor_pb2.FieldDescriptorProto


def _add_field(message: Any, text: str) -> None:
    number, name, kind = text.split()
    oneof, _, kind = kind.rpartition("|")
    label = _FIELD.LABEL_REPEATED if kind[0] == "*" else _FIELD.LABEL_OPTIONAL
    field = message.field.add(name=name, number=int(number), label=label)
    if kind[0] == "?":  # proto3 presence is a oneof of its own
        field.proto3_optional = True
        oneof = f"_{name}"
    kind = kind.lstrip("*?")
    if kind in SCHEMA:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".oracle.{kind}"
    else:
        field.type = getattr(_FIELD, f"TYPE_{kind.upper()}")
    if oneof:
        names = [known.name for known in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
            names.append(oneof)
        field.oneof_index = names.index(oneof)


@cache
def classes() -> dict[str, Any]:
    """Google's message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="oracle.proto", package="oracle", syntax="proto3"
    )
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        # real oneofs must stand before those of optional fields
        texts = [text for text in fields.replace("\n", " ").split(",") if text.strip()]
        for text in texts:
            _add_field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClassesForFiles(["oracle.proto"], pool)
    return {name.removeprefix("oracle."): found[name] for name in found}


def of(message: m.Message, version: int) -> Any:
    """The same message as Google's object, filled field by field."""
    name = type(message).__name__
    if isinstance(message, m.Suspension) and version < 7:
        return _filled("FlatSuspension", message.awaiting_on, ("nested", "combinator"))
    return _filled(name, message)


def _filled(name: str, struct: Any, leave: tuple[str, ...] = ("type",)) -> Any:
    proto = classes()[name]()
    for field in struct.__struct_fields__:
        value = getattr(struct, field)
        if field not in leave and value is not None:
            _set(proto, _field_name(proto, struct, field, value), value)
    return proto


def _field_name(proto: Any, struct: Any, field: str, value: Any) -> str:
    """The member of the oneof, where the struct has one field for several."""
    if field in {"result", "completion", "target"}:
        if isinstance(struct, m.ProposeRunCompletion) and isinstance(value, m.Value):
            return "raw"
        members = {
            m.Void: "void",
            m.Value: "value",
            m.Failure: "failure",
            m.InvocationId: "invocation_id",
            m.StateKeys: "state_keys",
            m.IdempotentRequestTarget: "idempotent_request_target",
            m.WorkflowTarget: "workflow_target",
        }
        return members[type(value)]
    if field == "signal" or (field == "id" and isinstance(struct, m.Notification)):
        if isinstance(value, str):
            return "signal_name"
        completes = field == "id" and struct.type != m.MessageType.SIGNAL
        return "completion_id" if completes else "signal_id"
    return "value" if isinstance(struct, m.GetEagerStateKeys) and field == "keys" else field


def _set(proto: Any, name: str, value: Any) -> None:
    kind = proto.DESCRIPTOR.fields_by_name[name]
    nested = kind.message_type.name if kind.message_type else None
    if name == "raw":
        proto.raw = value.content
    elif name == "invocation_id":
        proto.invocation_id = value.id
    elif kind.is_repeated:
        getattr(proto, name).extend([_element(nested, item) for item in value])
    elif nested is None:
        setattr(proto, name, value)
    else:
        getattr(proto, name).CopyFrom(_element(nested, value))


def _element(nested: str | None, item: Any) -> Any:
    if nested is None:
        return item
    if nested == "Value" and isinstance(item, bytes):
        item = m.Value(item)
    if nested == "StateKeys" and isinstance(item, tuple):
        item = m.StateKeys(item)
    if nested == "Pair" and isinstance(item, tuple):
        item = m.Header(*item)
    return _filled(nested, item)
