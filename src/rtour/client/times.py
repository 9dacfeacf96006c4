"""Times as people say them."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def ago(at: datetime, now: datetime) -> str:
    """`3m 20s ago`, `in 15m`, `now`."""
    delta = now - at
    if abs(delta) < timedelta(seconds=1):
        return "now"
    return f"{duration(delta)} ago" if delta > timedelta() else f"in {duration(-delta)}"


def duration(delta: timedelta) -> str:
    """The two largest units: `1h 5m`; below ten seconds with a fraction, below one in ms."""
    seconds = delta.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 10:
        return f"{seconds:.1f}s".replace(".0s", "s")
    rest = round(seconds)
    parts = []
    for unit, name in _UNITS:
        count, rest = divmod(rest, unit)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2])
