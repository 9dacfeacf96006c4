"""What the invoker knows right now, as rows of `sys_invocation_state`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from rtour.engine.model import AttemptError
from rtour.protocol.messages import MessageType
from rtour.server.activation import Activation
from rtour.server.back_off import Retry
from rtour.server.invoker import Invoker
from rtour.storage.introspection import LiveAttempt, awaited

# Restate's words for the codes an attempt can fail with.
_CODE_NAMES = {
    400: "Bad Request",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    415: "Unsupported Media Type",
    500: "Internal",
    570: "Journal mismatch",
    571: "Protocol violation",
    573: "Unsupported feature",
}


def live_attempts(invoker: Invoker) -> Iterator[LiveAttempt]:
    """One row per invocation that runs or waits for its next attempt."""
    for activation in invoker.activations():
        if activation.attempts:
            yield _row(activation)
    yield from _rows_of_left(invoker.back_off.left())


def _row(activation: Activation) -> LiveAttempt:
    attempt = activation.attempt
    awaiting = attempt.awaiting_on if attempt else None
    return LiveAttempt(
        id=activation.invocation.id,
        in_flight=attempt is not None,
        retry_count=activation.attempts,
        last_start_at=activation.started_at,
        last_attempt_deployment_id=activation.deployment_id,
        last_attempt_server=(attempt.sdk if attempt else None) or activation.sdk,
        next_retry_at=activation.next_retry_at,
        last_awaiting_on_future_json=awaited.tree(awaiting) if awaiting else None,
        **_failure(activation.last_error),
    )


def _rows_of_left(retries: Iterator[Retry]) -> Iterator[LiveAttempt]:
    """Of what was left to storage until it is tried again: many, hence without stack traces."""
    failures: dict[AttemptError | None, dict[str, Any]] = {}
    for retry in retries:
        error = retry.reason.last_error
        if error not in failures:
            failures[error] = _failure(None if error is None else replace(error, stacktrace=""))
        yield LiveAttempt(
            id=retry.id,
            in_flight=False,
            retry_count=retry.left.tried.attempts,
            last_start_at=retry.left.tried.started_at,
            last_attempt_deployment_id=retry.reason.deployment_id,
            last_attempt_server=retry.reason.sdk,
            next_retry_at=retry.at,
            **failures[error],
        )


def _failure(error: AttemptError | None) -> dict[str, Any]:
    """The columns of the latest failure."""
    if error is None:
        return {}
    return {
        "last_failure": failure_text(error),
        "last_failure_error_code": error.doc_code,
        "last_failure_related_command_index": error.related_command_index,
        "last_failure_related_command_name": error.related_command_name,
        "last_failure_related_command_type": _command_type(error),
    }


def failure_text(error: AttemptError) -> str:
    """`[500 Internal] message`, and the stack trace below it if the service sent one."""
    text = f"[{code_text(error.code)}] {error.message}"
    return f"{text}\n{error.stacktrace}" if error.stacktrace else text


def code_text(code: int) -> str:
    """`500 Internal`."""
    name = _CODE_NAMES.get(code)
    return f"{code} {name}" if name else str(code)


def _command_type(error: AttemptError) -> str | None:
    """`Run` for the type code of a Run command, as `sys_journal` spells it."""
    if error.related_command_type is None:
        return None
    try:
        name = MessageType(error.related_command_type).name
    except ValueError:
        return None
    return "".join(word.capitalize() for word in name.split("_"))
