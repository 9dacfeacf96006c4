"""The span of a client's request, from its arrival to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtour.engine.model import Target, Trace
from rtour.server.tracing.spans import Attributes, Code, Span, about, short

if TYPE_CHECKING:
    from rtour.server.tracing.tracer import Tracer

_HTTP_ERROR = 500  # below it the client is to blame, which is no error of the server's (OTel)


class IngressSpan:
    """Begins a trace, or goes on with the client's. `trace` is stored with the invocation."""

    __slots__ = ("_context", "_id", "_parent", "_started", "_target", "_tracer")

    def __init__(
        self, tracer: Tracer, invocation_id: str, target: Target, received: Trace | None
    ) -> None:
        self._tracer = tracer
        self._started = tracer.now_ns()
        self._context, self._parent = tracer.begin(received)
        self._id = invocation_id
        self._target = target

    @property
    def trace(self) -> Trace:
        return self._context.trace

    def end(self, status: int | None) -> None:
        """The client was answered, or went away (None)."""
        if not self._tracer.tells(self._context):
            return
        failed = status is None or status >= _HTTP_ERROR
        code: Attributes = () if status is None else (("http.response.status_code", status),)
        self._tracer.finish(
            Span(
                self._context,
                f"ingress {short(self._target)}",
                self._started,
                self._tracer.now_ns(),
                self._parent,
                code,
                code=Code.ERROR if failed else Code.OK,
                message="the client went away" if status is None else "",
                subject=about(self._id, self._target),
            )
        )
