"""Journal entries and events as `sys_journal` shows them (server-semantics.md §12).

Enums are externally tagged, bytes are arrays of numbers. Bytes that do not decode give NULL: a
strange entry must not hide the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import decode

Json = dict[str, Any]

COMMAND_NAMES = {int(code): type_.__name__ for type_, code in m.COMMAND_TYPES.items()}
NOTIFICATION_NAMES = {
    int(m.MessageType.GET_LAZY_STATE_COMPLETION): "GetLazyState",
    int(m.MessageType.GET_LAZY_STATE_KEYS_COMPLETION): "GetLazyStateKeys",
    int(m.MessageType.GET_PROMISE_COMPLETION): "GetPromise",
    int(m.MessageType.PEEK_PROMISE_COMPLETION): "PeekPromise",
    int(m.MessageType.COMPLETE_PROMISE_COMPLETION): "CompletePromise",
    int(m.MessageType.SLEEP_COMPLETION): "Sleep",
    int(m.MessageType.CALL_COMPLETION): "Call",
    int(m.MessageType.CALL_INVOCATION_ID_COMPLETION): "CallInvocationId",
    int(m.MessageType.RUN_COMPLETION): "Run",
    int(m.MessageType.ATTACH_INVOCATION_COMPLETION): "AttachInvocation",
    int(m.MessageType.GET_INVOCATION_OUTPUT_COMPLETION): "GetInvocationOutput",
    int(m.MessageType.SIGNAL): "Signal",
}


class Callee(msgspec.Struct, frozen=True):
    """What is known of the invocation that a call made; its row may be gone."""

    id: str | None
    service_type: str | None = None
    handler_type: str | None = None
    completion_retention_ms: int | None = None
    journal_retention_ms: int | None = None


def entry_type(type_: int) -> str | None:
    """`Command: Run`."""
    if type_ in COMMAND_NAMES:
        return f"Command: {COMMAND_NAMES[type_]}"
    if type_ in NOTIFICATION_NAMES:
        return f"Notification: {NOTIFICATION_NAMES[type_]}"
    return None


def entry_name(type_: int, raw: bytes) -> str | None:
    """The name of a command, "" without; None for notifications."""
    message = _message(type_, raw)
    return getattr(message, "name", None)


def entry_json(type_: int, raw: bytes, callee: Callee) -> str | None:
    """The whole entry."""
    message = _message(type_, raw)
    if message is None:
        return None
    if isinstance(message, m.Notification):
        return _text({"Notification": _notification(message)})
    return _text({"Command": {COMMAND_NAMES[type_]: _command(message, callee)}})


def entry_lite_json(type_: int, raw: bytes, callee: Callee) -> str | None:
    """The entry without payloads."""
    message = _message(type_, raw)
    if message is None:
        return None
    if isinstance(message, m.Notification):
        return _text({"Notification": _lite_notification(message)})
    body = _command(message, callee)
    request = body.pop("request", {})
    body = {key: request[key] for key in _CALLED if key in request} | body
    lite = {key: _lite(value) for key, value in body.items() if key not in _PAYLOADS}
    if isinstance(message, m.SetState):
        del lite["value"]
    return _text({"Command": {COMMAND_NAMES[type_]: lite}})


_CALLED = ("invocation_id", "invocation_target")
_PAYLOADS = frozenset({"headers", "payload", "name", "state_keys"})
_RESULT_TAGS = frozenset({"Success", "Failure"})


def _lite(value: Any) -> Any:
    """A result shrinks to its kind."""
    return next(iter(value)) if isinstance(value, dict) and value.keys() <= _RESULT_TAGS else value


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _message(type_: int, raw: bytes) -> m.Message | None:
    try:
        message = decode(type_, raw)
    except ProtocolError:
        return None
    known = isinstance(message, m.Notification) or type_ in COMMAND_NAMES
    return message if known else None


# --- commands ------------------------------------------------------------------------------------


def _command(message: m.Message, callee: Callee) -> Json:
    if isinstance(message, m.Call | m.OneWayCall):
        return _call(message, callee)
    return {**_COMMANDS[type(message)](message), "name": getattr(message, "name", "")}


def _keyed(message: Any) -> Json:
    return {"key": _key(message.key)}


def _completed(message: Any) -> Json:
    return {"completion_id": message.result_completion_id}


def _keyed_completed(message: Any) -> Json:
    return {"key": _key(message.key), "completion_id": message.result_completion_id}


def _attached(message: Any) -> Json:
    return {"target": _attach_target(message.target), **_completed(message)}


_COMMANDS: dict[type, Callable[[Any], Json]] = {
    m.Input: lambda c: {
        "headers": [{"name": header.key, "value": header.value} for header in c.headers],
        "payload": list(c.value),
    },
    m.Output: lambda c: {"result": result(c.result)},
    m.GetLazyState: _keyed_completed,
    m.SetState: lambda c: {"key": _key(c.key), "value": list(c.value)},
    m.ClearState: _keyed,
    m.ClearAllState: lambda _: {},
    m.GetLazyStateKeys: _completed,
    m.GetEagerState: lambda c: {"key": _key(c.key), "result": result(c.result)},
    m.GetEagerStateKeys: lambda c: {"state_keys": [_key(key) for key in c.keys]},
    m.GetPromise: _keyed_completed,
    m.PeekPromise: _keyed_completed,
    m.CompletePromise: lambda c: {
        "key": c.key,
        "value": result(c.completion),
        "completion_id": c.result_completion_id,
    },
    m.Sleep: lambda c: {"wake_up_time": c.wake_up_time, **_completed(c)},
    m.SendSignal: lambda c: {
        "target_invocation_id": c.target_invocation_id,
        "signal_id": _signal_id(c.signal),
        "result": result(c.result),
    },
    m.Run: _completed,
    m.AttachInvocation: _attached,
    m.GetInvocationOutput: _attached,
    m.CompleteAwakeable: lambda c: {"id": c.awakeable_id, "result": result(c.result)},
}

_NO_SPAN: Json = {
    "span_context": {
        "trace_id": [0] * 16,
        "span_id": [0] * 8,
        "trace_flags": 0,
        "is_remote": False,
        "trace_state": "",
    },
    "cause": None,
}


def _call(call: m.Call | m.OneWayCall, callee: Callee) -> Json:
    request = {
        "invocation_id": callee.id,
        "invocation_target": _invocation_target(call, callee),
        "span_context": _NO_SPAN,
        "parameter": list(call.parameter),
        "headers": [{"name": header.key, "value": header.value} for header in call.headers],
        "idempotency_key": call.idempotency_key,
        "completion_retention_duration": _duration(callee.completion_retention_ms),
        "journal_retention_duration": _duration(callee.journal_retention_ms),
    }
    ids = {"invocation_id_completion_id": call.invocation_id_notification_idx}
    if isinstance(call, m.OneWayCall):
        return {"request": request, "invoke_time": call.invoke_time, **ids, "name": call.name}
    ids["result_completion_id"] = call.result_completion_id
    return {"request": request, **ids, "name": call.name}


_TARGET_TAGS = {"service": "Service", "virtual_object": "VirtualObject", "workflow": "Workflow"}


def _invocation_target(call: m.Call | m.OneWayCall, callee: Callee) -> Json:
    """The callee's row tells what kind of service it is; without it, the key makes a guess."""
    kind = callee.service_type or ("virtual_object" if call.key else "service")
    target: Json = {"name": call.service_name}
    if kind != "service":
        target["key"] = call.key
    target["handler"] = call.handler_name
    if kind != "service":
        target["handler_ty"] = (callee.handler_type or "exclusive").capitalize()
    return {_TARGET_TAGS[kind]: {**target, "scope": call.scope}}


