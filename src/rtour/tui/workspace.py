"""What every view works with: the client, the clock, the pace of reading, and what is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from rtour.client import Client
from rtour.client.transport import LOOPBACK
from rtour.clock import SystemClock

REFRESH_S = 1.0


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)


class Workspace:
    """One server, looked at."""

    def __init__(
        self,
        client: Client,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        refresh_s: float | None = REFRESH_S,
        folder: Path,
        log: Path | None = None,
    ) -> None:
        self.client = client
        self.now = now
        self.sleep = sleep
        # None: views read when asked to, never by themselves. Tests turn the pages by hand.
        self.refresh_s = refresh_s
        self.folder = folder
        self.log = log
        self.local = is_local(client.connection.admin_url)
        # Whoever looks at a server that others use must say so before changing anything.
        self.read_only = not self.local

    @property
    def host(self) -> str:
        """The server as people call it."""
        url = self.client.connection.admin_url
        return urlsplit(url).netloc or url


def is_local(url: str) -> bool:
    """Whether a URL names this very machine."""
    return url.startswith("unix:") or (urlsplit(url).hostname or "") in LOOPBACK
