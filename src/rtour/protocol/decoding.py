"""Bytes of a payload to message structs, one flat function per message (service-protocol §4).

Numbers such as 0x72 are protobuf keys (`protobuf`); the field number stands behind them.
Unknown fields are passed over. What the protocol requires must be there: a oneof without a
member is malformed, because no default could stand for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rtour.errors import FutureTooDeep, ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.protobuf import PROTOCOL_VIOLATION, fields, malformed, numbers

MAX_FUTURE_DEPTH: Final = 100
"""Protobuf's usual nesting limit; keeps every recursive reader of the tree within its stack."""

_U32: Final = 0xFFFF_FFFF
_U16: Final = 0xFFFF
_INTERNAL_ERROR: Final = 500
_TREE_SINCE: Final = 7
_SIGNAL: Final = int(m.MessageType.SIGNAL)
_SUSPENSION: Final = int(m.MessageType.SUSPENSION)


def decode(type: int, payload: bytes, version: int = 7) -> m.Message:  # noqa: A002
    """The message of a frame; ProtocolError when the bytes or the type are not the protocol's."""
    try:
        if 0x8000 <= type < 0xFC00:
            return _notification(type, payload)
        if type == _SUSPENSION and version < _TREE_SINCE:
            return _flat_suspension(payload)
        decoder = _DECODERS.get(type)
        if decoder is None:
            raise ProtocolError(PROTOCOL_VIOLATION, f"unknown message type 0x{type:04x}")
        return decoder(payload)
    except UnicodeDecodeError:
        raise malformed("a string is not UTF-8") from None


# --- parts -------------------------------------------------------------------------------------


def _text(got: dict[int, Any], key: int) -> str:
    return str(got[key], "utf-8") if key in got else ""


def _optional_text(got: dict[int, Any], key: int) -> str | None:
    return str(got[key], "utf-8") if key in got else None


def _number(got: dict[int, Any], key: int) -> int:
    return int(got.get(key, 0)) & _U32


def _optional_number(got: dict[int, Any], key: int) -> int | None:
    return int(got[key]) & _U32 if key in got else None


def _content(data: bytes) -> bytes:
    """Field 1 of a Value."""
    if len(data) > 1 and data[0] == 0x0A and data[1] == len(data) - 2 < 128:
        return data[2:]  # nearly always: this field alone, and short
    content = b""
    for key, value in fields(data):
        if key == 0x0A:  # 1 content
            content = value
    return content


def _code(code: int) -> int:
    """Codes are 16-bit numbers; Restate reads anything above as 500."""
    return code if code <= _U16 else _INTERNAL_ERROR


def _failure(data: bytes) -> m.Failure:
    found = fields(data)
    got = dict(found)
    metadata: tuple[tuple[str, str], ...] = ()
    if 0x1A in got:  # 3 metadata
        metadata = tuple(_pair(value) for key, value in found if key == 0x1A)
    return m.Failure(_code(_number(got, 0x08)), _text(got, 0x12), metadata)


def _pair(data: bytes) -> tuple[str, str]:
    got = dict(fields(data))
    return _text(got, 0x0A), _text(got, 0x12)


def _headers(found: list[tuple[int, Any]], wanted: int) -> tuple[m.Header, ...]:
    return tuple([m.Header(*_pair(value)) for key, value in found if key == wanted])


def _value_or_failure(got: dict[int, Any], value: int, failure: int) -> m.Value | m.Failure:
    if value in got:
        return m.Value(_content(got[value]))
    if failure in got:
        return _failure(got[failure])
    raise malformed("neither value nor failure")


def _keys(data: bytes) -> tuple[bytes, ...]:
    return tuple([value for key, value in fields(data) if key == 0x0A])


def _future(data: bytes, depth: int = 1) -> m.Future:
    if depth > MAX_FUTURE_DEPTH:
        raise FutureTooDeep(
            PROTOCOL_VIOLATION, f"awaited futures are nested deeper than {MAX_FUTURE_DEPTH}"
        )
    found = fields(data)
    nested = tuple([_future(value, depth + 1) for key, value in found if key == 0x22])
    combinator = dict(found).get(0x28, 0)
    known = 0 <= combinator <= m.Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED
    return m.Future(
        _repeated_numbers(found, 1),
        _repeated_numbers(found, 2),
        tuple([str(value, "utf-8") for key, value in found if key == 0x1A]),
        nested,
        m.Combinator(combinator) if known else m.Combinator.UNKNOWN,
    )


