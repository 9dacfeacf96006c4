"""The theatre: a durable server and the learner's service, as processes of their own.

As processes, so that lessons can kill them. The service is started anew when its code changes or
when it has died; `running.json` tells other commands (`rtour tour check`) where everything is.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from zlib import crc32

import msgspec

from rtour.client import Client, ClientError, Connection

from .verdict import NotYet

USUAL_PORTS = (8080, 9070, 9080)
READY_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05
STOP_WITHIN_S = 3.0
LOOK_BACK_LINES = 500
BEGINS = " serving "
DATE = re.compile(r"^\d{4}-\d\d-\d\d (?=\d\d:\d\d)")
# Nobody wants to wait a minute for a retry while learning what retries are.
SERVER_ENV = {"RTOUR_RETRY_INITIAL_INTERVAL": "200ms", "RTOUR_RETRY_MAX_INTERVAL": "2s"}
HOST = "127.0.0.1"
RTOUR = (sys.executable, "-m", "rtour")


class TheatreError(Exception):
    """The server does not start."""


class Running(msgspec.Struct, frozen=True):
    """What `running.json` says."""

    owner: int
    server: int
    service: int
    """0 while the code does not start."""
    ports: tuple[int, int, int]
    code: int
    """A fingerprint of the code that the service runs."""


class Theatre:
    """Starts, watches, kills and stops. `folder` is the learner's `tour/`."""

    def __init__(
        self, folder: Path, *, ephemeral: bool = False, random_ports: bool = False
    ) -> None:
        self.folder = folder
        self._random_ports = random_ports
        self.state = folder / ".tour"
        self.ephemeral = ephemeral
        self.ports: tuple[int, int, int] = USUAL_PORTS
        self._server: subprocess.Popen[bytes] | None = None
        self._service: subprocess.Popen[bytes] | None = None
        self._code = 0
        self._broken = 0
        self._starting = asyncio.Lock()

    @property
    def connection(self) -> Connection:
        """How to reach the server."""
        ingress, admin, _ = self.ports
        return Connection(
            admin_url=f"http://{HOST}:{admin}", ingress_url=f"http://{HOST}:{ingress}"
        )

    @property
    def service_url(self) -> str:
        """Where the learner's service is."""
        return f"http://localhost:{self.ports[2]}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of commands that the learner runs: `rtour` finds the server."""
        here = str(Path(sys.executable).parent)
        return {
            **os.environ,
            "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}",
            "RTOUR_ADMIN_URL": self.connection.admin_url,
            "RTOUR_INGRESS_URL": self.connection.ingress_url,
            "NO_COLOR": "1",
            "CURL_HOME": str(self.state),  # see `open`
        }

    def exports(self) -> list[str]:
        """What to type first in another terminal, so that the lessons' commands work there."""
        words = []
        here = Path(sys.executable).parent
        if (found := shutil.which("rtour")) is None or Path(found).parent != here:
            words.append(f'PATH="{here}:$PATH"')
        if self.ports[:2] != USUAL_PORTS[:2]:
            words.append(f"RTOUR_ADMIN_URL={self.connection.admin_url}")
            words.append(f"RTOUR_INGRESS_URL={self.connection.ingress_url}")
        return [f"export {word}" for word in words]

    # --- opening and closing -----------------------------------------------------------------

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Theatre]:
        """Runs the theatre, or joins the one that another command runs for this folder."""
        running = self.running_elsewhere()
        if running is not None:
            self.ports = running.ports
            yield self
            return
        self.state.mkdir(parents=True, exist_ok=True)
        self._end_left_overs()
        # Otherwise curl would draw its progress into what it prints for the guide.
        (self.state / ".curlrc").write_text("silent\nshow-error\n", "utf-8")
        wanted = [] if self._random_ports else [self._last_ports(), USUAL_PORTS]
        self.ports = _choose_ports(wanted)
        try:
            await self.start_server()
            watching = asyncio.get_running_loop().create_task(self._watch())
            try:
                yield self
            finally:
                watching.cancel()
                await asyncio.wait([watching])
        finally:
            _stop(self._service)
            _stop(self._server)
            (self.state / "running.json").unlink(missing_ok=True)

    def running_elsewhere(self) -> Running | None:
        """Where everything is, if another command runs this folder's theatre."""
        running = self._running()
        if running is None or running.owner == os.getpid() or not _alive(running.owner):
            return None
        return running if _answers(running.ports[1]) else None

    def _end_left_overs(self) -> None:
        """A tour that was killed could not end what it had started."""
        left = self._running()
        for pid in (left.server, left.service) if left is not None else ():
            if pid and _is_ours(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _running(self) -> Running | None:
        try:
            return msgspec.json.decode((self.state / "running.json").read_bytes(), type=Running)
        except (OSError, msgspec.DecodeError):
            return None

    def _last_ports(self) -> tuple[int, int, int]:
        try:
            return msgspec.json.decode(
                (self.state / "ports.json").read_bytes(), type=tuple[int, int, int]
            )
        except (OSError, msgspec.DecodeError):
            return USUAL_PORTS

    def _write(self) -> None:
        assert self._server is not None
        starts = self._service is not None and self._code != self._broken
        service = self._service.pid if self._service is not None and starts else 0
        running = Running(os.getpid(), self._server.pid, service, self.ports, self._code)
        _replace(self.state / "running.json", msgspec.json.encode(running))
        _replace(self.state / "ports.json", msgspec.json.encode(self.ports))

    # --- the server --------------------------------------------------------------------------

    async def start_server(self) -> None:
        """Starts the server and waits until it answers."""
        ingress, admin, _ = self.ports
        data = ["--ephemeral"] if self.ephemeral else ["--data", str(self.state / "data")]
        ports = ["--ingress-port", str(ingress), "--admin-port", str(admin)]
        self._server = self._spawn(
            "server", [*RTOUR, "server", "--dev-clock", *data, *ports], SERVER_ENV
        )
        self._write()
        async with Client(self.connection) as client:
            for _ in range(int(READY_WITHIN_S / LOOK_EVERY_S)):
                if self._server.poll() is not None:
                    break
                with suppress(ClientError):
                    await client.admin.version()
                    return
                await asyncio.sleep(LOOK_EVERY_S)
        raise TheatreError(f"the server does not start: {self.last_words('server')}")

    async def crash_server(self) -> None:
        """Kills the server without warning, and starts it on the same data."""
        running = self._running()
        assert running is not None
        assert not self.ephemeral, "an ephemeral server has nothing to come back to"
        os.kill(running.server, signal.SIGKILL)  # whoever watches it starts it again
        await self._until(lambda: (now := self._running()) and now.server != running.server)
        await self._until(lambda: _answers(self.ports[0]) and _answers(self.ports[1]))

    # --- the service -------------------------------------------------------------------------

    async def fresh_service(self) -> None:
        """Returns when the service runs the code that is in the files now. Raises NotYet."""
        if self.running_elsewhere() is None:
            await self._restart_if_needed()
        else:
            code = self.fingerprint()
            await self._until(lambda: (now := self._running()) and now.code == code)
        await self._until(lambda: _answers(self.ports[2]) or not self._service_starts())
        if not self._service_starts():
            raise NotYet(
                "your service starts",
                self.last_words("service"),
                f"The whole story is in {self.state / 'service.log'}.",
            )

    def serving(self) -> list[str]:
        """The command that serves the learner's code."""
        return [*RTOUR, "serve", f"{self.folder.name}.app.app:app", "--port", str(self.ports[2])]

    def _service_starts(self) -> bool:
        running = self._running()
        return running is not None and running.service != 0

    async def crash_service(self) -> None:
        """Kills the service without warning, and waits until it is back."""
        running = self._running()
        assert running is not None
        with suppress(ProcessLookupError):
            os.kill(running.service, signal.SIGKILL)
        await self._until(lambda: (now := self._running()) and now.service != running.service)
        await self.fresh_service()

    async def _watch(self) -> None:
        while True:
            await self._restart_if_needed()
            if self._server is not None and self._server.poll() is not None:
                await self.start_server()
            await asyncio.sleep(4 * LOOK_EVERY_S)

    async def _restart_if_needed(self) -> None:
        async with self._starting:
            code = self.fingerprint()
            dead = self._service is None or self._service.poll() is not None
            if code == self._code and (not dead or code == self._broken):
                return
            await asyncio.to_thread(_stop, self._service)
            outside = {"TOUR_OUTSIDE": str(self.folder / "outside"), "PYTHONUNBUFFERED": "1"}
            self._service = self._spawn("service", self.serving(), outside)
            self._code = code
            service = self._service
            await self._until(lambda: service.poll() is not None or _answers(self.ports[2]))
            # Code that does not even start is not tried again before it changes.
            self._broken = code if service.poll() is not None else 0
            self._write()

    def fingerprint(self) -> int:
        """Changes whenever the learner's code does."""
        files = sorted(
            path for part in ("app", "auxiliary") for path in (self.folder / part).rglob("*.py")
        )
        return crc32(repr([(path.name, path.stat().st_mtime_ns) for path in files]).encode())

    # --- processes ---------------------------------------------------------------------------

    def _spawn(
        self, name: str, command: Sequence[str], env: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.state / f"{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - this very program
                command,
                cwd=self.folder.parent,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def last_words(self, name: str) -> str:
        """The last line of a log."""
        return (self.log_lines(name, 1) or ["it said nothing"])[0]

    def log_lines(self, name: str, count: int) -> list[str]:
        """The last lines of `server` or `service`."""
        file = self.state / f"{name}.log"
        text = file.read_text("utf-8", "replace") if file.is_file() else ""
        return text.strip().splitlines()[-count:]

    def said(self, count: int) -> list[str]:
        """What the service has printed since it started, the last of it and in short.

        Of stack traces only what is in the learner's code, and no dates.
        """
        lines = self.log_lines("service", LOOK_BACK_LINES)
        begins = [number for number, each in enumerate(lines) if BEGINS in each]
        since = lines[begins[-1] :] if begins else lines
        return [DATE.sub("", each) for each in own_frames(since, str(self.folder))[-count:]]

    @staticmethod
    async def _until(condition: Callable[[], object], within_s: float = READY_WITHIN_S) -> bool:
        for _ in range(int(within_s / LOOK_EVERY_S)):
            if condition():
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False


def own_frames(lines: Sequence[str], folder: str) -> list[str]:
    """A log without the frames of stack traces that are outside of a folder."""
    kept, inside, own = [], False, True
    for each in lines:
        if each.startswith("Traceback "):
            inside, own = True, False
        elif inside and each.startswith("  File "):
            own = folder in each
        elif inside and not each.startswith(" "):
            inside, own = False, True
        if own:
            kept.append(each)
    return kept


def _choose_ports(wanted: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """The first that nobody else uses, or any three."""
    for ports in wanted:
        if not any(_answers(port) for port in ports):
            return ports
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        sockets = (one, two, three)
        for each in sockets:
            each.bind((HOST, 0))
        ingress, admin, service = (int(each.getsockname()[1]) for each in sockets)
        return ingress, admin, service


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, port)) == 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_ours(pid: int) -> bool:
    """Whether a process is one of rtour's; numbers are used again. Only Linux tells."""
    try:
        return b"\0-m\0rtour\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(file)
