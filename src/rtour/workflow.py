"""`Workflow`, under the official SDK's module name."""

from rtour.sdk.services import Workflow

__all__ = ["Workflow"]
