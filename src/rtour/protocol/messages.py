"""One frozen struct per message of the service protocol (service-protocol.md §4).

The server, the engine, the SDK's state machine and the terminal UI share this vocabulary, so a
journal reads the same everywhere. This module knows shapes only: bytes are `framing`'s business.

Conventions: field names are the protocol's; `None` means an absent optional field; times end in
`_time` and are milliseconds since the epoch; payloads are raw bytes.
"""

from __future__ import annotations

import enum

from rtour.protocol.values import (
    VOID,
    AttachTarget,
    Combinator,
    Failure,
    Future,
    Header,
    IdempotentRequestTarget,
    InvocationId,
    Result,
    StateEntry,
    StateKeys,
    Struct,
    Value,
    Void,
    WorkflowTarget,
)

# handed on, so that one import has the whole vocabulary
__all__ = [
    "VOID",
    "AttachTarget",
    "Combinator",
    "Failure",
    "Future",
    "Header",
    "IdempotentRequestTarget",
    "InvocationId",
    "Result",
    "StateEntry",
    "StateKeys",
    "Struct",
    "Value",
    "Void",
    "WorkflowTarget",
]


class MessageType(enum.IntEnum):
    """Type codes of the frame header; 0x0400 to 0x7FFF are commands, 0x8000 up notifications."""

    START = 0x0000
    SUSPENSION = 0x0001
    ERROR = 0x0002
    END = 0x0003
    COMMAND_ACK = 0x0004
    PROPOSE_RUN_COMPLETION = 0x0005
    AWAITING_ON = 0x0006
    PROPOSE_RUN_COMPLETION_ACK = 0x0007
    INPUT = 0x0400
    OUTPUT = 0x0401
    GET_LAZY_STATE = 0x0402
    SET_STATE = 0x0403
    CLEAR_STATE = 0x0404
    CLEAR_ALL_STATE = 0x0405
    GET_LAZY_STATE_KEYS = 0x0406
    GET_EAGER_STATE = 0x0407
    GET_EAGER_STATE_KEYS = 0x0408
    GET_PROMISE = 0x0409
    PEEK_PROMISE = 0x040A
    COMPLETE_PROMISE = 0x040B
    SLEEP = 0x040C
    CALL = 0x040D
    ONE_WAY_CALL = 0x040E
    SEND_SIGNAL = 0x0410
    RUN = 0x0411
    ATTACH_INVOCATION = 0x0412
    GET_INVOCATION_OUTPUT = 0x0413
    COMPLETE_AWAKEABLE = 0x0414
    GET_LAZY_STATE_COMPLETION = 0x8002
    GET_LAZY_STATE_KEYS_COMPLETION = 0x8006
    GET_PROMISE_COMPLETION = 0x8009
    PEEK_PROMISE_COMPLETION = 0x800A
    COMPLETE_PROMISE_COMPLETION = 0x800B
    SLEEP_COMPLETION = 0x800C
    CALL_COMPLETION = 0x800D
    CALL_INVOCATION_ID_COMPLETION = 0x800E
    RUN_COMPLETION = 0x8011
    ATTACH_INVOCATION_COMPLETION = 0x8012
    GET_INVOCATION_OUTPUT_COMPLETION = 0x8013
    SIGNAL = 0xFBFF


class SignalIndex:
    """Built-in signals; awakeables count from `FIRST_AWAKEABLE` up (§4.6)."""

    CANCEL = 1
    FIRST_AWAKEABLE = 17


# --- control messages --------------------------------------------------------------------------


class ErrorBehavior(enum.IntEnum):
    """What a failed attempt asks of the server (V7)."""

    RETRY = 0
    PAUSE = 1
    FAIL = 2


class Start(Struct):
    """Opens an attempt. `known_entries` frames follow; `state_map` is the eager state."""

    id: bytes
    debug_id: str
    known_entries: int
    state_map: tuple[StateEntry, ...] = ()
    partial_state: bool = False
    key: str = ""
    retry_count_since_last_stored_entry: int = 0
    duration_since_last_stored_entry_ms: int = 0
    random_seed: int = 0
    scope: str | None = None
    limit_key: str | None = None
    idempotency_key: str | None = None


class Suspension(Struct):
    """The attempt ends until `awaiting_on` can make progress.

    V5 and V6 carry flat lists, which decode to one FIRST_COMPLETED node.
    """

    awaiting_on: Future


class Error(Struct):
    """The attempt failed; retried by policy unless `behavior` says otherwise."""

    code: int
    message: str = ""
    stacktrace: str = ""
    related_command_index: int | None = None
    related_command_name: str | None = None
    related_command_type: int | None = None
    next_retry_delay_ms: int | None = None
    behavior: ErrorBehavior = ErrorBehavior.RETRY


class End(Struct):
    """The last frame of a finished invocation; the last `Output` counts."""


class CommandAck(Struct):
    command_index: int


class ProposeRunCompletion(Struct):
    """The result of a side effect, to be made durable; `value` is sent raw, not as a Value."""

    result_completion_id: int
    result: Value | Failure


