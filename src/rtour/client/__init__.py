"""A typed client of Restate's ingress, admin API and SQL.

    async with Client(Connection(admin_url="http://127.0.0.1:9070")) as client:
        services = await client.admin.services()
        rows = await client.query.invocations(["inv.status = 'running'"], limit=10)
        reply = await client.ingress.call(Target("Greeter", "greet"), b'"Ada"', headers=JSON)

It works against the official server and rtour's alike. The command line and the terminal UI are
built on it and hold no HTTP of their own. Names are resolved when first used: httpx takes longer
to import than most commands take to run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtour.client.client import JSON, Client
    from rtour.client.failures import (
        ClientError,
        Conflict,
        Incompatible,
        InvocationFailed,
        NotFound,
        NotReady,
        Rejected,
        ServerFailed,
        TimedOut,
        TooLarge,
        Unauthorized,
        Unreachable,
    )
    from rtour.client.ingress import Target
    from rtour.client.transport import Connection

__all__ = [
    "JSON",
    "Client",
    "ClientError",
    "Conflict",
    "Connection",
    "Incompatible",
    "InvocationFailed",
    "NotFound",
    "NotReady",
    "Rejected",
    "ServerFailed",
    "Target",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
]

_HOMES = {"JSON": "client", "Client": "client", "Target": "ingress", "Connection": "transport"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'failures')}"), name)
