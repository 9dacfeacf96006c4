"""The services on compiled SDKs: what building them needs, and where the built program is.

Sources and lock files are in `services/`; what is built, and what building leaves behind, is in
`.oracles/`, and is built again only when a source has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.conformance import oracles
from tests.conformance.oracles import ORACLES, SERVICES

# The first build also brings and compiles the SDK; later ones take seconds.
BUILD_TIMEOUT_S = 1200
LOG_TAIL = 3000


class Toolchain(msgspec.Struct, frozen=True):
    """How one language's services become a program. `built` is its folder, made beforehand."""

    name: str
    tools: tuple[str, ...]
    build: Callable[[Path], list[str]]
    start: Callable[[Path], list[str]]

    @property
    def sources(self) -> Path:
        return SERVICES / self.name

    @property
    def built(self) -> Path:
        return ORACLES / self.name

    def missing(self) -> str | None:
        """The tools that are not on the PATH, as a sentence, or None."""
        absent = [tool for tool in self.tools if shutil.which(tool) is None]
        if not absent:
            return None
        return f"the {self.name} services are built with {' and '.join(absent)}: not on the PATH"

    def program(self) -> list[str]:
        """The command that starts the services, without their port; built first if need be."""
        self.built.mkdir(parents=True, exist_ok=True)
        with (self.built / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp, digest = self.built / "stamp", self._digest()
            if not stamp.exists() or stamp.read_text() != digest:
                self._run(["nice", *self.build(self.built)])
                stamp.write_text(digest)
        return self.start(self.built)

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(each for each in self.sources.rglob("*") if each.is_file()):
            digest.update(str(path.relative_to(self.sources)).encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def _run(self, command: list[str]) -> None:
        missing = self.missing()
        if missing is not None:
            raise oracles.OraclesUnavailableError(missing)
        try:
            done = subprocess.run(
                command,
                cwd=self.sources,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            what = f"{self.name}: not built in {BUILD_TIMEOUT_S} s"
            raise oracles.OraclesUnavailableError(what) from error
        if done.returncode != 0:
            what = f"{self.name}: {' '.join(command)} failed:\n{done.stdout[-LOG_TAIL:]}"
            raise oracles.OraclesUnavailableError(what)


GO = Toolchain(
    name="go",
    tools=("go",),
    build=lambda built: ["go", "build", "-o", str(built / "services"), "."],
    start=lambda built: [str(built / "services")],
)

RUST = Toolchain(
    name="rust",
    tools=("cargo", "cc"),
    build=lambda built: ["cargo", "build", "--locked", "--target-dir", str(built / "target")],
    start=lambda built: [str(built / "target" / "debug" / "services")],
)

# Started often, for minutes: little compilation, one collector without threads of its own.
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
JAVA = Toolchain(
    name="java",
    tools=("java", "javac", "mvn"),
    build=lambda built: ["mvn", "--batch-mode", "--quiet", f"-Dbuilt={built}", "clean", "package"],
    start=lambda built: [
        "java",
        *JVM,
        "-cp",
        f"{built}/target/services.jar:{built}/target/lib/*",
        "conformance.Main",
    ],
)

TOOLCHAINS = {"go": GO, "rust": RUST, "java": JAVA, "java-http1": JAVA}
