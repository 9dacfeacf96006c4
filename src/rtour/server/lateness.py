"""How late the event loop is, which no queue shows when it is the CPU that there is too little of.

Requests then wait in the sockets, where nobody counts them, for the loop to come round to them.
"""

from __future__ import annotations

import asyncio
from typing import Final

_EVERY_S: Final = 0.5


class Lateness:
    """Looks twice a second while `run` does; `seconds` is what the last look found."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.seconds = loop.time() - due