def _repeated_numbers(found: list[tuple[int, Any]], field: int) -> tuple[int, ...]:
    """A repeated uint32, packed or not: readers must take both."""
    values: list[int] = []
    for key, value in found:
        if key == field << 3 | 2:
            values += numbers(value)
        elif key == field << 3:
            values.append(value & _U32)
    return tuple(values)


# --- control -----------------------------------------------------------------------------------


def _start(payload: bytes) -> m.Start:
    found = fields(payload)
    got = dict(found)
    return m.Start(
        id=got.get(0x0A, b""),
        debug_id=_text(got, 0x12),
        known_entries=_number(got, 0x18),
        state_map=tuple([_state_entry(v) for k, v in found if k == 0x22]) if 0x22 in got else (),
        partial_state=bool(got.get(0x28, 0)),
        key=_text(got, 0x32),
        retry_count_since_last_stored_entry=_number(got, 0x38),
        duration_since_last_stored_entry_ms=got.get(0x40, 0),
        random_seed=got.get(0x48, 0),
        scope=_optional_text(got, 0x52),
        limit_key=_optional_text(got, 0x5A),
        idempotency_key=_optional_text(got, 0x62),
    )


def _state_entry(data: bytes) -> m.StateEntry:
    got = dict(fields(data))
    return m.StateEntry(got.get(0x0A, b""), got.get(0x12, b""))


def _suspension(payload: bytes) -> m.Suspension:
    got = dict(fields(payload))
    if 0x22 not in got:  # 4 awaiting_on
        raise malformed("a suspension without awaiting_on")
    return m.Suspension(_future(got[0x22]))


def _flat_suspension(payload: bytes) -> m.Suspension:
    """V5 and V6: three flat lists that mean "any of"."""
    found = fields(payload)
    names = tuple([str(value, "utf-8") for key, value in found if key == 0x1A])
    return m.Suspension(
        m.Future(
            _repeated_numbers(found, 1),
            _repeated_numbers(found, 2),
            names,
            (),
            m.Combinator.FIRST_COMPLETED,
        )
    )


def _error(payload: bytes) -> m.Error:
    got = dict(fields(payload))
    behavior = got.get(0x48, 0)
    return m.Error(
        code=_code(_number(got, 0x08)),
        message=_text(got, 0x12),
        stacktrace=_text(got, 0x1A),
        related_command_index=_optional_number(got, 0x20),
        related_command_name=_optional_text(got, 0x2A),
        related_command_type=_optional_number(got, 0x30),
        next_retry_delay_ms=got.get(0x40),
        behavior=m.ErrorBehavior(behavior if behavior <= m.ErrorBehavior.FAIL else 0),
    )


def _end(payload: bytes) -> m.End:
    fields(payload)
    return m.End()


def _command_ack(payload: bytes) -> m.CommandAck:
    return m.CommandAck(_number(dict(fields(payload)), 0x08))


def _propose_run_completion(payload: bytes) -> m.ProposeRunCompletion:
    got = dict(fields(payload))
    if 0x72 in got:  # 14 value: raw, not a Value
        return m.ProposeRunCompletion(_number(got, 0x08), m.Value(got[0x72]))
    return m.ProposeRunCompletion(_number(got, 0x08), _value_or_failure(got, 0x72, 0x7A))


def _awaiting_on(payload: bytes) -> m.AwaitingOn:
    got = dict(fields(payload))
    return m.AwaitingOn(_future(got.get(0x0A, b"")), bool(got.get(0x10, 0)))


def _propose_run_completion_ack(payload: bytes) -> m.ProposeRunCompletionAck:
    return m.ProposeRunCompletionAck(_number(dict(fields(payload)), 0x08))


# --- commands: 12 is the name everywhere, 11 the result's completion id --------------------------


def _input(payload: bytes) -> m.Input:
    found = fields(payload)
    got = dict(found)
    value = _content(got[0x72]) if 0x72 in got else b""
    return m.Input(_headers(found, 0x0A) if 0x0A in got else (), value, _text(got, 0x62))


