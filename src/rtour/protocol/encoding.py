"""Message structs to the bytes of a payload, one function per message (service-protocol §4).

Fields are written in the order of their numbers, as protobuf's own serialisers do, so equal
messages have equal bytes. What a version does not know is left out where nobody loses by it
(Start's extras, failure metadata); what would change the meaning (scope, limit key, behavior) is
refused with 573, as Restate's SDK cores do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.protobuf import (
    blob,
    block,
    number,
    optional_number,
    optional_text,
    packed,
    text,
    text_pair,
    varint,
)
from rtour.protocol.trees import fold, nested

_UNSUPPORTED_FEATURE: Final = 573
_SEED_SINCE: Final = 6
_METADATA_SINCE: Final = 6
_V7: Final = 7
_SIGNAL: Final = int(m.MessageType.SIGNAL)


def encode_payload(message: m.Message, version: int = 7) -> bytes:
    """The payload of a message's frame, in the layout of that protocol version."""
    return _ENCODERS[type(message)](message, version)


# --- parts -------------------------------------------------------------------------------------


def _value(key: bytes, content: bytes) -> bytes:
    """A nested Value{1 content}; always written, since its presence is the information."""
    return block(key, block(b"\x0a", content) if content else b"")


def _failure(key: bytes, failure: m.Failure, version: int) -> bytes:
    content = number(b"\x08", failure.code) + text(b"\x12", failure.message)
    if failure.metadata and version >= _METADATA_SINCE:
        content += b"".join([text_pair(b"\x1a", name, value) for name, value in failure.metadata])
    return block(key, content)


def _headers(key: bytes, headers: tuple[m.Header, ...]) -> bytes:
    return b"".join([text_pair(key, header.key, header.value) for header in headers])


def _result(value: bytes, failure: bytes, result: m.Value | m.Failure, version: int) -> bytes:
    """A oneof of Value and Failure under the two keys."""
    if type(result) is m.Failure:
        return _failure(failure, result, version)
    return _value(value, result.content)  # type: ignore[union-attr]


def _keys(keys: tuple[bytes, ...]) -> bytes:
    return b"".join([block(b"\x0a", key) for key in keys])


def _since_v7(key: bytes, value: str | None, version: int, what: str) -> bytes:
    if value is None:
        return b""
    if version < _V7:
        raise ProtocolError(_UNSUPPORTED_FEATURE, f"{what} needs protocol v7, this is v{version}")
    return block(key, value.encode())


def _future(future: m.Future) -> bytes:
    return fold(future, nested, _future_node)


def _future_node(future: m.Future, children: list[bytes]) -> bytes:
    return (
        packed(b"\x0a", future.completions)
        + packed(b"\x12", future.signals)
        + b"".join([block(b"\x1a", name.encode()) for name in future.named_signals])
        + b"".join([block(b"\x22", child) for child in children])
        + number(b"\x28", future.combinator)
    )


def _leaves(future: m.Future) -> m.Future:
    """All that a tree waits for, each once, in order: how V5 and V6 say it."""
    completions: dict[int, None] = {}
    signals: dict[int, None] = {}
    names: dict[str, None] = {}
    todo = [future]
    while todo:
        node = todo.pop()
        completions.update(dict.fromkeys(node.completions))
        signals.update(dict.fromkeys(node.signals))
        names.update(dict.fromkeys(node.named_signals))
        todo += reversed(node.nested)
    return m.Future(tuple(completions), tuple(signals), tuple(names))


# --- control -----------------------------------------------------------------------------------


def _start(start: m.Start, version: int) -> bytes:
    parts = [
        blob(b"\x0a", start.id),
        text(b"\x12", start.debug_id),
        number(b"\x18", start.known_entries),
    ]
    parts += [
        block(b"\x22", blob(b"\x0a", entry.key) + blob(b"\x12", entry.value))
        for entry in start.state_map
    ]
    parts += (
        b"\x28\x01" if start.partial_state else b"",
        text(b"\x32", start.key),
        number(b"\x38", start.retry_count_since_last_stored_entry),
        number(b"\x40", start.duration_since_last_stored_entry_ms),
    )
    if version >= _SEED_SINCE:
        parts.append(number(b"\x48", start.random_seed))
    if version >= _V7:
        parts += (
            optional_text(b"\x52", start.scope),
            optional_text(b"\x5a", start.limit_key),
            optional_text(b"\x62", start.idempotency_key),
        )
    return b"".join(parts)


def _suspension(suspension: m.Suspension, version: int) -> bytes:
    if version < _V7:
        return _future(_leaves(suspension.awaiting_on))  # fields 1 to 3 are the same
    return block(b"\x22", _future(suspension.awaiting_on))


