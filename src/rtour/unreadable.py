"""What msgspec raises for JSON of strangers, in all: there are more ways than its own error."""

from __future__ import annotations

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""No JSON or not of the expected shape; text that is no UTF-8; nested beyond all measure."""
