"""What integrations use, under the official SDK's module name."""

from rtour.sdk.extensions import (
    clear_extension_data,
    current_context,
    get_extension_data,
    set_extension_data,
)

__all__ = ["clear_extension_data", "current_context", "get_extension_data", "set_extension_data"]
