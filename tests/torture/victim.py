"""The server and its services as processes, and what is done to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from signal import Signals

import httpx

from tests.conformance.processes import Child, free_port
from tests.conformance.servers import rtour_binary
from tests.conformance.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
SERVICES_LIVE_S = 7200
STARTING_S = 240  # on a machine that has much else to do
QUICK = {
    "RTOUR_RETRY_INITIAL_INTERVAL": "20ms",
    "RTOUR_RETRY_MAX_INTERVAL": "200ms",
    "RTOUR_LOG_LEVEL": "error",
}
_COMPLAINTS = ("ERROR", "CRITICAL", "error:", "Traceback")


class Victim:
    """One data folder, its server over many lives, and the services it calls."""

    def __init__(self, folder: Path, data: Path | None = None) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.effects = folder / "effects.log"
        self.effects.touch()
        self.ingress_port, self._admin_port, self._service_port = (free_port() for _ in range(3))
        self._server: Child | None = None
        self._services: Child | None = None

    @property
    def database(self) -> Path:
        return self.data / "rtour.db"

    async def start_services(self) -> None:
        command = [sys.executable, "-m", "tests.torture.services", str(self._service_port)]
        log = self.folder / "services.log"
        command.append(str(self.effects))
        self._services = Child(command, log, {}, REPOSITORY, SERVICES_LIVE_S)
        await self._healthy(self._service_port, "/health")

    async def start(self, env: dict[str, str] | None = None, *, files: int | None = None) -> None:
        """Start the server, maybe with few file descriptors, and wait until it answers."""
        self._launch(env or {}, files)
        await self._healthy(self._admin_port, "/health")

    def _launch(self, env: dict[str, str], files: int | None) -> None:
        ports = ["--ingress-port", str(self.ingress_port), "--admin-port", str(self._admin_port)]
        command = [str(rtour_binary()), "server", "--data", str(self.data), *ports]
        command += ["--pg-port", "off"]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        self._server = Child(command, self.folder / "server.log", QUICK | env)

    async def metric(self, name: str) -> float:
        """A number of the server's, by the beginning of its line in /metrics."""
        async with httpx.AsyncClient(timeout=30) as client:
            url = f"http://127.0.0.1:{self._admin_port}/metrics"
            text = (await client.get(url)).text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    async def register(self) -> None:
        body = {"uri": f"http://127.0.0.1:{self._service_port}"}
        async with httpx.AsyncClient(timeout=30) as client:
            url = f"http://127.0.0.1:{self._admin_port}/deployments"
            (await client.post(url, json=body)).raise_for_status()

    async def _healthy(self, port: int, path: str) -> None:
        async def ask() -> bool:
            assert self._server is None or self._server.running, self.log()
            try:
                async with httpx.AsyncClient() as client:
                    answer = await client.get(f"http://127.0.0.1:{port}{path}")
            except httpx.TransportError:
                return False
            return answer.status_code == 200

        await eventually(f"port {port} answers", ask, within_s=STARTING_S)

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    @property
    def pid(self) -> int:
        """The server's own process, below the `timeout` that watches it."""
        assert self._server is not None
        leader = self._server._process.pid
        return int(Path(f"/proc/{leader}/task/{leader}/children").read_text().split()[0])

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def kill(self) -> None:
        """SIGKILL, at once."""
        assert self._server is not None
        self._server.kill()
        self._server = None

    def signal(self, number: Signals) -> None:
        """A signal to the server's whole process group."""
        assert self._server is not None
        os.killpg(self._server._process.pid, number)

    def signal_services(self, number: Signals) -> None:
        """A signal to the services' whole process group."""
        assert self._services is not None
        os.killpg(self._services._process.pid, number)

    def stop_server(self) -> int:
        """SIGTERM; its exit code when it has ended."""
        assert self._server is not None
        code = self._server.stop()
        self._server = None
        return code

    def stop(self) -> None:
        for child in (self._server, self._services):
            if child is not None:
                child.stop()
        self._server = self._services = None

    async def ended(self) -> int:
        """Wait until the server has ended by itself; its exit code, below zero for a signal."""

        async def ask() -> bool:
            return not self.running

        await eventually("the server ends", ask, within_s=60)
        assert self._server is not None
        code = self._server._process.wait()
        self._server = None
        return code

    async def short_life(self, env: dict[str, str] | None = None) -> int:
        """Start a server that will soon end; its exit code."""
        self._launch(env or {}, None)
        return await self.ended()

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-3000:]

    def complaints(self) -> list[str]:
        """What all lives of the server logged as errors, or ended with."""
        lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
        return [line for line in lines if any(word in line for word in _COMPLAINTS)]


LEDGER = "*-ledger-?"


class DiskFaults:
    """`fault.c`, preloaded: faults that begin when they are told to."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._library = library
        self._trigger = folder / "begin"

    def env(self, fault: str, *, file: str = LEDGER, now: bool = True) -> dict[str, str]:
        """What a server is started with; `file` is a pattern for the path of the harmed file."""
        self._trigger.unlink(missing_ok=True)
        env = {"LD_PRELOAD": str(self._library), "TORTURE_FAULT": fault, "TORTURE_FILE": file}
        return env if now else env | {"TORTURE_FROM": str(self._trigger)}

    def begin(self) -> None:
        self._trigger.touch()


def disk_faults(folder: Path) -> DiskFaults | None:
    """None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "fault.so"
    source = Path(__file__).with_name("fault.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    return DiskFaults(folder, library)
