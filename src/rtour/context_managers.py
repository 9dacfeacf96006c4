"""`contextvar`, under the official SDK's module name."""

from rtour.sdk.extensions import contextvar

__all__ = ["contextvar"]
