"""The seed's stories, told with keys on a real server in this process, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import rtour
from rtour.client import Client, Connection
from rtour.sdk.testing import create_test_harness
from rtour.tui.invocation import InvocationView
from rtour.tui.workspace import Workspace
from tests.tui.seat import Seat, seated

cart = rtour.VirtualObject("CartObject")


@cart.handler("addTicket")
async def add_ticket(ctx: rtour.ObjectContext, seat: str) -> bool:
    """Keeps a seat; of seat2C it cannot."""
    tickets = await ctx.get("tickets", type_hint=list) or []
    ctx.set("tickets", [*tickets, seat])
    if seat == "seat2C":
        raise RuntimeError(f"no such seat: {seat}")
    return True


@cart.handler("checkout")
async def checkout(ctx: rtour.ObjectContext) -> bool:
    """Empties the cart."""
    ctx.clear("tickets")
    return True


@pytest.fixture
async def seat(tmp_path: Path) -> AsyncIterator[Seat]:
    async with create_test_harness(rtour.app([cart])) as env:
        connection = Connection(admin_url=env.admin_api_url, ingress_url=env.ingress_url)
        workspace = Workspace(Client(connection), refresh_s=None, folder=tmp_path)
        async with seated(workspace) as seat:
            yield seat


async def ask(seat: Seat, handler: str, key: str, body: str | None, *, how: str) -> str:
    """Fills in the playground of a handler and presses the key that calls or sends."""
    await seat.press("2", "r")
    for _ in range(3):
        row = seat.app.screen.focused.row
        if row is not None and row.key == f"CartObject/{handler}":
            break
        await seat.press("j")
    await seat.press("enter")
    await seat.fill(key)
    if body is not None:
        await seat.press("tab")
        await seat.fill(body)
    return await seat.press(how)


async def test_a_ticket_goes_in_and_checkout_empties_the_cart(seat: Seat) -> None:
    """The playground adds seat2B to Mary's cart; the state shows it until checkout empties it."""
    assert "✓ answered" in await ask(seat, "addTicket", "Mary", "seat2B", how="ctrl+r")
    await seat.press("escape", "escape", "3")
    await seat.until("CartObject/Mary", '["seat2B"]')
    await seat.press("w")
    assert "✓ answered" in await ask(seat, "checkout", "Mary", None, how="ctrl+r")
    await seat.press("escape", "escape", "3")
    await seat.until("nothing matches")


async def test_the_failing_ticket_is_found_read_and_killed(seat: Seat) -> None:
    """The debugging story: find the failing addTicket, read its error and journal, kill it."""
    await ask(seat, "addTicket", "Joe", "seat2C", how="ctrl+t")
    await seat.press("escape", "escape", "1", "slash")
    await seat.fill("status:backing-off addTicket")
    await seat.press("enter")
    await seat.until("CartObject/Joe", "no such seat")
    await seat.press("enter")
    assert isinstance(seat.app.screen, InvocationView)
    await seat.until("SetState", "Attempt", "failed with")
    await seat.press("G")
    text = await seat.press("enter")
    assert "RuntimeError('no such seat: seat2C')" in text
    await seat.press("escape", "K", "y")
    await seat.until("✗ failed", "killed")


async def test_ctrl_c_leaves(seat: Seat) -> None:
    """From any place where it has nothing to copy."""
    await seat.press("2")
    assert seat.app.is_running
    await seat.pilot.press("ctrl+c")
    await seat.pilot.pause()
    assert not seat.app.is_running
