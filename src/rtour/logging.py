"""Replay-aware logging, under the official SDK's module name."""

from rtour.sdk.logs import RestateLoggingFilter, getLogger, install

__all__ = ["RestateLoggingFilter", "getLogger", "install"]
