"""The process around the built-in server: it serves, reloads, and ends when it is asked to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import rtour
from rtour.sdk.serving import running
from tests.conformance.processes import free_port

SCRIPT = """
import rtour, sys
service = rtour.Service("S{version}")
if __name__ == "__main__":
    rtour.serve(rtour.app([service]), host="127.0.0.1", port=int(sys.argv[1]), {options})
"""


async def process(path: Path, port: int, options: str) -> asyncio.subprocess.Process:
    await asyncio.to_thread(path.write_text, SCRIPT.format(version=1, options=options))
    return await asyncio.create_subprocess_exec(
        sys.executable, str(path), str(port), cwd=path.parent
    )


async def served(port: int, name: str) -> None:
    """Wait until a service of that name is discovered."""
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while True:
            try:
                manifest = (await client.get(f"http://127.0.0.1:{port}/discover")).json()
                if manifest["services"][0]["name"] == name:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)  # another process: there is nothing to await


@pytest.mark.parametrize("options", ["", "workers=2"])
async def test_a_process_serves_until_it_is_asked_to_stop(tmp_path: Path, options: str) -> None:
    """SIGTERM ends it, with all its workers, and without an error."""
    port = free_port()
    child = await process(tmp_path / "script.py", port, options)
    try:
        await served(port, "S1")
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 10) == 0
    finally:
        if child.returncode is None:
            child.kill()


INTERRUPTED = """
import logging, os, rtour, signal, sys
from rtour.sdk.serving import running

def interrupt(*_):
    os.killpg(0, signal.SIGINT)  # as a terminal does: to all processes of the group

def then_interrupt(function):
    def wrapped(*arguments):
        result = function(*arguments)
        if result != 0:  # not in a forked child
            interrupt()
        return result
    return wrapped

class Interrupting(logging.Handler):
    emit = interrupt

if {moment!r} == "served":
    logging.getLogger("rtour.sdk.serving").addHandler(Interrupting())
    logging.getLogger("rtour.sdk.serving").setLevel(logging.INFO)
elif {moment!r} == "forked":
    os.fork = then_interrupt(os.fork)
else:
    running.Listener = then_interrupt(running.Listener)
rtour.serve(rtour.app([rtour.Service("S")]), port=0, workers={workers})
"""


@pytest.mark.parametrize(
    ("moment", "workers"), [("served", 1), ("listening", 1), ("served", 2), ("forked", 2)]
)
async def test_ctrl_c_is_heard_from_the_first_word(moment: str, workers: int) -> None:
    """However early it comes: all processes end, without an error and without a traceback."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        INTERRUPTED.format(moment=moment, workers=workers),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        # The pipe ends when the last process has ended.
        _, said = await asyncio.wait_for(child.communicate(), 20)
        assert (child.returncode, said) == (0, b"")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


async def test_reload_starts_anew_when_the_code_changes(tmp_path: Path) -> None:
    """Save the file, and the new code is served."""
    port = free_port()
    script = tmp_path / "script.py"
    child = await process(script, port, "reload=True")
    try:
        await served(port, "S1")
        changed = SCRIPT.format(version=2, options="reload=True")
        await asyncio.to_thread(script.write_text, changed)
        await served(port, "S2")
        assert child.returncode is None, "by the same process"
    finally:
        child.kill()
        await child.wait()


def test_other_apps_are_refused() -> None:
    """The error says what can be served, and what cannot."""
    with pytest.raises(TypeError, match="ASGI server"):
        running.serve(lambda: None)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare install is told what to add."""
    monkeypatch.setattr(running, "find_spec", lambda _name: None)
    with pytest.raises(RuntimeError, match=r"needs ngh2 and httptools.*pip install"):
        running.serve(rtour.app([]))
