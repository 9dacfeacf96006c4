"""`rtour up`: a server and the terminal UI, in one command."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.own_server import OwnServer, expected
from rtour.cli.session import Session, session_of
from rtour.cli.settings import state_home
from rtour.cli.tree import examples
from rtour.cli.ui import open_ui
from rtour.private_files import make_private

READY_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05
STOP_WITHIN_S = 10.0


@examples("rtour up\nrtour up --no-ui\nrtour up --use-random-ports --ephemeral")
def up(
    ctx: typer.Context,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Default: ./rtour-data")
    ] = None,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Keep nothing when it stops.")
    ] = False,
    ingress_port: Annotated[
        int | None, typer.Option("--ingress-port", metavar="N", help="Default: 8080")
    ] = None,
    admin_port: Annotated[
        int | None, typer.Option("--admin-port", metavar="N", help="Default: 9070")
    ] = None,
    use_random_ports: Annotated[
        bool, typer.Option("-r", "--use-random-ports", help="Any two free ports.")
    ] = False,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Only the server, in front.")] = False,
    dev_clock: Annotated[
        bool,
        typer.Option(
            "--dev-clock/--no-dev-clock",
            help="Let `rtour time` drive its clock: on; --no-dev-clock turns it off.",
        ),
    ] = True,
    retain: Annotated[bool, typer.Option("--retain", hidden=True)] = False,
) -> None:
    """Starts a server and opens the terminal UI on it; leaving the UI stops the server.

    Data is kept in ./rtour-data unless --ephemeral is given. Without a terminal, or with --no-ui,
    the server runs in front until ctrl-C. All other settings, TLS and tokens among them, come from
    RTOUR_* variables and the file that RTOUR_CONFIG names, as for `rtour server`.
    """
    del retain  # the official CLI's flag: here data is kept unless one says otherwise
    session = session_of(ctx)
    ports = {"ingress_port": ingress_port, "admin_port": admin_port}
    flags = {name: str(port) for name, port in ports.items() if port is not None}
    if use_random_ports:
        flags |= _free_ports("ingress_port", "admin_port", "pg_port")
    if data:
        flags["data"] = str(data)
    if ephemeral:
        flags["ephemeral"] = "true"
    if dev_clock:
        flags["dev_clock"] = "true"
    if no_ui or not session.world.stdout.isatty():
        from rtour.cli import foreground  # noqa: PLC0415 - loads the whole server

        raise typer.Exit(foreground.run(flags))
    server = expected(session.world.env, flags)
    session.settings = server.chosen(session.settings)
    with _server(session, server, flags) as log:
        open_ui(session, log)


@contextmanager
def _server(session: Session, server: OwnServer, flags: dict[str, str]) -> Iterator[Path]:
    """The server as a child: it has its own log and signals, the UI has the terminal."""
    for address in (server.ingress, server.admin):
        _refuse_taken(*address)
    words = [
        f"--{name.replace('_', '-')}" + ("" if value == "true" else f"={value}")
        for name, value in flags.items()
    ]
    log = state_home(session.world.env) / "server.log"
    make_private(log)
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "rtour", "server", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _end_on_signals()
        with session.progress("starting the server"):
            asyncio.run(_ready(session, child, log))
        yield log
    finally:
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def _ready(session: Session, child: subprocess.Popen[bytes], log: Path) -> None:
    from rtour.client import Client, Unreachable  # noqa: PLC0415

    async with Client(session.settings.connection(session.options)) as client:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while True:
                    if child.poll() is not None:
                        raise _failed("the server did not start", log)
                    try:
                        await client.admin.version()
                    except Unreachable:
                        await session.world.sleep(LOOK_EVERY_S)
                    else:
                        return
        except TimeoutError as error:
            raise _failed(f"the server was not ready after {READY_WITHIN_S:g}s", log) from error


def _end_on_signals() -> None:
    """A closed terminal or a kill must not leave the server behind: they count as ctrl-C."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def _refuse_taken(host: str, port: int) -> None:
    """Whoever has the port would answer in place of our server, and the UI would show theirs."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CliError(
                f"port {port} is taken",
                expected="free ports for the ingress and the admin API",
                hint="rtour ui opens the UI on the server that runs; rtour up -r takes free ports",
                exit_code=ExitCode.CONFLICT,
            ) from error


def _failed(what: str, log: Path) -> CliError:
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
    return CliError(
        f"{what}: {last[0] if last else 'it said nothing'}",
        hint=f"the whole log is in {log}; rtour up --use-random-ports avoids taken ports",
        exit_code=ExitCode.FAILED,
    )


def _free_ports(*names: str) -> dict[str, str]:
    """A free port for each name; all are held until all are found, so that they differ."""
    with ExitStack() as held:
        ports = {}
        for name in names:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = str(probe.getsockname()[1])
        return ports