def _output(payload: bytes) -> m.Output:
    got = dict(fields(payload))
    if 0x72 in got:
        return m.Output(m.Value(_content(got[0x72])), _text(got, 0x62))
    return m.Output(_value_or_failure(got, 0x72, 0x7A), _text(got, 0x62))


def _get_lazy_state(payload: bytes) -> m.GetLazyState:
    got = dict(fields(payload))
    return m.GetLazyState(got.get(0x0A, b""), _number(got, 0x58), _text(got, 0x62))


def _set_state(payload: bytes) -> m.SetState:
    got = dict(fields(payload))
    if 0x1A not in got:  # 3 value
        raise malformed("a state write without value")
    return m.SetState(got.get(0x0A, b""), _content(got[0x1A]), _text(got, 0x62))


def _clear_state(payload: bytes) -> m.ClearState:
    got = dict(fields(payload))
    return m.ClearState(got.get(0x0A, b""), _text(got, 0x62))


def _clear_all_state(payload: bytes) -> m.ClearAllState:
    return m.ClearAllState(_text(dict(fields(payload)), 0x62))


def _get_lazy_state_keys(payload: bytes) -> m.GetLazyStateKeys:
    got = dict(fields(payload))
    return m.GetLazyStateKeys(_number(got, 0x58), _text(got, 0x62))


def _get_eager_state(payload: bytes) -> m.GetEagerState:
    got = dict(fields(payload))
    if 0x72 in got:  # 14 value
        return m.GetEagerState(got.get(0x0A, b""), m.Value(_content(got[0x72])), _text(got, 0x62))
    if 0x6A in got:  # 13 void
        return m.GetEagerState(got.get(0x0A, b""), m.VOID, _text(got, 0x62))
    raise malformed("neither value nor void")


def _get_eager_state_keys(payload: bytes) -> m.GetEagerStateKeys:
    got = dict(fields(payload))
    return m.GetEagerStateKeys(_keys(got.get(0x72, b"")), _text(got, 0x62))


def _get_promise(payload: bytes) -> m.GetPromise:
    got = dict(fields(payload))
    return m.GetPromise(_text(got, 0x0A), _number(got, 0x58), _text(got, 0x62))


def _peek_promise(payload: bytes) -> m.PeekPromise:
    got = dict(fields(payload))
    return m.PeekPromise(_text(got, 0x0A), _number(got, 0x58), _text(got, 0x62))


def _complete_promise(payload: bytes) -> m.CompletePromise:
    got = dict(fields(payload))
    completion = _value_or_failure(got, 0x12, 0x1A)
    return m.CompletePromise(_text(got, 0x0A), completion, _number(got, 0x58), _text(got, 0x62))


def _sleep(payload: bytes) -> m.Sleep:
    got = dict(fields(payload))
    return m.Sleep(got.get(0x08, 0), _number(got, 0x58), _text(got, 0x62))


def _call(payload: bytes) -> m.Call:
    found = fields(payload)
    got = dict(found)
    return m.Call(
        service_name=_text(got, 0x0A),
        handler_name=_text(got, 0x12),
        parameter=got.get(0x1A, b""),
        headers=_headers(found, 0x22) if 0x22 in got else (),
        key=_text(got, 0x2A),
        idempotency_key=_optional_text(got, 0x32),
        scope=_optional_text(got, 0x3A),
        limit_key=_optional_text(got, 0x42),
        invocation_id_notification_idx=_number(got, 0x50),
        result_completion_id=_number(got, 0x58),
        name=_text(got, 0x62),
    )


def _one_way_call(payload: bytes) -> m.OneWayCall:
    found = fields(payload)
    got = dict(found)
    return m.OneWayCall(
        service_name=_text(got, 0x0A),
        handler_name=_text(got, 0x12),
        parameter=got.get(0x1A, b""),
        invoke_time=got.get(0x20, 0),
        headers=_headers(found, 0x2A) if 0x2A in got else (),
        key=_text(got, 0x32),
        idempotency_key=_optional_text(got, 0x3A),
        scope=_optional_text(got, 0x42),
        limit_key=_optional_text(got, 0x4A),
        invocation_id_notification_idx=_number(got, 0x50),
        name=_text(got, 0x62),
    )


