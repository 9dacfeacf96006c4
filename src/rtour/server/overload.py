"""Whether callers had better come back later: what they need would come too late already."""

from __future__ import annotations

from typing import Final

from rtour.server.invoker import Invoker
from rtour.server.lateness import Lateness
from rtour.server.processor import Processor
from rtour.server.requests import Requests
from rtour.server.routes import Routes

LATE_S: Final = 1.0  # of the loop, or the processor: by then it is better to come again
LATE_CALLERS: Final = 500  # fewer are not why the loop is late


class Overload:
    """Asked by the ingress before each call; looks at all that a call has to wait for."""

    def __init__(
        self,
        lateness: Lateness,
        requests: Requests,
        processor: Processor,
        invoker: Invoker,
        routes: Routes,
    ) -> None:
        self._lateness = lateness
        self._requests = requests
        self._processor = processor
        self._invoker = invoker
        self._routes = routes

    def refuses(self, service: str) -> bool:
        """Whether a call of this service would wait too long."""
        if self._lateness.seconds > LATE_S and self._requests.pending > LATE_CALLERS:
            return True
        if self._processor.behind_s > LATE_S:
            return True
        ready = self._invoker.ready
        return ready.crowded and ready.overloaded(self._routes.place_of(service))
