"""What every view works with: the client, the clock, the pace of reading, and what is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rtour.client import Client, ClientError, Unreachable
from rtour.client.model import ClockReading
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
        self._machine_now = now
        self.sleep = sleep
        # None: views read when asked to, never by themselves. Tests turn the pages by hand.
        self.refresh_s = refresh_s
        self.folder = folder
        self.log = log
        self.local = is_local(client.connection.admin_url)
        # How the server's clock stands, where it can be driven; None: like any other.
        self.clock: ClockReading | None = None
        self._clockless = False
        # Whoever looks at a server that others use must say so before changing anything.
        self.read_only = not self.local

    def now(self) -> datetime:
        """The time by the server's clock, which may be another than ours."""
        if self.clock is None:
            return self._machine_now()
        if self.clock.mode == "frozen":
            return self.clock.now
        return self._machine_now() + timedelta(milliseconds=self.clock.offset_ms)

    async def look_at_clock(self) -> None:
        """Asks how the clock stands, of a server that has one. Raises `Unreachable`."""
        if self._clockless:
            return
        try:
            self.clock = (await self.client.admin.version()).clock
        except Unreachable:
            raise
        except ClientError:
            self.clock = None
        self._clockless = self.clock is None

    def forget_clock(self) -> None:
        """Behind the same address there may be another server by now."""
        self._clockless = False

    @property
    def host(self) -> str:
        """The server as people call it."""
        url = self.client.connection.admin_url
        return urlsplit(url).netloc or url


def is_local(url: str) -> bool:
    """Whether a URL names this very machine."""
    return url.startswith("unix:") or (urlsplit(url).hostname or "") in LOOPBACK
