"""Values as people read them: escaped text, payloads, sizes, counts.

Names, keys and payloads come from strangers. Whatever could move the cursor, ring the bell or
turn the text around is shown escaped and never interpreted. The command line and the terminal UI
show the same.
"""

from __future__ import annotations

import json
import re

from rtour.client.heads import Head, size_of

# C0 and C1 controls, DEL, line and paragraph separators, zero-width and bidirectional marks.
_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
MAX_PREVIEW = 200
MAX_JSON = 256 * 1024
MAX_SHOWN = 16 * 1024
MAX_HEX = 2 * 1024
# Short rows fit beside a list on a terminal of 80 columns.
HEX_ROW = 8


def shown(text: str, *, newlines: bool = False) -> str:
    """Text that is safe on a terminal; `newlines` keeps line breaks."""
    if newlines:
        return "\n".join(shown(line) for line in text.replace("\r\n", "\n").split("\n"))
    # A lone surrogate cannot be encoded, and would end the program in mid-table.
    return _HOSTILE.sub(_escape, text).encode("utf-8", "backslashreplace").decode()


def payload(value: bytes | None, *, limit: int | None = MAX_PREVIEW) -> str:
    """A payload on one line: JSON or text as it is, other bytes in hex."""
    if value is None:
        return ""
    # Of a large value no more is read than can be shown.
    head = value if limit is None else value[: 4 * limit + 4]
    text = _decoded(head, cut=len(head) < len(value))
    text = "0x" + value[: (limit or len(value))].hex() if text is None else shown(text)
    if limit is not None and len(text) > limit:
        return f"{text[:limit]}… ({size(size_of(value))})"
    return text


def as_json(value: bytes) -> object:
    """A payload for JSON output: the JSON value it holds, else its text, else its hex."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return {"hex": value.hex()}
    try:
        return json.loads(text)
    except ValueError:
        return text


def size(count: int) -> str:
    """`12 B`, `3.4 KiB`, `8.0 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def plural(count: int, noun: str) -> str:
    """`1 invocation`, `2 invocations`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def first_line(text: str) -> str:
    """The first line, and a sign that there is more."""
    head, newline, rest = text.strip().partition("\n")
    return f"{head} …" if newline and rest.strip() else head


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _NAMED.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def pretty(value: bytes) -> str:
    """A payload over many lines: JSON indented, text as it is, other bytes as a hex dump.

    Of a large one only the beginning, and how much there is; what is shown is escaped by whoever
    shows it.
    """
    if size_of(value) > MAX_JSON or isinstance(value, Head):
        head = f"{size(size_of(value))}, of which the beginning:\n"
        return head + _text_or_hex(value[:MAX_SHOWN], cut=True)
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        return _text_or_hex(value[:MAX_SHOWN], cut=len(value) > MAX_SHOWN)


def _text_or_hex(value: bytes, *, cut: bool) -> str:
    text = _decoded(value, cut=cut)
    if text is not None:
        return text
    return "\n".join(
        _hex_line(value, start) for start in range(0, min(len(value), MAX_HEX), HEX_ROW)
    )


def _decoded(value: bytes, *, cut: bool) -> str | None:
    """The text in bytes; where they were cut, half a character at the end is let go."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        if cut and error.start >= len(value) - 3:
            return value[: error.start].decode("utf-8")
        return None


def _hex_line(value: bytes, start: int) -> str:
    row = value[start : start + HEX_ROW]
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{start:06x}  {row.hex(' '):<{3 * HEX_ROW - 1}}  {text}"
