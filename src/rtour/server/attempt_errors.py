"""Why an attempt failed, in Restate's codes (service-protocol.md §2.2, §5.12)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus

from rtour.engine.model import LATEST, AttemptError
from rtour.errors import FutureTooDeep, ProtocolError
from rtour.protocol.messages import Error, ErrorBehavior
from rtour.server.preconditions import Refused
from rtour.server.transport import ResponseHead, TransportError

JOURNAL_MISMATCH = 570
PROTOCOL_VIOLATION = 571
_DIGITS_MAX = 16


class AttemptFailure(Exception):  # noqa: N818 - an outcome of an attempt, not an error of ours
    """Ends an attempt. `retry_after_ms` replaces the policy's next delay."""

    def __init__(
        self,
        error: AttemptError,
        *,
        retry_after_ms: int | None = None,
        behavior: ErrorBehavior = ErrorBehavior.RETRY,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after_ms = retry_after_ms
        self.behavior = behavior


def failure(doc_code: str, message: str, code: int = 500) -> AttemptFailure:
    return AttemptFailure(AttemptError(code, message, doc_code=doc_code))


def from_service(error: Error) -> AttemptFailure:
    """What the SDK reported about its own attempt."""
    codes = {JOURNAL_MISMATCH: "RT0016", PROTOCOL_VIOLATION: "RT0012"}
    return AttemptFailure(
        AttemptError(
            code=error.code,
            message=error.message,
            stacktrace=error.stacktrace,
            doc_code=codes.get(error.code, "RT0007"),
            related_command_index=error.related_command_index,
            related_command_name=error.related_command_name,
            related_command_type=error.related_command_type,
        ),
        retry_after_ms=error.next_retry_delay_ms,
        behavior=error.behavior,
    )


def from_exception(error: ProtocolError | TransportError | Refused) -> AttemptFailure:
    """What went wrong on our side of the stream."""
    code = error.code if isinstance(error, ProtocolError) else 500
    outcome = failure(error.restate_code or "RT0012", str(error), code)
    if isinstance(error, FutureTooDeep):  # the same code would send the same tree again
        outcome.behavior = ErrorBehavior.PAUSE
    return outcome


def from_head(head: ResponseHead, now_ms: int) -> AttemptFailure:
    """A response that is no 2xx."""
    status = head.status
    message = f"the deployment answered with HTTP status {_phrase(status)}"
    if status in {502, 504}:
        return failure("RT0010", f"{message}: it is not available")
    if status in {429, 503}:
        retry_after = _retry_after_ms(head.headers.get("retry-after"), now_ms)
        error = AttemptError(500, f"{message}: it is overloaded", doc_code="RT0023")
        return AttemptFailure(error, retry_after_ms=retry_after)
    if status == 415:
        return failure(
            "RT0015",
            f"{message}: it does not speak the protocol version it was registered with. "
            "Register the deployment again",
        )
    if status == 413:
        return failure("RT0019", f"{message}: the journal is too large for it")
    return failure("RT0012", message)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _retry_after_ms(value: str | None, now_ms: int) -> int | None:
    """Seconds or an HTTP date, as a delay; None if absent or not readable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value) * 1000 if len(value) < _DIGITS_MAX else LATEST
    try:
        at_ms = int(parsedate_to_datetime(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return max(at_ms - now_ms, 0)
