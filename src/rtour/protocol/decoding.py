"""Bytes of a payload to message structs, one flat function per message (service-protocol §4).

Numbers such as 0x72 are protobuf keys (`protobuf`); the field number stands behind them.
Unknown fields are passed over. What the protocol requires must be there: a oneof without a
member is malformed, because no default could stand for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rtour.errors import ProtocolError
from rtour.protocol import decoding_values as d
from rtour.protocol import messages as m
from rtour.protocol.decoding_commands import COMMAND_DECODERS
from rtour.protocol.protobuf import PROTOCOL_VIOLATION, every, fields, malformed, pair

_TREE_SINCE: Final = 7
_BEHAVIORS: Final = tuple(m.ErrorBehavior)
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


# --- control -----------------------------------------------------------------------------------


def _start(payload: bytes) -> m.Start:
    got = fields(payload)
    return m.Start(
        id=got.get(0x0A, b""),
        debug_id=d.text(got, 0x12),
        known_entries=d.number(got, 0x18),
        state_map=tuple([m.StateEntry(*pair(entry)) for entry in every(got, 0x22)]),
        partial_state=bool(got.get(0x28, 0)),
        key=d.text(got, 0x32),
        retry_count_since_last_stored_entry=d.number(got, 0x38),
        duration_since_last_stored_entry_ms=got.get(0x40, 0),
        random_seed=got.get(0x48, 0),
        scope=d.optional_text(got, 0x52),
        limit_key=d.optional_text(got, 0x5A),
        idempotency_key=d.optional_text(got, 0x62),
    )


def _suspension(payload: bytes) -> m.Suspension:
    got = fields(payload)
    if 0x22 not in got:  # 4 awaiting_on
        raise malformed("a suspension without awaiting_on")
    return m.Suspension(d.future(got[0x22]))


def _flat_suspension(payload: bytes) -> m.Suspension:
    """V5 and V6: three flat lists that mean "any of"."""
    got = fields(payload)
    completions, signals = d.repeated_numbers(got, 1), d.repeated_numbers(got, 2)
    names = d.repeated_text(got, 0x1A)
    return m.Suspension(d.awaited(completions, signals, names, (), m.Combinator.FIRST_COMPLETED))


def _error(payload: bytes) -> m.Error:
    got = fields(payload)
    behavior = got.get(0x48, 0)
    return m.Error(
        code=d.code(d.number(got, 0x08)),
        message=d.text(got, 0x12),
        stacktrace=d.text(got, 0x1A),
        related_command_index=d.optional_number(got, 0x20),
        related_command_name=d.optional_text(got, 0x2A),
        related_command_type=d.optional_number(got, 0x30),
        next_retry_delay_ms=got.get(0x40),
        behavior=_BEHAVIORS[behavior] if behavior < len(_BEHAVIORS) else m.ErrorBehavior.RETRY,
    )


def _end(payload: bytes) -> m.End:
    fields(payload)
    return m.End()


def _command_ack(payload: bytes) -> m.CommandAck:
    return m.CommandAck(d.number(fields(payload), 0x08))


def _propose_run_completion(payload: bytes) -> m.ProposeRunCompletion:
    got = fields(payload)
    if 0x72 in got:  # 14 value: raw, not a Value
        return m.ProposeRunCompletion(d.number(got, 0x08), m.Value(got[0x72]))
    return m.ProposeRunCompletion(d.number(got, 0x08), d.value_or_failure(got, 0x72, 0x7A))


def _awaiting_on(payload: bytes) -> m.AwaitingOn:
    got = fields(payload)
    if 0x0A not in got:  # 1 awaiting_on
        raise malformed("an AwaitingOn without awaiting_on")
    return m.AwaitingOn(d.future(got[0x0A]), bool(got.get(0x10, 0)))


def _propose_run_completion_ack(payload: bytes) -> m.ProposeRunCompletionAck:
    return m.ProposeRunCompletionAck(d.number(fields(payload), 0x08))


# --- notifications -----------------------------------------------------------------------------


def _notification(type: int, payload: bytes) -> m.Notification:  # noqa: A002
    """Any notification, known or not: they share one layout (§4.5)."""
    got = fields(payload)
    id_: int | str
    if type != _SIGNAL and 0x08 in got:  # 1 completion_id
        id_ = d.number(got, 0x08)
    elif type == _SIGNAL and 0x10 in got:  # 2 index
        id_ = d.number(got, 0x10)
    elif type == _SIGNAL and 0x1A in got:  # 3 name
        id_ = d.text(got, 0x1A)
    else:
        raise malformed("a notification without id")
    return m.Notification(type, id_, _result(got))


def _result(got: dict[int, Any]) -> m.Result:
    if 0x2A in got:  # 5 value
        return m.Value(d.content(got[0x2A]))
    if 0x22 in got:  # 4 void
        return m.VOID
    if 0x32 in got:  # 6 failure
        return d.failure(got[0x32])
    if 0x82 in got:  # 16 invocation_id
        return m.InvocationId(d.text(got, 0x82))
    if 0x8A in got:  # 17 state_keys
        return m.StateKeys(d.keys(got[0x8A]))
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
    **COMMAND_DECODERS,
}
