"""Exceptions, under the official SDK's module name."""

from rtour.sdk.exceptions import (
    CancelledError,
    DurableTimeoutError,
    RetryableError,
    SdkInternalBaseException,
    SdkInternalException,
    SuspendedException,
    TerminalError,
    is_internal_exception,
)

__all__ = [
    "CancelledError",
    "DurableTimeoutError",
    "RetryableError",
    "SdkInternalBaseException",
    "SdkInternalException",
    "SuspendedException",
    "TerminalError",
    "is_internal_exception",
]
