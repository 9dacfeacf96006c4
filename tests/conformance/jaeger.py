"""Jaeger itself, built from the Go module proxy into `.oracles/`, run on loopback.

    python -m tests.conformance.jaeger      builds it, once: Go, a gigabyte of modules, minutes

Its module replaces a dependency, so `go install` refuses it by name: its source is fetched and
built. The pages of its UI are not part of that; what they show comes from its query API.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.conformance import oracles
from tests.conformance.processes import Child, free_port
from tests.conformance.waiting import eventually

MODULE, VERSION = "github.com/jaegertracing/jaeger", "v1.76.0"
BINARY = oracles.ORACLES / f"jaeger-{VERSION}" / "all-in-one"
BUILD_TIMEOUT_S = 3600
READY_WITHIN_S = 60
OTLP, QUERY = "collector.otlp.grpc.host-port", "query.http-server.host-port"
# Every port that it opens, so that none is a fixed one.
PORTS = (
    OTLP,
    QUERY,
    "collector.otlp.http.host-port",
    "collector.grpc-server.host-port",
    "collector.http-server.host-port",
    "query.grpc-server.host-port",
    "admin.http.host-port",
)

Span = dict[str, Any]


def available() -> bool:
    return BINARY.exists()


def build() -> None:
    """Fetch the source and build it. Raises CalledProcessError, with Go's words on stderr."""
    with tempfile.TemporaryDirectory(prefix="jaeger-") as scratch:
        folder = Path(scratch)
        environment = {
            **os.environ,
            "GOPATH": str(folder / "go"),
            "GOFLAGS": "-mod=mod -modcacherw",
            "CGO_ENABLED": "0",
        }
        source = _fetched(folder, environment)
        built = folder / "all-in-one"
        command = ["go", "build", "-ldflags", "-s -w", "-o", str(built), "./cmd/all-in-one"]
        subprocess.run(
            ["nice", *command], cwd=source, env=environment, check=True, timeout=BUILD_TIMEOUT_S
        )
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        half = BINARY.with_suffix(".half")
        shutil.copy2(built, half)
        half.replace(BINARY)


def _fetched(folder: Path, environment: Mapping[str, str]) -> Path:
    """A copy of the source that may be written to."""
    command = ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"]
    done = subprocess.run(
        command, env=environment, cwd=folder, check=True, stdout=subprocess.PIPE, timeout=600
    )
    source = folder / "source"
    shutil.copytree(msgspec.json.decode(done.stdout)["Dir"], source)
    return source


class Jaeger:
    """One Jaeger that keeps its traces in memory."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        ports = {name: free_port() for name in PORTS}
        self.otlp_url = f"http://127.0.0.1:{ports[OTLP]}"
        self._query_url = f"http://127.0.0.1:{ports[QUERY]}"
        flags = [f"--{name}=127.0.0.1:{port}" for name, port in ports.items()]
        environment = {"SPAN_STORAGE_TYPE": "memory"}
        self._child = Child([str(BINARY), *flags], folder / "jaeger.log", environment, folder)

    async def services(self) -> list[str]:
        """The services that it has spans of, as its search page offers them."""
        async with httpx.AsyncClient(base_url=self._query_url, timeout=30) as client:
            answer = await client.get("/api/services")
        found: list[str] = answer.raise_for_status().json()["data"] or []
        return found

    async def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace, as its page gets them; none while it knows of none."""
        async with httpx.AsyncClient(base_url=self._query_url, timeout=30) as client:
            answer = await client.get(f"/api/traces/{trace_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        (trace,) = answer.raise_for_status().json()["data"]
        spans: list[Span] = trace["spans"]
        return spans

    async def ready(self) -> bool:
        assert self._child.running, self._child.log_tail()
        try:
            await self.services()
        except httpx.TransportError:
            return False
        return True

    def stop(self) -> None:
        self._child.stop()


@contextlib.asynccontextmanager
async def jaeger(folder: Path) -> AsyncIterator[Jaeger]:
    """A running Jaeger."""
    made = Jaeger(folder)
    try:
        await eventually("Jaeger is ready", made.ready, within_s=READY_WITHIN_S)
        yield made
    finally:
        made.stop()


if __name__ == "__main__":
    build()