def _attach_target(target: m.AttachTarget) -> Json:
    match target:
        case m.InvocationId(id_):
            return {"InvocationId": id_}
        case m.WorkflowTarget(name, key):
            return {"Workflow": {"service_name": name, "key": key}}
        case m.IdempotentRequestTarget():
            return {
                "IdempotentRequest": {
                    "service_name": target.service_name,
                    "service_key": target.service_key,
                    "handler_name": target.handler_name,
                    "idempotency_key": target.idempotency_key,
                }
            }


def _duration(ms: int | None) -> Json:
    seconds, rest = divmod(ms or 0, 1000)
    return {"secs": seconds, "nanos": rest * 1_000_000}


def _key(key: bytes | str) -> str:
    return key if isinstance(key, str) else key.decode(errors="replace")


def _signal_id(signal: int | str) -> Json:
    return {"Index": signal} if isinstance(signal, int) else {"Name": signal}


# --- notifications -------------------------------------------------------------------------------


def result(value: m.Result) -> Json | str:
    """`{"Success": […]}`, `{"Failure": …}` or `"Void"`."""
    match value:
        case m.Value(content):
            return {"Success": list(content)}
        case m.Failure(code, message):
            return {"Failure": {"code": code, "message": message}}
        case m.InvocationId(id_):
            return {"InvocationId": id_}
        case m.StateKeys(keys):
            return {"StateKeys": [_key(key) for key in keys]}
        case _:
            return "Void"


def _notification(notification: m.Notification) -> Json:
    if notification.type == m.MessageType.SIGNAL:
        return {
            "Signal": {"id": _signal_id(notification.id), "result": result(notification.result)}
        }
    body: Json = {"completion_id": notification.id}
    match notification.result:
        case m.InvocationId(id_):
            body["invocation_id"] = id_
        case m.StateKeys(keys):
            body["state_keys"] = [_key(key) for key in keys]
        case _ if notification.type != m.MessageType.SLEEP_COMPLETION:
            body["result"] = result(notification.result)
    return {"Completion": {NOTIFICATION_NAMES.get(notification.type, "Unknown"): body}}


_RESULT_KINDS: dict[type, str] = {
    m.Value: "Success",
    m.Failure: "Failure",
    m.Void: "Void",
    m.InvocationId: "InvocationId",
    m.StateKeys: "StateKeys",
}


def _lite_notification(notification: m.Notification) -> Json:
    kind = _RESULT_KINDS[type(notification.result)]
    if notification.type == m.MessageType.SIGNAL:
        by = "SignalIndex" if isinstance(notification.id, int) else "SignalName"
        return {"ty": "Signal", "id": {by: notification.id}, "result": kind}
    name = NOTIFICATION_NAMES.get(notification.type, "Unknown")
    return {
        "ty": {"Completion": name},
        "id": {"CompletionId": notification.id},
        "result": kind,
    }


# --- events --------------------------------------------------------------------------------------


def event_json(type_: str, error: str | None) -> str:
    """`error` is the stored AttemptError, as JSON."""
    detail = {} if error is None else _error(msgspec.json.decode(error))
    if type_ == "Paused":
        return _text({"ty": type_, **({"last_failure": detail} if detail else {})})
    return _text({"ty": type_, **detail})


def _error(error: Json) -> Json:
    command_type = error["related_command_type"]
    detail = {
        "error_code": error["code"],
        "error_message": error["message"],
        "error_stacktrace": error["stacktrace"] or None,
        "restate_doc_error_code": error["doc_code"],
        "related_command_index": error["related_command_index"],
        "related_command_name": error["related_command_name"],
        "related_command_type": COMMAND_NAMES.get(command_type) if command_type else None,
    }
    return {key: value for key, value in detail.items() if value is not None}
