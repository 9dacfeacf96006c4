"""Checks of the last lessons of the theatre: tracing, and everything together."""

from __future__ import annotations

import re

from ..guide.look import Look
from ..guide.verdict import NotYet
from . import paying, remembering, scheduling

TRACE_ID = re.compile("[0-9a-f]{32}")


async def tracing(look: Look) -> None:
    """A request has brought its trace, and what it called belongs to it."""
    found = await look.invocations("inv.trace_id IS NOT NULL", "inv.invoked_by = 'ingress'")
    traced = [each for each in found if TRACE_ID.fullmatch(each.trace_id or "")]
    if not traced:
        raise NotYet(
            "a request that belongs to a trace",
            f"{found[0].target} came with '{found[0].trace_id}', which is no trace id"
            if found
            else "none of the requests has one",
            "The header is traceparent: 00-<32 hex digits>-<16 hex digits>-01",
        )
    root = traced[0]
    look.done(f"{root.target} belongs to the trace {root.trace_id}")
    for child in await look.client.query.children([root.id]):
        if child.trace_id == root.trace_id:
            look.done(f"so does {child.target}, which it called")


async def recap(look: Look) -> None:
    """Everything that the theatre promises, once more."""
    await remembering.state(look)
    await scheduling.scheduling(look)
    await remembering.expiring(look)
    await remembering.tickets(look)
    await paying.payment(look)
    await paying.finishing(look)