def _send_signal(payload: bytes) -> m.SendSignal:
    got = dict(fields(payload))
    signal: int | str
    if 0x10 in got:  # 2 idx
        signal = _number(got, 0x10)
    elif 0x1A in got:  # 3 name
        signal = _text(got, 0x1A)
    else:
        raise malformed("a signal without index or name")
    result = m.VOID if 0x22 in got else _value_or_failure(got, 0x2A, 0x32)
    return m.SendSignal(_text(got, 0x0A), signal, result, _text(got, 0x62))


def _run(payload: bytes) -> m.Run:
    got = dict(fields(payload))
    return m.Run(_number(got, 0x58), _text(got, 0x62))


def _attach_invocation(payload: bytes) -> m.AttachInvocation:
    got = dict(fields(payload))
    return m.AttachInvocation(_target(got), _number(got, 0x58), _text(got, 0x62))


def _get_invocation_output(payload: bytes) -> m.GetInvocationOutput:
    got = dict(fields(payload))
    return m.GetInvocationOutput(_target(got), _number(got, 0x58), _text(got, 0x62))


def _target(got: dict[int, Any]) -> m.AttachTarget:
    if 0x0A in got:  # 1 invocation_id
        return m.InvocationId(_text(got, 0x0A))
    if 0x1A in got:  # 3 idempotent_request_target
        request = dict(fields(got[0x1A]))
        return m.IdempotentRequestTarget(
            service_name=_text(request, 0x0A),
            service_key=_optional_text(request, 0x12),
            handler_name=_text(request, 0x1A),
            idempotency_key=_text(request, 0x22),
            scope=_optional_text(request, 0x2A),
        )
    if 0x22 in got:  # 4 workflow_target
        target = dict(fields(got[0x22]))
        return m.WorkflowTarget(
            _text(target, 0x0A), _text(target, 0x12), _optional_text(target, 0x1A)
        )
    raise malformed("no target to attach to")


def _complete_awakeable(payload: bytes) -> m.CompleteAwakeable:
    got = dict(fields(payload))
    result = _value_or_failure(got, 0x12, 0x1A)
    return m.CompleteAwakeable(_text(got, 0x0A), result, _text(got, 0x62))


# --- notifications -----------------------------------------------------------------------------


def _notification(type: int, payload: bytes) -> m.Notification:  # noqa: A002
    """Any notification, known or not: they share one layout (§4.5)."""
    got = dict(fields(payload))
    id_: int | str
    if type != _SIGNAL and 0x08 in got:  # 1 completion_id
        id_ = _number(got, 0x08)
    elif type == _SIGNAL and 0x10 in got:  # 2 index
        id_ = _number(got, 0x10)
    elif type == _SIGNAL and 0x1A in got:  # 3 name
        id_ = _text(got, 0x1A)
    else:
        raise malformed("a notification without id")
    return m.Notification(type, id_, _result(got))


def _result(got: dict[int, Any]) -> m.Result:
    if 0x2A in got:  # 5 value
        return m.Value(_content(got[0x2A]))
    if 0x22 in got:  # 4 void
        return m.VOID
    if 0x32 in got:  # 6 failure
        return _failure(got[0x32])
    if 0x82 in got:  # 16 invocation_id
        return m.InvocationId(_text(got, 0x82))
    if 0x8A in got:  # 17 state_keys
        return m.StateKeys(_keys(got[0x8A]))
    raise malformed("a notification without result")


_DECODERS: Final[dict[int, Callable[[bytes], m.Message]]] = {
    0x0000: _start,
    0x0001: _suspension,
    0x0002: _error,
    0x0003: _end,
    0x0004: _command_ack,
    0x0005: _propose_run_completion,
    0x0006: _awaiting_on,
    0x0007: _propose_run_completion_ack,
    0x0400: _input,
    0x0401: _output,
    0x0402: _get_lazy_state,
    0x0403: _set_state,
    0x0404: _clear_state,
    0x0405: _clear_all_state,
    0x0406: _get_lazy_state_keys,
    0x0407: _get_eager_state,
    0x0408: _get_eager_state_keys,
    0x0409: _get_promise,
    0x040A: _peek_promise,
    0x040B: _complete_promise,
    0x040C: _sleep,
    0x040D: _call,
    0x040E: _one_way_call,
    0x0410: _send_signal,
    0x0411: _run,
    0x0412: _attach_invocation,
    0x0413: _get_invocation_output,
    0x0414: _complete_awakeable,
}
