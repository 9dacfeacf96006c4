"""Live completion: ids, services, handlers, keys, from the server in use.

A completion that fails says nothing: the shell must not show errors between two key presses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from rtour.cli.session import Session, World
from rtour.cli.tree import Options
from rtour.errors import RtourError

if TYPE_CHECKING:
    from rtour.client import Client

Pairs = list[tuple[str, str]]
LIMIT = 50
# Somebody waits with a finger on the key.
IMPATIENT = {"connect_timeout": 300, "request_timeout": 700, "quiet": True}


def invocation_ids(ctx: typer.Context, incomplete: str) -> Pairs:
    """Recent invocations, unfinished ones first."""

    async def ask(client: Client) -> Pairs:
        from rtour.client.query import quote  # noqa: PLC0415

        prefix = [f"inv.id LIKE {quote(incomplete + '%')}"] if incomplete else []
        open_ = [*prefix, "inv.status != 'completed'"]
        found = await client.query.invocations(open_, limit=LIMIT)
        if not found:
            found = await client.query.invocations(prefix, limit=LIMIT)
        return [(each.id, f"{each.target} {each.status}") for each in found]

    return _ask(ctx, ask, incomplete)


def deployment_ids(ctx: typer.Context, incomplete: str) -> Pairs:
    """All deployments."""

    async def ask(client: Client) -> Pairs:
        return [(each.id, each.endpoint) for each in await client.admin.deployments()]

    return _ask(ctx, ask, incomplete)


def services(ctx: typer.Context, incomplete: str) -> Pairs:
    """All services."""

    async def ask(client: Client) -> Pairs:
        return [(each.name, each.ty) for each in await client.admin.services()]

    return _ask(ctx, ask, incomplete)


def keys(ctx: typer.Context, incomplete: str) -> Pairs:
    """The keys of the service named before, as far as they have state."""
    service = ctx.params.get("service")
    if not isinstance(service, str):
        return []

    async def ask(client: Client) -> Pairs:
        return await _keys(client, service)

    return _ask(ctx, ask, incomplete)


def targets(ctx: typer.Context, incomplete: str) -> Pairs:
    """`Service/handler` and `Object/key/handler`, one segment after the other."""
    service, slash, rest = incomplete.partition("/")

    async def ask(client: Client) -> Pairs:
        found = await client.admin.services()
        if not slash:
            return [(f"{each.name}/", each.ty) for each in found]
        chosen = next((each for each in found if each.name == service), None)
        if chosen is None:
            return []
        handlers = [(each.name, each.input_description) for each in chosen.handlers]
        if not chosen.keyed:
            return [(f"{service}/{name}", what) for name, what in handlers]
        key, keyed, _ = rest.rpartition("/")
        if keyed:
            return [(f"{service}/{key}/{name}", what) for name, what in handlers]
        return [(f"{service}/{key}/", "key") for key, _ in await _keys(client, service)]

    return _ask(ctx, ask, incomplete)


def environments(ctx: typer.Context, incomplete: str) -> Pairs:
    """All configured environments."""
    from rtour.cli.settings import environments as names  # noqa: PLC0415
    from rtour.cli.settings import read_files  # noqa: PLC0415

    world = _world(ctx)
    found = names(read_files(world.env, world.cwd))
    return [(name, "") for name in found if _fits(name, incomplete)]


async def _keys(client: Client, service: str) -> Pairs:
    from rtour.client.query import quote, select  # noqa: PLC0415

    condition = f"service_name = {quote(service)}"
    rows = await client.query.rows(select("service_key", "state", [condition], limit=10 * LIMIT))
    return [(key, "") for key in sorted({row["service_key"] for row in rows})][:LIMIT]


def _ask(ctx: typer.Context, ask: Callable[[Client], Awaitable[Pairs]], incomplete: str) -> Pairs:
    try:
        found = Session(_world(ctx), {**ctx.find_root().obj, **IMPATIENT}).run(ask, admin=False)
    except RtourError:
        return []
    return [(value, what) for value, what in found if _fits(value, incomplete)]


def _world(ctx: typer.Context) -> World:
    options = ctx.find_root().obj
    assert isinstance(options, Options)
    world = options["world"]
    assert isinstance(world, World)
    return world


def _fits(value: str, incomplete: str) -> bool:
    return value.startswith(incomplete)
