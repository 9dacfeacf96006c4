"""Values of 8 MB, bytes, markup, escape sequences, on a real server: nothing breaks or freezes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import process_time

import pytest

import rtour
from rtour.client import Client, Connection, InvocationFailed, Target
from rtour.client.heads import cut_payload
from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from rtour.sdk.testing import create_test_harness
from rtour.tui.workspace import Workspace
from tests.tui.seat import Seat, seated

BIG = 8_000_000
EVIL = "[/red]\x1b[2J[bold]\x07\N{RIGHT-TO-LEFT OVERRIDE}x"
SHOWN = r"[/red]\x1b[2J[bold]\x07\u202ex"
# CPU between two turns of the event loop. Read whole, 8 MB took it for 2 s.
LONGEST_TURN_S = 0.4

vault = rtour.VirtualObject("Vault")


@vault.handler("keep")
async def keep(ctx: rtour.ObjectContext, what: bytes) -> bytes:
    """Keeps bytes in the state and as the result of a step, and returns them."""
    ctx.set("value", what)
    kept: bytes = await ctx.run_typed("step", _same, what=what)
    if what == b"fail":
        raise rtour.TerminalError(EVIL * 1_000)
    return kept


def _same(what: bytes) -> bytes:
    return what


@pytest.fixture
async def seat(tmp_path: Path) -> AsyncIterator[Seat]:
    async with create_test_harness(rtour.app([vault])) as env:
        connection = Connection(admin_url=env.admin_api_url, ingress_url=env.ingress_url)
        workspace = Workspace(Client(connection), refresh_s=None, folder=tmp_path)
        async with seated(workspace, (160, 50)) as seat:
            yield seat


async def kept(seat: Seat, value: bytes) -> str:
    """Puts bytes into the vault; gives the invocation, which has ended."""
    ingress = seat.app.workspace.client.ingress
    headers = {"content-type": "application/octet-stream"}
    sent = await ingress.send(Target("Vault", "keep", "k"), value, headers=headers)
    with suppress(InvocationFailed):
        await ingress.attach(sent.invocation_id)
    return sent.invocation_id


@asynccontextmanager
async def lively() -> AsyncIterator[None]:
    """Fails if the event loop had no turn for long meanwhile."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, process_time() - before)

    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(watch())
        yield
        watcher.cancel()
    assert longest < LONGEST_TURN_S, f"{longest:.2f} s without a turn"


async def test_eight_megabytes_do_not_freeze_it(seat: Seat) -> None:
    """Journal, entry in full, state and SQL show the beginning and the size, and keys go on."""
    big = await kept(seat, b'"' + b"x" * BIG + b'"')
    async with lively():
        assert "7.6 MiB, of which the beginning" in await seat.go(big)
        for kind in ("SetState", "Run", "Output"):
            await seat.press("j")
            text = await seat.press("enter")
            assert kind in text
            assert "7.6 MiB, of which the beginning" in text
            await seat.press("escape")
        text = await seat.press("l", "l", "l")
        assert "Vault/k, now" in text
        assert "7.6 MiB" in text
        await seat.press("escape", "3", "r")
        assert "7.6 MiB" in await seat.press("enter")
    await seat.press("escape", "5")
    await seat.fill("SELECT value, value_utf8 FROM state")
    async with lively():
        assert "1 row" in await seat.press("ctrl+r")
        assert "more characters" in await seat.press("escape", "enter")


async def test_bytes_are_dumped(seat: Seat) -> None:
    """What is no text is shown in hex, wherever it is."""
    found = await kept(seat, bytes(range(128, 256)))
    assert "000000  80 81 82" in await seat.go(found)
    await seat.press("escape", "3", "r")
    assert "000000  80 81 82" in seat.text


async def test_markup_and_escape_sequences_are_text(seat: Seat) -> None:
    """They are shown as what they are, in lists, journals, errors and documents."""
    found = await kept(seat, EVIL.encode())
    assert SHOWN in await seat.go(found)
    await seat.press("escape")
    failed = await kept(seat, b"fail")
    screens = [await seat.press("1", "r"), await seat.go(failed), await seat.press("d")]
    screens += [await seat.press("escape", "G"), await seat.press("enter")]
    assert all(SHOWN[:20] in text and "\x1b" not in text for text in screens)


@pytest.mark.parametrize(
    ("message", "start"),
    [
        (m.Input(value=b"x" * 100_000), b"xxx"),
        (m.SetState(b"a name", b"\x0a\x00" * 100_000), b"\x0a\x00\x0a"),
        (m.Output(m.Value(bytes(100_000))), bytes(3)),
        (m.Output(m.Failure(500, "too bad" * 100_000)), b"too bad"),
    ],
)
@pytest.mark.parametrize("cut", [20, 21, 100, 5_000])
def test_payload_of_a_cut_message(message: m.Command, start: bytes, cut: int) -> None:
    """Wherever an entry was cut, the payload's beginning is found in it, and its size."""
    raw = encode(message)[8:]
    head = cut_payload(raw[:cut])
    assert head is not None
    assert head.startswith(start[: len(head)])
    assert raw[cut - len(head) :].startswith(head)
    assert head.whole == len(raw) - (cut - len(head))
    assert cut_payload(raw) is None
