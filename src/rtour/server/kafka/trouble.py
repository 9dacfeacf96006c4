"""What is wrong with a subscription, in the log: once, not with each try that fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from rtour.server.kafka.catalog import Subscription

log = logging.getLogger("rtour.kafka")

AGAIN_S: Final = 600.0  # when the same is told again


class Trouble:
    """Tells the log that a subscription reads nothing, and that it does again."""

    def __init__(self, subscription: Subscription) -> None:
        self._about = (subscription.id, subscription.source)
        self._quiet_until: dict[str, float] = {}
        self._told = False

    def tell(self, text: str) -> None:
        """It reads nothing, for this reason."""
        now = asyncio.get_running_loop().time()
        if text in self._quiet_until and now < self._quiet_until[text]:
            return
        still = {told: until for told, until in self._quiet_until.items() if now < until}
        self._quiet_until = still | {text: now + AGAIN_S}
        self._told = True
        log.warning(
            "The subscription %s of %s reads nothing, and goes on trying: %s", *self._about, text
        )

    def over(self) -> None:
        """It reads."""
        if self._told:
            self._told = False
            log.info("The subscription %s of %s reads again", *self._about)
