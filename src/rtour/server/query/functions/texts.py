"""Functions of text and bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Any

from rtour.server.query.dialect.calls import Function, strict

_TEXT_MAX = 16 * 1024 * 1024


@lru_cache(maxsize=256)
def _pattern(pattern: str, flags: str = "") -> re.Pattern[str]:
    known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
    chosen = re.NOFLAG
    for flag in flags:
        chosen |= known.get(flag, re.NOFLAG)
    try:
        return re.compile(pattern, chosen)
    except re.error as error:
        raise ValueError(f"Regular expression did not compile: {error}") from None


def regexp_like(text: str, pattern: str, flags: str = "") -> bool:
    return _pattern(pattern, flags).search(text) is not None


def ilike(text: str, pattern: str, escape: str = "\\") -> bool:
    """LIKE whatever the case, by Unicode's rules."""
    return _like(pattern, escape).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _like(pattern: str, escape: str) -> re.Pattern[str]:
    parts, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        if character == escape and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
        at += 1
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _regexp_replace(text: str, pattern: str, replacement: str, flags: str = "") -> str:
    count = 0 if "g" in flags else 1
    with_python_groups = re.sub(r"\\(\d)|\$\{?(\d+)\}?", r"\\g<\1\2>", replacement)
    return _pattern(pattern, flags.replace("g", "")).sub(with_python_groups, text, count=count)


def _bounded(length: int) -> int:
    if length > _TEXT_MAX:
        raise ValueError(f"a text of {length} characters is too long")
    return max(length, 0)


def _lpad(text: str, length: int, fill: str = " ") -> str:
    missing = _bounded(length) - len(text)
    return (fill * missing)[:missing] + text if missing > 0 else text[: max(length, 0)]


def _rpad(text: str, length: int, fill: str = " ") -> str:
    missing = _bounded(length) - len(text)
    return text + (fill * missing)[:missing] if missing > 0 else text[: max(length, 0)]


def _split_part(text: str, separator: str, number: int) -> str:
    parts = text.split(separator) if separator else [text]
    index = number - 1 if number > 0 else number
    return parts[index] if -len(parts) <= index < len(parts) else ""


def _repeat(text: str, times: int) -> str:
    _bounded(len(text) * times)
    return text * max(times, 0)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _encode(value: str | bytes, form: str) -> str:
    if form == "hex":
        return _bytes(value).hex()
    if form == "base64":
        return base64.b64encode(_bytes(value)).decode().rstrip("=")
    raise ValueError(f"There is no built-in encoding named '{form}', use hex or base64")


def _decode(text: str, form: str) -> bytes:
    if form == "hex":
        return bytes.fromhex(text)
    if form == "base64":
        return base64.b64decode(text + "=" * (-len(text) % 4))
    raise ValueError(f"There is no built-in encoding named '{form}', use hex or base64")


def _substr(text: str, start: int, length: int | None = None) -> str:
    first = start - 1
    end = len(text) if length is None else first + max(length, 0)
    return text[max(first, 0) : max(end, 0)]


def _concat(*values: Any) -> str:
    return "".join(_shown(value) for value in values if value is not None)


def _concat_ws(separator: str | None, *values: Any) -> str | None:
    if separator is None:
        return None
    return separator.join(_shown(value) for value in values if value is not None)


def _shown(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _text(function: Any, least: int = 1, most: int = 1) -> Function:
    return Function("text", strict(function), least=least, most=most)


def _number(function: Any, least: int = 1, most: int = 1) -> Function:
    return Function("i64", strict(function), least=least, most=most)


def _test(function: Any, least: int = 2, most: int = 2) -> Function:
    return Function("bool", strict(function), least=least, most=most)


def _left(text: str, count: int) -> str:
    return text[:count]


def _right(text: str, count: int) -> str:
    return text[-count:] if count > 0 else text[-count:] if count else ""


_LENGTH = Function("i64", native="length", least=1, most=1)
_FIND = _number(lambda text, part: text.find(part) + 1, 2, 2)
_SUBSTR = _text(_substr, 2, 3)

FUNCTIONS: dict[str, Function] = {
    "lower": _text(str.lower),
    "upper": _text(str.upper),
    "length": _LENGTH,
    "char_length": _LENGTH,
    "character_length": _LENGTH,
    "octet_length": _number(lambda value: len(_bytes(value))),
    "bit_length": _number(lambda value: 8 * len(_bytes(value))),
    "substr": _SUBSTR,
    "substring": _SUBSTR,
    "trim": _text(lambda text, chars=" ": text.strip(chars), 1, 2),
    "btrim": _text(lambda text, chars=" ": text.strip(chars), 1, 2),
    "ltrim": _text(lambda text, chars=" ": text.lstrip(chars), 1, 2),
    "rtrim": _text(lambda text, chars=" ": text.rstrip(chars), 1, 2),
    "replace": Function("text", native="replace", least=3, most=3),
    "strpos": _FIND,
    "instr": _FIND,
    "position": _FIND,
    "starts_with": _test(lambda text, part: text.startswith(part)),
    "ends_with": _test(lambda text, part: text.endswith(part)),
    "contains": _test(lambda text, part: part in text),
    "split_part": _text(_split_part, 3, 3),
    "lpad": _text(_lpad, 2, 3),
    "rpad": _text(_rpad, 2, 3),
    "left": _text(_left, 2, 2),
    "right": _text(_right, 2, 2),
    "repeat": _text(_repeat, 2, 2),
    "reverse": _text(lambda text: text[::-1]),
    "initcap": _text(str.title),
    "ascii": _number(lambda text: ord(text[0]) if text else 0),
    "chr": _text(chr),
    "to_hex": _text(lambda number: f"{number & (2**64 - 1):x}"),
    "md5": _text(lambda value: hashlib.md5(_bytes(value)).hexdigest()),  # noqa: S324 - asked for
    "sha256": Function("binary", strict(lambda v: hashlib.sha256(_bytes(v)).digest()), most=1),
    "encode": _text(_encode, 2, 2),
    "decode": Function("binary", strict(_decode), least=2, most=2),
    "concat": Function("text", _concat),
    "concat_ws": Function("text", _concat_ws, least=1),
    "regexp_like": _test(regexp_like, 2, 3),
    "regexp_count": _number(lambda text, pattern: len(_pattern(pattern).findall(text)), 2, 2),
    "regexp_replace": _text(_regexp_replace, 3, 4),
    "ilike": _test(ilike, 2, 3),
    "utf8": _text(lambda value: value.decode() if isinstance(value, bytes) else str(value)),
}
