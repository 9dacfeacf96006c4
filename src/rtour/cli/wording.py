"""Values as people read them: `rtour.client.wording`, and times in the format asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from rtour.client.times import ago, duration
from rtour.client.wording import as_json, first_line, payload, plural, shown, size


class TimeFormat(StrEnum):
    """How instants are shown."""

    HUMAN = "human"
    ISO8601 = "iso8601"
    RFC2822 = "rfc2822"


def instant(at: datetime, how: TimeFormat, now: datetime) -> str:
    """An instant: for people relative to now, else in full."""
    if how is TimeFormat.ISO8601:
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if how is TimeFormat.RFC2822:
        from email.utils import format_datetime  # noqa: PLC0415 - loads half of `email`

        return format_datetime(at)
    return ago(at, now)


__all__ = [
    "TimeFormat",
    "ago",
    "as_json",
    "duration",
    "first_line",
    "instant",
    "payload",
    "plural",
    "shown",
    "size",
]
