"""`Service`, under the official SDK's module name."""

from rtour.sdk.services import Service

__all__ = ["Service"]
