"""`VirtualObject`, under the official SDK's module name."""

from rtour.sdk.services import VirtualObject

__all__ = ["VirtualObject"]
