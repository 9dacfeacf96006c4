"""Points in time, as Restate writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at_ms: int) -> str:
    """`2026-11-25T02:16:16.424+00:00`, without a fraction that is zero."""
    timespec = "milliseconds" if at_ms % 1000 else "seconds"
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec=timespec)


def rfc3339_nanos(at_ms: int) -> str:
    """`2026-11-24T02:21:16.154000000Z`; a whole second has no fraction."""
    seconds, ms = divmod(at_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}{f'.{ms:03}000000' if ms else ''}Z"
