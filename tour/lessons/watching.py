"""Checks of the last lessons of the theatre: tracing, and everything together."""

from __future__ import annotations

from ..guide.look import Look
from ..guide.verdict import NotYet
from . import paying, remembering, scheduling


async def tracing(look: Look) -> None:
    """A request has brought its trace, and what it called belongs to it."""
    found = await look.invocations("inv.trace_id IS NOT NULL", "inv.invoked_by = 'ingress'")
    if not found:
        raise NotYet(
            "a request that belongs to a trace",
            "none of the requests has one",
            "The header is traceparent: 00-<32 hex digits>-<16 hex digits>-01",
        )
    root = found[0]
    look.done(f"{root.target} belongs to the trace {root.trace_id}")
    for child in await look.client.query.children([root.id]):
        if child.trace_id != root.trace_id:
            raise NotYet(f"{child.target} belongs to the same trace", f"its is {child.trace_id}")
        look.done(f"so does {child.target}, which it called")


async def recap(look: Look) -> None:
    """Everything that the theatre promises, once more."""
    await remembering.state(look)
    await scheduling.scheduling(look)
    await remembering.expiring(look)
    await remembering.tickets(look)
    await paying.payment(look)
    await paying.finishing(look)
