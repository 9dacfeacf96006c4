"""All fields of one row, one per line; those without a value are left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from rich.text import Text

from rtour.tui.paint import Piece, block, line, stack


def record_text(record: Mapping[str, Any]) -> Text:
    """Names in one column, values in the other; long texts below their name."""
    wide = max((len(name) for name in record), default=0)
    lines: list[Text] = []
    for name, value in record.items():
        if value in (None, "", [], {}):
            continue
        text = _text(value).strip()
        if "\n" in text:
            lines += [line(Piece(name, "name")), block(text)]
        else:
            lines.append(line(Piece(f"{name:<{wide}}  ", "name"), text))
    return stack(*lines)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return str(value)
