"""The process around a listener: sockets, signals, workers, reloading.

Signals that ask to stop are held back while nobody is there to take them: from before the first
fork until each process has its handlers. Whoever reads that it serves may stop it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rtour.sdk.endpoint import Endpoint
from rtour.sdk.serving.listener import Listener

DEFAULT_PORT: Final = 9080
_LOG: Final = logging.getLogger("rtour.sdk.serving")
_NEEDED: Final = ("ngh2", "httptools")
_LOOK_EVERY_S: Final = 0.5
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
_BACKLOG: Final = 1024


def serve(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    workers: int = 1,
    reload: bool = False,
) -> None:
    """Serve what `rtour.app(...)` returned, until SIGINT or SIGTERM.

    Servers on other machines, and in containers, reach it with `host="0.0.0.0"`.
    `workers` processes share the port. `reload` starts anew when a source file changes.
    """
    endpoint = _endpoint_of(app)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise RuntimeError(
            f"The built-in server needs {' and '.join(missing)}: pip install 'rtour[server]', "
            "or serve the app with any ASGI server."
        )
    listening = _listen(host, port)
    changed = False
    with _signals_held_back():
        if workers > 1:
            _fork(workers, endpoint, listening)
        else:
            changed = _run(_serve_until_signal(endpoint, listening, reload=reload))
    if changed:
        _start_anew()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _take_signals() -> None:
    """There are handlers now: also for what came before."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _say_serving(endpoint: Endpoint, listening: socket.socket) -> None:
    names = ", ".join(endpoint.services) or "no services"
    _LOG.info("serving %s on http://%s:%s", names, *listening.getsockname()[:2])


def _endpoint_of(app: Any) -> Endpoint:
    endpoint = app if isinstance(app, Endpoint) else getattr(app, "endpoint", None)
    if not isinstance(endpoint, Endpoint):
        raise TypeError(
            f"{app!r} is not what `rtour.app(...)` returns; other ASGI apps need an ASGI server."
        )
    return endpoint


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.setblocking(False)
    return listening


def _run(main: Coroutine[Any, Any, bool]) -> bool:
    """asyncio.run, on uvloop where it is installed."""
    if find_spec("uvloop") is None:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415 - optional

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _serve_until_signal(
    endpoint: Endpoint, listening: socket.socket, *, alone: bool = True, reload: bool = False
) -> bool:
    """True when the code has changed and the process should start anew."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in _STOPPING:
        loop.add_signal_handler(number, stop.set)
    _take_signals()
    listener = Listener(endpoint)
    await listener.start(listening)
    if alone:
        _say_serving(endpoint, listening)
    changed = await _wait(stop) if reload else not await stop.wait()
    await listener.stop()
    return changed


# --- reloading -----------------------------------------------------------------------------------


async def _wait(stop: asyncio.Event) -> bool:
    """Until `stop` is set (False) or a source file of this process changes (True)."""
    seen = _source_times()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await stop.wait()
                return False
        if _source_times() != seen:
            _LOG.info("the code has changed: starting anew")
            return True


def restart_after_change() -> None:
    """For code that cannot even be imported: wait until it is changed, and try again."""
    _run(_wait(asyncio.Event()))
    _start_anew()


def _start_anew() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _source_times() -> dict[str, int]:
    """When the source files in use, and those beside them, were last written."""
    here = Path.cwd()
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    used = {Path(file) for file in files if file and file.startswith(str(here))}
    folders = {here, *(file.parent for file in used)}
    return {str(file): _written_at(file) for folder in folders for file in folder.glob("*.py")}


def _written_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:  # in the middle of being replaced
        return 0


# --- workers -------------------------------------------------------------------------------------


def _fork(workers: int, endpoint: Endpoint, listening: socket.socket) -> None:
    """Processes that accept from one socket; all stop together."""
    if not hasattr(os, "fork"):
        raise RuntimeError("More than one worker needs an operating system that can fork.")
    listening.listen(_BACKLOG)  # who comes before the first worker is ready waits for it
    children = [_child(endpoint, listening) for _ in range(workers)]
    for number in _STOPPING:
        signal.signal(number, lambda *_: _terminate(children))
    _say_serving(endpoint, listening)
    _take_signals()
    os.wait()  # the first to end, asked or not, ends the rest
    _terminate(children)
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _child(endpoint: Endpoint, listening: socket.socket) -> int:
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        _run(_serve_until_signal(endpoint, listening, alone=False))
        code = 0
    except Exception:  # noqa: BLE001 - the parent only sees that it ended
        _LOG.exception("a worker ended, and all the others with it")
    finally:
        os._exit(code)


def _terminate(children: Iterable[int]) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