class AwaitingOn(Struct):
    """A hint of the current await point (V7); not journaled."""

    awaiting_on: Future
    executing_side_effects: bool = False


class ProposeRunCompletionAck(Struct):
    completion_id: int


# --- commands: entries the handler's code makes -------------------------------------------------


class Input(Struct):
    headers: tuple[Header, ...] = ()
    value: bytes = b""
    name: str = ""


class Output(Struct):
    result: Value | Failure
    name: str = ""


class GetLazyState(Struct):
    key: bytes
    result_completion_id: int
    name: str = ""


class SetState(Struct):
    key: bytes
    value: bytes
    name: str = ""


class ClearState(Struct):
    key: bytes
    name: str = ""


class ClearAllState(Struct):
    name: str = ""


class GetLazyStateKeys(Struct):
    result_completion_id: int
    name: str = ""


class GetEagerState(Struct):
    key: bytes
    result: Void | Value
    name: str = ""


class GetEagerStateKeys(Struct):
    keys: tuple[bytes, ...] = ()
    name: str = ""


class GetPromise(Struct):
    key: str
    result_completion_id: int
    name: str = ""


class PeekPromise(Struct):
    key: str
    result_completion_id: int
    name: str = ""


class CompletePromise(Struct):
    key: str
    completion: Value | Failure
    result_completion_id: int
    name: str = ""


class Sleep(Struct):
    wake_up_time: int
    result_completion_id: int
    name: str = ""


class Call(Struct):
    service_name: str
    handler_name: str
    parameter: bytes
    invocation_id_notification_idx: int
    result_completion_id: int
    headers: tuple[Header, ...] = ()
    key: str = ""
    idempotency_key: str | None = None
    scope: str | None = None
    limit_key: str | None = None
    name: str = ""


class OneWayCall(Struct):
    """`invoke_time` 0 means now."""

    service_name: str
    handler_name: str
    parameter: bytes
    invocation_id_notification_idx: int
    invoke_time: int = 0
    headers: tuple[Header, ...] = ()
    key: str = ""
    idempotency_key: str | None = None
    scope: str | None = None
    limit_key: str | None = None
    name: str = ""


class SendSignal(Struct):
    """`signal` is an index (int) or a name (str)."""

    target_invocation_id: str
    signal: int | str
    result: Void | Value | Failure
    name: str = ""


class Run(Struct):
    result_completion_id: int
    name: str = ""


class AttachInvocation(Struct):
    target: AttachTarget
    result_completion_id: int
    name: str = ""


class GetInvocationOutput(Struct):
    target: AttachTarget
    result_completion_id: int
    name: str = ""


class CompleteAwakeable(Struct):
    awakeable_id: str
    result: Value | Failure
    name: str = ""


Command = (
    Input
    | Output
    | GetLazyState
    | SetState
    | ClearState
    | ClearAllState
    | GetLazyStateKeys
    | GetEagerState
    | GetEagerStateKeys
    | GetPromise
    | PeekPromise
    | CompletePromise
    | Sleep
    | Call
    | OneWayCall
    | SendSignal
    | Run
    | AttachInvocation
    | GetInvocationOutput
    | CompleteAwakeable
)


# --- notifications: entries the world makes -----------------------------------------------------


class Notification(Struct):
    """A completion or a signal: every notification shares this layout (§4.5).

    `id` is a completion id when `type` is a completion; for `MessageType.SIGNAL` it is a signal
    index (int) or a signal name (str).
    """

    type: int
    id: int | str
    result: Result


Control = (
    Start
    | Suspension
    | Error
    | End
    | CommandAck
    | ProposeRunCompletion
    | AwaitingOn
    | ProposeRunCompletionAck
)
Message = Control | Command | Notification

COMMAND_TYPES: dict[type, MessageType] = {
    Input: MessageType.INPUT,
    Output: MessageType.OUTPUT,
    GetLazyState: MessageType.GET_LAZY_STATE,
    SetState: MessageType.SET_STATE,
    ClearState: MessageType.CLEAR_STATE,
    ClearAllState: MessageType.CLEAR_ALL_STATE,
    GetLazyStateKeys: MessageType.GET_LAZY_STATE_KEYS,
    GetEagerState: MessageType.GET_EAGER_STATE,
    GetEagerStateKeys: MessageType.GET_EAGER_STATE_KEYS,
    GetPromise: MessageType.GET_PROMISE,
    PeekPromise: MessageType.PEEK_PROMISE,
    CompletePromise: MessageType.COMPLETE_PROMISE,
    Sleep: MessageType.SLEEP,
    Call: MessageType.CALL,
    OneWayCall: MessageType.ONE_WAY_CALL,
    SendSignal: MessageType.SEND_SIGNAL,
    Run: MessageType.RUN,
    AttachInvocation: MessageType.ATTACH_INVOCATION,
    GetInvocationOutput: MessageType.GET_INVOCATION_OUTPUT,
    CompleteAwakeable: MessageType.COMPLETE_AWAKEABLE,
}
