"""Durations as Restate's users write and read them.

In: ISO 8601 (`PT1H30M`) or the friendly format (`1h 30m`, `1.5 s`, `2 days`, `1:30:00`); units of
months and years have no fixed length and are refused. Out: compact friendly (`1d 12h`, `500ms`).
The refusals are worded as the official server words them.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_NAMES: Final = {
    "year": "years year yrs yr y",
    "month": "months month mos mo",
    "week": "weeks week wks wk w",
    "day": "days day d",
    "hour": "hours hour hrs hr h",
    "minute": "minutes minute mins min m",
    "second": "seconds second secs sec s",
    "millisecond": "milliseconds millisecond millis milli msecs msec ms",
    "microsecond": "microseconds microsecond micros micro usecs usec us µs μs",
    "nanosecond": "nanoseconds nanosecond nanos nano nsecs nsec ns",
}
_UNITS: Final = {alias: unit for unit, aliases in _NAMES.items() for alias in aliases.split()}
_ORDER: Final = {unit: place for place, unit in enumerate(_NAMES)}
_MS: Final = {
    "week": Fraction(604_800_000),
    "day": Fraction(86_400_000),
    "hour": Fraction(3_600_000),
    "minute": Fraction(60_000),
    "second": Fraction(1000),
    "millisecond": Fraction(1),
    "microsecond": Fraction(1, 1000),
    "nanosecond": Fraction(1, 1_000_000),
}
_LENGTH_MAX: Final = 200
_MS_MAX: Final = 1 << 53
_SHOWN: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))

_ITEM: Final = re.compile(r"(\d+)(?:[.,](\d+))?[ \t]*([A-Za-zµμ]*)(,?[ \t]*)", re.ASCII)
_CLOCK: Final = re.compile(r"(\d+):(\d\d):(\d\d)(?:[.,](\d+))?", re.ASCII)
_ISO_DATE: Final = re.compile(r"(\d+)([YMWD])", re.ASCII)
_ISO_TIME: Final = re.compile(r"(\d+)(?:[.,](\d+))?([HMS])", re.ASCII)
_ISO_DATE_UNITS: Final = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_ISO_TIME_UNITS: Final = {"H": "hour", "M": "minute", "S": "second"}

_FRIENDLY: Final = 'failed to parse input in the "friendly" duration format: '
_EMPTY: Final = (
    "an empty string is not a valid duration in either the ISO 8601 format "
    'or Jiff\'s "friendly" format'
)
_NO_NUMBER: Final = (
    "expected duration to start with a unit value (a decimal integer) after an optional sign, "
    "but no integer was found"
)
_NO_UNIT: Final = (
    "expected to find unit designator suffix (e.g., `years` or `secs`) after parsing integer"
)


class DurationError(ValueError):
    """Text that is no duration; the message says why."""


def parse_duration(text: str) -> int:
    """Milliseconds, rounded down."""
    if not text:
        raise DurationError(_EMPTY)
    if len(text) > _LENGTH_MAX:
        raise DurationError(f"a duration has at most {_LENGTH_MAX} characters")
    if text == "0":
        return 0
    unsigned = text.removeprefix("-")
    if unsigned[:1] in {"P", "p"}:
        total = _parse_iso(unsigned[1:].upper())
    else:
        total = _parse_friendly(unsigned.removesuffix(" ago"))
    if total and (text.startswith("-") or text.endswith(" ago")):
        raise DurationError("negative signed durations cannot be converted to an unsigned duration")
    if total > _MS_MAX:
        raise DurationError("the duration is too long")
    return int(total)


def parse_delay(text: str) -> int:
    """A duration, or bare milliseconds, which official clients send (http-api.md A8)."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(_MS_MAX)):
        return min(int(text), _MS_MAX)
    return parse_duration(text)


def _amount(whole: str, fraction: str | None, unit: str) -> Fraction:
    length = _MS.get(unit)
    if length is None:
        raise DurationError("please use units of days or smaller")
    digits = fraction or ""
    return Fraction(int(whole + digits), 10 ** len(digits)) * length


def _parse_friendly(text: str) -> Fraction:
    total = Fraction(0)
    position, last, ended = 0, -1, False
    while position < len(text) or not position:
        clock = _CLOCK.fullmatch(text, position)
        if clock is not None:
            return total + _clock(*clock.groups())
        item = _ITEM.match(text, position)
        if item is None or ended:
            raise DurationError(_FRIENDLY + _NO_NUMBER)
        whole, fraction, name, _ = item.groups()
        unit = _UNITS.get(name)
        if unit is None:
            raise DurationError(_FRIENDLY + _NO_UNIT)
        if _ORDER[unit] <= last:
            raise DurationError(f"{_FRIENDLY}units must go from larger to smaller")
        if fraction and _ORDER[unit] < _ORDER["hour"]:
            raise DurationError(f"{_FRIENDLY}fractional {unit}s are not supported")
        total += _amount(whole, fraction, unit)
        position, last, ended = item.end(), _ORDER[unit], bool(fraction)
    return total


def _clock(hours: str, minutes: str, seconds: str, fraction: str | None) -> Fraction:
    whole = _amount(hours, None, "hour") + _amount(minutes, None, "minute")
    return whole + _amount(seconds, fraction, "second")


def _parse_iso(text: str) -> Fraction:
    date, designator, time = text.partition("T")
    if designator and not time:
        raise DurationError(
            "found a time designator (`T` or `t`) in an ISO 8601 duration string, "
            "but did not find any time units"
        )
    if not date and not time:
        raise DurationError("found no units in an ISO 8601 duration string")
    days = _iso_part(date, _ISO_DATE, _ISO_DATE_UNITS)
    return days + _iso_part(time, _ISO_TIME, _ISO_TIME_UNITS)


def _iso_part(text: str, item: re.Pattern[str], units: dict[str, str]) -> Fraction:
    total, position, last = Fraction(0), 0, -1
    while position < len(text):
        found = item.match(text, position)
        if found is None:
            raise DurationError("failed to parse input in the ISO 8601 duration format")
        groups = found.groups()
        unit = units[groups[-1]]
        if _ORDER[unit] <= last:
            raise DurationError("the units of an ISO 8601 duration must go from larger to smaller")
        total += _amount(groups[0], groups[1] if len(groups) > 2 else None, unit)
        position, last = found.end(), _ORDER[unit]
    return total


def friendly(ms: int) -> str:
    """`90000` reads `1m 30s`."""
    parts = []
    for name, length in _SHOWN:
        count, ms = divmod(ms, length)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts) or "0s"
