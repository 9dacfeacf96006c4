"""Functions of time. Instants and durations are milliseconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rtour.server.query.dialect.calls import Function, same_as_first, strict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS_OF_UNIT = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 7 * 86_400_000,
}
MONTHS_OF_UNIT = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_SHORT = {
    "ms": "millisecond",
    "msec": "millisecond",
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "w": "week",
    "mon": "month",
    "y": "year",
    "yr": "year",
}
_PART = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_CLOCK = re.compile(r"([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")
_ISO = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def instant(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def ms_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def iso_instant(ms: int) -> str:
    """`2026-11-24T02:19:14.878Z`; whole seconds without a fraction."""
    moment = instant(ms)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1000:03d}Z" if ms % 1000 else f"{text}Z"


def iso_date(ms: int) -> str:
    return instant(ms).strftime("%Y-%m-%d")


def iso_duration(ms: int) -> str:
    """`PT86400S`; zero is `P0D`."""
    if not ms:
        return "P0D"
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    seconds, rest = divmod(ms, 1000)
    fraction = f".{rest:03d}" if rest else ""
    return f"{sign}PT{seconds}{fraction}S"


def read_instant(text: str) -> int:
    """Raises ValueError for what is no instant."""
    cleaned = text.strip().replace("/", "-")
    try:
        moment = datetime.fromisoformat(cleaned)
    except ValueError:
        raise ValueError(f"Error parsing timestamp from '{text}'") from None
    return ms_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def unit_of(name: str) -> str:
    """`hours`, `HOUR`, `h` → `hour`. Raises ValueError."""
    unit = name.strip().lower()
    unit = _SHORT.get(unit, unit)
    unit = _SHORT.get(unit.rstrip("s"), unit)
    for known in (unit, unit.rstrip("s"), "century" if unit == "centuries" else unit):
        if known in MS_OF_UNIT or known in MONTHS_OF_UNIT:
            return known
    raise ValueError(f"Invalid interval unit '{name}'")


def read_interval(text: str, unit: str = "second") -> tuple[int, int]:
    """`1 day 2 hours`, `01:30:00`, `PT5M` → months and milliseconds. Raises ValueError."""
    text = text.strip()
    if iso := _ISO.fullmatch(text):
        years, months, weeks, days, hours, minutes, seconds = (
            float(part or 0) for part in iso.groups()
        )
        total = ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
        return int(years * 12 + months), round(total * 1000)
    months, ms = 0, 0.0
    for sign, hours_, minutes_, seconds_ in _CLOCK.findall(text):
        clock = int(hours_) * 3600 + int(minutes_) * 60 + float(seconds_ or 0)
        ms += (-clock if sign == "-" else clock) * 1000
    rest = _CLOCK.sub(" ", text)
    if not text or _PART.sub("", rest).strip(" ,"):
        raise ValueError(f"Invalid input syntax for type interval: '{text}'")
    for number, name in _PART.findall(rest):
        known = unit_of(name or unit)
        if known in MONTHS_OF_UNIT:
            months += int(float(number) * MONTHS_OF_UNIT[known])
        else:
            ms += float(number) * MS_OF_UNIT[known]
    return months, round(ms)


def add_months(ms: int, months: int) -> int:
    """The same day of another month, or its last day."""
    moment = instant(ms)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return ms_of(moment.replace(year=year, month=month + 1, day=min(moment.day, last)))


def date_trunc(unit: str, ms: int) -> int:
    known = unit_of(unit)
    if known == "week":
        day = ms // MS_OF_UNIT["day"]
        return (day - (day + 3) % 7) * MS_OF_UNIT["day"]
    if known in MS_OF_UNIT:
        return ms - ms % MS_OF_UNIT[known]
    moment = instant(ms).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if known == "quarter":
        return ms_of(moment.replace(month=(moment.month - 1) // 3 * 3 + 1))
    return ms_of(moment.replace(month=1) if known == "year" else moment)


_PARTS: dict[str, Callable[[datetime, int], float]] = {
    "year": lambda at, _: at.year,
    "quarter": lambda at, _: (at.month - 1) // 3 + 1,
    "month": lambda at, _: at.month,
    "week": lambda at, _: at.isocalendar().week,
    "day": lambda at, _: at.day,
    "hour": lambda at, _: at.hour,
    "minute": lambda at, _: at.minute,
    "second": lambda at, _: at.second,
    "millisecond": lambda at, ms: at.second * 1000 + ms % 1000,
    "dow": lambda at, _: at.isoweekday() % 7,
    "isodow": lambda at, _: at.weekday(),
    "doy": lambda at, _: at.timetuple().tm_yday,
    "epoch": lambda _, ms: ms / 1000,
}


def date_part(unit: str, ms: int) -> float:
    name = unit.strip().lower()
    part = _PARTS.get(name) or _PARTS.get(unit_of(name))
    if part is None:
        raise ValueError(f"Date part '{unit}' not supported")
    return part(instant(ms), ms)


def duration_part(unit: str, ms: int) -> float:
    """The whole duration in that unit for `epoch`; else its part below the next larger unit."""
    name = unit.strip().lower()
    if name == "epoch":
        return ms / 1000
    known = unit_of(name)
    larger = {"second": "minute", "minute": "hour", "hour": "day"}.get(known)
    rest = ms % MS_OF_UNIT[larger] if larger else ms
    return rest // MS_OF_UNIT[known] if known in MS_OF_UNIT else 0


def _date_bin(stride_ms: int, ms: int, origin_ms: int = 0) -> int:
    if stride_ms <= 0:
        raise ValueError("DATE_BIN stride must be positive")
    return ms - (ms - origin_ms) % stride_ms


def _seconds(value: Any) -> int:
    return read_instant(value) if isinstance(value, str) else round(value * 1000)


def _millis(value: Any) -> int:
    return read_instant(value) if isinstance(value, str) else int(value)


def _to_char(ms: int, pattern: str) -> str:
    text = pattern.replace("%3f", f"{ms % 1000:03d}").replace("%.3f", f".{ms % 1000:03d}")
    return instant(ms).strftime(text)


def _make_date(year: int, month: int, day: int) -> int:
    return ms_of(datetime(year, month, day, tzinfo=UTC))


def _midnight(ms: int) -> int:
    return ms - ms % MS_OF_UNIT["day"]


def _to_date(value: Any) -> int:
    return _midnight(read_instant(value) if isinstance(value, str) else value * MS_OF_UNIT["day"])


_TRUNC = Function("timestamp", strict(date_trunc), least=2, most=2, takes=("text", "timestamp"))
_PART_OF = Function("f64", strict(date_part), least=2, most=2, takes=("text", "timestamp"))
_CHAR = Function("text", strict(_to_char), least=2, most=2, takes=("timestamp",))

FUNCTIONS: dict[str, Function] = {
    "date_trunc": _TRUNC,
    "datetrunc": _TRUNC,
    "date_part": _PART_OF,
    "datepart": _PART_OF,
    "duration_part": Function("f64", strict(duration_part), least=2, most=2),
    "date_bin": Function(
        "timestamp",
        strict(_date_bin),
        least=2,
        most=3,
        takes=("duration", "timestamp", "timestamp"),
    ),
    "to_timestamp": Function("timestamp", strict(_seconds), least=1, most=1),
    "to_timestamp_seconds": Function("timestamp", strict(_seconds), least=1, most=1),
    "to_timestamp_millis": Function("timestamp", strict(_millis), least=1, most=1),
    "to_timestamp_micros": Function(
        "timestamp", strict(lambda value: _millis(value / 1000)), least=1, most=1
    ),
    "to_timestamp_nanos": Function(
        "timestamp", strict(lambda value: _millis(value / 1_000_000)), least=1, most=1
    ),
    "from_unixtime": Function("timestamp", strict(_seconds), least=1, most=1),
    "to_unixtime": Function(
        "i64", strict(lambda ms: ms // 1000), least=1, most=1, takes=("timestamp",)
    ),
    "to_char": _CHAR,
    "date_format": _CHAR,
    "make_date": Function("date", strict(_make_date), least=3, most=3),
    "to_date": Function("date", strict(_to_date), least=1, most=1),
    "midnight": Function("date", strict(_midnight), least=1, most=1),
    "add_months": Function(same_as_first, strict(add_months), least=2, most=2),
    "read_instant": Function("timestamp", strict(read_instant), least=1, most=1),
    "read_duration": Function(
        "duration", strict(lambda text: read_interval(text)[1]), least=1, most=1
    ),
    "iso_instant": Function("text", strict(iso_instant), least=1, most=1),
    "iso_date": Function("text", strict(iso_date), least=1, most=1),
    "iso_duration": Function("text", strict(iso_duration), least=1, most=1),
}