def _error(error: m.Error, version: int) -> bytes:
    if error.behavior and version < _V7:
        raise ProtocolError(
            _UNSUPPORTED_FEATURE, f"error behavior needs protocol v7, this is v{version}"
        )
    return b"".join(
        (
            number(b"\x08", error.code),
            text(b"\x12", error.message),
            text(b"\x1a", error.stacktrace),
            optional_number(b"\x20", error.related_command_index),
            optional_text(b"\x2a", error.related_command_name),
            optional_number(b"\x30", error.related_command_type),
            optional_number(b"\x40", error.next_retry_delay_ms),
            number(b"\x48", error.behavior),
        )
    )


def _end(_end: m.End, _version: int) -> bytes:
    return b""


def _command_ack(ack: m.CommandAck, _version: int) -> bytes:
    return number(b"\x08", ack.command_index)


def _propose_run_completion(proposal: m.ProposeRunCompletion, version: int) -> bytes:
    completion = number(b"\x08", proposal.result_completion_id)
    result = proposal.result
    if type(result) is m.Failure:
        return completion + _failure(b"\x7a", result, version)
    return completion + block(b"\x72", result.content)  # type: ignore[union-attr]


def _awaiting_on(awaiting: m.AwaitingOn, _version: int) -> bytes:
    executing = b"\x10\x01" if awaiting.executing_side_effects else b""
    return block(b"\x0a", _future(awaiting.awaiting_on)) + executing


def _propose_run_completion_ack(ack: m.ProposeRunCompletionAck, _version: int) -> bytes:
    return number(b"\x08", ack.completion_id)


# --- commands ----------------------------------------------------------------------------------


def _input(command: m.Input, _version: int) -> bytes:
    return (
        _headers(b"\x0a", command.headers)
        + text(b"\x62", command.name)
        + _value(b"\x72", command.value)
    )


def _output(command: m.Output, version: int) -> bytes:
    return text(b"\x62", command.name) + _result(b"\x72", b"\x7a", command.result, version)


def _get_lazy_state(command: m.GetLazyState, _version: int) -> bytes:
    return blob(b"\x0a", command.key) + _completion(command)


def _completion(command: Any) -> bytes:
    """The two fields most commands end with."""
    return number(b"\x58", command.result_completion_id) + text(b"\x62", command.name)


def _set_state(command: m.SetState, _version: int) -> bytes:
    return blob(b"\x0a", command.key) + _value(b"\x1a", command.value) + text(b"\x62", command.name)


def _clear_state(command: m.ClearState, _version: int) -> bytes:
    return blob(b"\x0a", command.key) + text(b"\x62", command.name)


def _clear_all_state(command: m.ClearAllState, _version: int) -> bytes:
    return text(b"\x62", command.name)


def _get_lazy_state_keys(command: m.GetLazyStateKeys, _version: int) -> bytes:
    return _completion(command)


def _get_eager_state(command: m.GetEagerState, _version: int) -> bytes:
    head = blob(b"\x0a", command.key) + text(b"\x62", command.name)
    result = command.result
    if type(result) is m.Value:
        return head + _value(b"\x72", result.content)
    return head + b"\x6a\x00"  # 13 void


def _get_eager_state_keys(command: m.GetEagerStateKeys, _version: int) -> bytes:
    return text(b"\x62", command.name) + block(b"\x72", _keys(command.keys))


def _promise(command: m.GetPromise | m.PeekPromise, _version: int) -> bytes:
    return text(b"\x0a", command.key) + _completion(command)


def _complete_promise(command: m.CompletePromise, version: int) -> bytes:
    result = _result(b"\x12", b"\x1a", command.completion, version)
    return text(b"\x0a", command.key) + result + _completion(command)


def _sleep(command: m.Sleep, _version: int) -> bytes:
    return number(b"\x08", command.wake_up_time) + _completion(command)


def _call(command: m.Call, version: int) -> bytes:
    return b"".join(
        (
            text(b"\x0a", command.service_name),
            text(b"\x12", command.handler_name),
            blob(b"\x1a", command.parameter),
            _headers(b"\x22", command.headers),
            text(b"\x2a", command.key),
            optional_text(b"\x32", command.idempotency_key),
            _since_v7(b"\x3a", command.scope, version, "a scope"),
            _since_v7(b"\x42", command.limit_key, version, "a limit key"),
            number(b"\x50", command.invocation_id_notification_idx),
            _completion(command),
        )
    )


