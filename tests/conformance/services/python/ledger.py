"""What Kafka's records do: an object keeps them in order, a service tells their headers."""

from __future__ import annotations

import json
from typing import Any

import restate

from tests.conformance.services.python import outside

ledger = restate.VirtualObject("Ledger")
teller = restate.Service("Teller", ingress_private=True)


@ledger.handler()
async def add(ctx: restate.ObjectContext, entry: int) -> int:
    """Append the entry to the object's list."""
    seen = await ctx.get("seen", type_hint=list[int]) or []
    ctx.set("seen", [*seen, entry])
    return len(seen)


@teller.handler()
async def tell(ctx: restate.Context, line: Any) -> None:
    """Tell the outside what came with the record."""
    headers = {
        name: value
        for name, value in ctx.request().headers.items()
        if name.startswith(("kafka.", "restate."))
    }

    def leave() -> None:
        outside.effect("told", json.dumps({"headers": headers, "body": line}, sort_keys=True))

    await ctx.run_typed("leave", leave)


ALL: list[restate.Service | restate.VirtualObject | restate.Workflow] = [ledger, teller]
