"""Handler records, under the official SDK's module name."""

from rtour.sdk.handlers import Handler, HandlerIO, ServiceTag, handler_from_callable

__all__ = ["Handler", "HandlerIO", "ServiceTag", "handler_from_callable"]