def _one_way_call(command: m.OneWayCall, version: int) -> bytes:
    return b"".join(
        (
            text(b"\x0a", command.service_name),
            text(b"\x12", command.handler_name),
            blob(b"\x1a", command.parameter),
            number(b"\x20", command.invoke_time),
            _headers(b"\x2a", command.headers),
            text(b"\x32", command.key),
            optional_text(b"\x3a", command.idempotency_key),
            _since_v7(b"\x42", command.scope, version, "a scope"),
            _since_v7(b"\x4a", command.limit_key, version, "a limit key"),
            number(b"\x50", command.invocation_id_notification_idx),
            text(b"\x62", command.name),
        )
    )


def _send_signal(command: m.SendSignal, version: int) -> bytes:
    return (
        text(b"\x0a", command.target_invocation_id)
        + _signal_id(command.signal)
        + _void_value_or_failure(command.result, version)
        + text(b"\x62", command.name)
    )


def _signal_id(signal: int | str) -> bytes:
    if isinstance(signal, str):
        return block(b"\x1a", signal.encode())
    return b"\x10" + varint(signal)


def _void_value_or_failure(result: m.Result, version: int) -> bytes:
    """The part of the notification's oneof that signals share."""
    kind = type(result)
    if kind is m.Value:
        return _value(b"\x2a", result.content)  # type: ignore[union-attr]
    if kind is m.Void:
        return b"\x22\x00"
    assert kind is m.Failure, f"{kind.__name__} is no result of a signal"
    return _failure(b"\x32", result, version)  # type: ignore[arg-type]


def _run(command: m.Run, _version: int) -> bytes:
    return _completion(command)


def _attach(command: m.AttachInvocation | m.GetInvocationOutput, version: int) -> bytes:
    return _target(command.target, version) + _completion(command)


def _target(target: m.AttachTarget, version: int) -> bytes:
    if isinstance(target, m.InvocationId):
        return block(b"\x0a", target.id.encode())
    if isinstance(target, m.WorkflowTarget):
        return block(
            b"\x22",
            text(b"\x0a", target.workflow_name)
            + text(b"\x12", target.workflow_key)
            + _since_v7(b"\x1a", target.scope, version, "a scope"),
        )
    return block(
        b"\x1a",
        text(b"\x0a", target.service_name)
        + optional_text(b"\x12", target.service_key)
        + text(b"\x1a", target.handler_name)
        + text(b"\x22", target.idempotency_key)
        + _since_v7(b"\x2a", target.scope, version, "a scope"),
    )


def _complete_awakeable(command: m.CompleteAwakeable, version: int) -> bytes:
    return (
        text(b"\x0a", command.awakeable_id)
        + _result(b"\x12", b"\x1a", command.result, version)
        + text(b"\x62", command.name)
    )


# --- notifications -----------------------------------------------------------------------------


def _notification(notification: m.Notification, version: int) -> bytes:
    id_ = notification.id
    if notification.type == _SIGNAL:
        head = _signal_id(id_)
    else:
        assert isinstance(id_, int), f"completion id {id_!r} is no number"
        head = b"\x08" + varint(id_)
    result = notification.result
    if isinstance(result, m.InvocationId):
        return head + block(b"\x82\x01", result.id.encode())
    if isinstance(result, m.StateKeys):
        return head + block(b"\x8a\x01", _keys(result.keys))
    return head + _void_value_or_failure(result, version)


_ENCODERS: Final[dict[type, Callable[[Any, int], bytes]]] = {
    m.Start: _start,
    m.Suspension: _suspension,
    m.Error: _error,
    m.End: _end,
    m.CommandAck: _command_ack,
    m.ProposeRunCompletion: _propose_run_completion,
    m.AwaitingOn: _awaiting_on,
    m.ProposeRunCompletionAck: _propose_run_completion_ack,
    m.Input: _input,
    m.Output: _output,
    m.GetLazyState: _get_lazy_state,
    m.SetState: _set_state,
    m.ClearState: _clear_state,
    m.ClearAllState: _clear_all_state,
    m.GetLazyStateKeys: _get_lazy_state_keys,
    m.GetEagerState: _get_eager_state,
    m.GetEagerStateKeys: _get_eager_state_keys,
    m.GetPromise: _promise,
    m.PeekPromise: _promise,
    m.CompletePromise: _complete_promise,
    m.Sleep: _sleep,
    m.Call: _call,
    m.OneWayCall: _one_way_call,
    m.SendSignal: _send_signal,
    m.Run: _run,
    m.AttachInvocation: _attach,
    m.GetInvocationOutput: _attach,
    m.CompleteAwakeable: _complete_awakeable,
    m.Notification: _notification,
}
