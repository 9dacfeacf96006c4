"""What a handler may raise and what the SDK raises at it.

    Exception
    ├── TerminalError              ends the invocation (or a run, a call, a promise) for good
    │   ├── CancelledError         409: the invocation was cancelled
    │   └── DurableTimeoutError    408: `future.or_timeout()` ran out
    └── RetryableError             fails the attempt; the server tries again, after `retry_after`

    BaseException
    └── SdkInternalBaseException   not for handlers: let it pass
        ├── SuspendedException     the attempt ends here and goes on in a later one
        └── SdkInternalException   the attempt failed; its error is on the wire already

The internal ones derive from BaseException, so that `except Exception` in a handler cannot swallow
the end of an attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

CANCELLED_CODE: Final = 409
TIMEOUT_CODE: Final = 408


class TerminalError(Exception):
    """Ends the invocation with this failure; it is not retried."""

    def __init__(
        self,
        message: str,
        status_code: int = 500,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.metadata = dict(metadata) if metadata else None


class CancelledError(TerminalError):
    """The invocation was cancelled: catch it to compensate, then raise it again."""

    def __init__(self, message: str = "cancelled", status_code: int = CANCELLED_CODE) -> None:
        super().__init__(message, status_code)


class DurableTimeoutError(TerminalError):
    """A durable timeout ran out before the awaited future was done."""

    def __init__(self, message: str = "timed out", status_code: int = TIMEOUT_CODE) -> None:
        super().__init__(message, status_code)


class RetryableError(Exception):
    """Fails this attempt; `retry_after` sets the delay before the next one."""

    def __init__(
        self, message: str, status_code: int = 500, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.retry_after = retry_after


class SdkInternalBaseException(BaseException):
    """The attempt is over; handlers must let it pass."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}\n"
            "This is how the SDK ends an attempt; it is no error of the handler. Do not catch it: "
            "write `except Exception` rather than `except:` or `except BaseException`."
        )


class SuspendedException(SdkInternalBaseException):
    """The invocation waits without a running handler; it resumes in a later attempt."""

    def __init__(self, message: str = "The invocation is suspended.") -> None:
        super().__init__(message)


class SdkInternalException(SdkInternalBaseException):
    """The attempt has failed, or its connection is gone; the server will retry."""

    def __init__(self, message: str = "The attempt is over.") -> None:
        super().__init__(message)


def is_internal_exception(error: BaseException | None) -> bool:
    """Whether `error`, a member of its group, or its cause ends the attempt."""
    while error is not None:
        if isinstance(error, SdkInternalBaseException):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(is_internal_exception(member) for member in error.exceptions)
        error = error.__cause__
    return False
