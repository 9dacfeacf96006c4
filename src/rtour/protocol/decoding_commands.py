"""Bytes of a payload to command structs, one flat function per command (§4.4).

In every command field 12 (0x62) is the entry's name and 11 (0x58) the completion id of its result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rtour.protocol import decoding_values as d
from rtour.protocol import messages as m
from rtour.protocol.protobuf import fields, malformed


def _input(payload: bytes) -> m.Input:
    got = fields(payload)
    value = d.content(got[0x72]) if 0x72 in got else b""
    return m.Input(d.headers(got, 0x0A), value, d.text(got, 0x62))


def _output(payload: bytes) -> m.Output:
    got = fields(payload)
    if 0x72 in got:
        return m.Output(m.Value(d.content(got[0x72])), d.text(got, 0x62))
    return m.Output(d.value_or_failure(got, 0x72, 0x7A), d.text(got, 0x62))


def _get_lazy_state(payload: bytes) -> m.GetLazyState:
    got = fields(payload)
    return m.GetLazyState(got.get(0x0A, b""), d.number(got, 0x58), d.text(got, 0x62))


def _set_state(payload: bytes) -> m.SetState:
    got = fields(payload)
    if 0x1A not in got:  # 3 value
        raise malformed("a state write without value")
    return m.SetState(got.get(0x0A, b""), d.content(got[0x1A]), d.text(got, 0x62))


def _clear_state(payload: bytes) -> m.ClearState:
    got = fields(payload)
    return m.ClearState(got.get(0x0A, b""), d.text(got, 0x62))


def _clear_all_state(payload: bytes) -> m.ClearAllState:
    return m.ClearAllState(d.text(fields(payload), 0x62))


def _get_lazy_state_keys(payload: bytes) -> m.GetLazyStateKeys:
    got = fields(payload)
    return m.GetLazyStateKeys(d.number(got, 0x58), d.text(got, 0x62))


def _get_eager_state(payload: bytes) -> m.GetEagerState:
    got = fields(payload)
    if 0x72 in got:  # 14 value
        return m.GetEagerState(got.get(0x0A, b""), m.Value(d.content(got[0x72])), d.text(got, 0x62))
    if 0x6A in got:  # 13 void
        return m.GetEagerState(got.get(0x0A, b""), m.VOID, d.text(got, 0x62))
    raise malformed("neither value nor void")


def _get_eager_state_keys(payload: bytes) -> m.GetEagerStateKeys:
    got = fields(payload)
    return m.GetEagerStateKeys(d.keys(got.get(0x72, b"")), d.text(got, 0x62))


def _get_promise(payload: bytes) -> m.GetPromise:
    got = fields(payload)
    return m.GetPromise(d.text(got, 0x0A), d.number(got, 0x58), d.text(got, 0x62))


def _peek_promise(payload: bytes) -> m.PeekPromise:
    got = fields(payload)
    return m.PeekPromise(d.text(got, 0x0A), d.number(got, 0x58), d.text(got, 0x62))


def _complete_promise(payload: bytes) -> m.CompletePromise:
    got = fields(payload)
    completion = d.value_or_failure(got, 0x12, 0x1A)
    return m.CompletePromise(d.text(got, 0x0A), completion, d.number(got, 0x58), d.text(got, 0x62))


def _sleep(payload: bytes) -> m.Sleep:
    got = fields(payload)
    return m.Sleep(got.get(0x08, 0), d.number(got, 0x58), d.text(got, 0x62))


def _call(payload: bytes) -> m.Call:
    got = fields(payload)
    return m.Call(
        service_name=d.text(got, 0x0A),
        handler_name=d.text(got, 0x12),
        parameter=got.get(0x1A, b""),
        headers=d.headers(got, 0x22),
        key=d.text(got, 0x2A),
        idempotency_key=d.optional_text(got, 0x32),
        scope=d.optional_text(got, 0x3A),
        limit_key=d.optional_text(got, 0x42),
        invocation_id_notification_idx=d.number(got, 0x50),
        result_completion_id=d.number(got, 0x58),
        name=d.text(got, 0x62),
    )


def _one_way_call(payload: bytes) -> m.OneWayCall:
    got = fields(payload)
    return m.OneWayCall(
        service_name=d.text(got, 0x0A),
        handler_name=d.text(got, 0x12),
        parameter=got.get(0x1A, b""),
        invoke_time=got.get(0x20, 0),
        headers=d.headers(got, 0x2A),
        key=d.text(got, 0x32),
        idempotency_key=d.optional_text(got, 0x3A),
        scope=d.optional_text(got, 0x42),
        limit_key=d.optional_text(got, 0x4A),
        invocation_id_notification_idx=d.number(got, 0x50),
        name=d.text(got, 0x62),
    )


def _send_signal(payload: bytes) -> m.SendSignal:
    got = fields(payload)
    signal: int | str
    if 0x10 in got:  # 2 idx
        signal = d.number(got, 0x10)
    elif 0x1A in got:  # 3 name
        signal = d.text(got, 0x1A)
    else:
        raise malformed("a signal without index or name")
    result = m.VOID if 0x22 in got else d.value_or_failure(got, 0x2A, 0x32)
    return m.SendSignal(d.text(got, 0x0A), signal, result, d.text(got, 0x62))


def _run(payload: bytes) -> m.Run:
    got = fields(payload)
    return m.Run(d.number(got, 0x58), d.text(got, 0x62))


def _attach_invocation(payload: bytes) -> m.AttachInvocation:
    got = fields(payload)
    return m.AttachInvocation(_target(got), d.number(got, 0x58), d.text(got, 0x62))


def _get_invocation_output(payload: bytes) -> m.GetInvocationOutput:
    got = fields(payload)
    return m.GetInvocationOutput(_target(got), d.number(got, 0x58), d.text(got, 0x62))


def _target(got: dict[int, Any]) -> m.AttachTarget:
    if 0x0A in got:  # 1 invocation_id
        return m.InvocationId(d.text(got, 0x0A))
    if 0x1A in got:  # 3 idempotent_request_target
        request = fields(got[0x1A])
        return m.IdempotentRequestTarget(
            service_name=d.text(request, 0x0A),
            service_key=d.optional_text(request, 0x12),
            handler_name=d.text(request, 0x1A),
            idempotency_key=d.text(request, 0x22),
            scope=d.optional_text(request, 0x2A),
        )
    if 0x22 in got:  # 4 workflow_target
        target = fields(got[0x22])
        return m.WorkflowTarget(
            d.text(target, 0x0A), d.text(target, 0x12), d.optional_text(target, 0x1A)
        )
    raise malformed("no target to attach to")


def _complete_awakeable(payload: bytes) -> m.CompleteAwakeable:
    got = fields(payload)
    result = d.value_or_failure(got, 0x12, 0x1A)
    return m.CompleteAwakeable(d.text(got, 0x0A), result, d.text(got, 0x62))


COMMAND_DECODERS: Final[dict[int, Callable[[bytes], m.Command]]] = {
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
