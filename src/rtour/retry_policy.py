"""`InvocationRetryPolicy`, under the official SDK's module name."""

from rtour.sdk.options import InvocationRetryPolicy

__all__ = ["InvocationRetryPolicy"]
