"""One run of one command: its settings, its streams, its server.

Commands take a `Session` and a `Client` and know neither terminal nor event loop. Tests hand in a
`World` of their own: streams, environment, clock and transport.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import msgspec
import typer

from rtour.cli.diagnostics import CliError
from rtour.cli.output import Column, Look, Record, table
from rtour.cli.settings import Settings, resolve
from rtour.cli.tree import Colour, Format, Options, TableStyle
from rtour.cli.wording import TimeFormat, shown
from rtour.clock import SystemClock

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.model import ClockReading, Version

T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything outside the program that a command may touch."""

    env: Mapping[str, str]
    cwd: Path
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    transport: Any = None


def real_world() -> World:
    """The process's own."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets escapes, not a traceback in mid-table.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return World(
        env=os.environ, cwd=Path.cwd(), stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr
    )


class Session:
    """What a command works with."""

    def __init__(self, world: World, options: Mapping[str, Any]) -> None:
        self.world = world
        self.options = options
        self.settings: Settings = resolve(options, world.env, world.cwd)
        self.clock: ClockReading | None = None
        self.look = _look(world, options, self.now)
        self._afterwards: list[str] = []
        self.quiet: bool = options.get("quiet", False)
        self.yes: bool = options.get("yes", False)
        if options.get("verbose"):
            _log_requests(world.stderr, options["verbose"])

    @property
    def format(self) -> Format:
        """The format of stdout."""
        return self.look.format

    # --- the server --------------------------------------------------------------------------

    def now(self) -> datetime:
        """The time by the server's clock: ours, unless that one is known to be driven."""
        now = self.world.now()
        return now + timedelta(milliseconds=self.clock.offset_ms) if self.clock else now

    def run(self, work: Callable[[Client], Awaitable[T]], *, admin: bool = True) -> T:
        """Runs `work` with a client; `admin` makes sure first that the server is one we know."""
        return asyncio.run(self._run(work, admin))

    async def _run(self, work: Callable[[Client], Awaitable[T]], admin: bool) -> T:
        from rtour.client import Client  # noqa: PLC0415 - loads httpx

        connection = self.settings.connection(self.options)
        async with Client(connection, transport=self.world.transport) as client:
            version = await client.admin.version() if admin else None
            self.clock = version.clock if version else None
            if self.settings.ingress_guessed:
                client.reach_ingress(await _advertised_ingress(client, version))
            return await work(client)

    def show(
        self,
        view: Callable[[Client], Awaitable[str]],
        *,
        watch: bool = False,
        every_s: float = 1.0,
    ) -> None:
        """Prints what `view` answers, once or again and again."""
        if not watch:
            self.emit(self.run(view))
            self._note_clock()
            for text in self._afterwards:
                self.note(text)
            return
        from rtour.cli.watching import follow  # noqa: PLC0415

        self.run(lambda client: follow(self, lambda: view(client), every_s))

    def _note_clock(self) -> None:
        """Whoever reads times should know whose they are."""
        if self.clock is not None:
            from rtour.client.time import described, driven  # noqa: PLC0415

            if driven(self.clock):
                self.note(f"times are {described(self.clock)} (rtour time)")

    # --- the streams -------------------------------------------------------------------------

    def emit(self, text: str) -> None:
        """Data, to stdout; through the pager what is taller than the terminal."""
        if self.world.stdout.isatty():
            from rtour.cli.paging import paged  # noqa: PLC0415

            if paged(self, text):
                return
        self.write(text)

    def write(self, text: str) -> None:
        """To stdout as it is: parts of a screen, of a dialogue."""
        self.world.stdout.write(text)
        self.world.stdout.flush()

    def emit_bytes(self, value: bytes) -> None:
        """A payload: as it is into a pipe, text with a last newline, harmless onto a terminal."""
        if self.world.stdout.isatty():
            self.emit(shown(value.decode("utf-8", "backslashreplace"), newlines=True) + "\n")
            return
        buffer = getattr(self.world.stdout, "buffer", None)
        if buffer is None:
            self.world.stdout.write(value.decode("utf-8", "backslashreplace"))
        else:
            self.world.stdout.flush()
            buffer.write(value)
        if value and not value.endswith(b"\n") and _is_text(value):
            self.emit("\n")

    def note(self, text: str) -> None:
        """Anything else, to stderr."""
        if not self.quiet:
            self.world.stderr.write(f"{shown(text)}\n")
            self.world.stderr.flush()

    def note_afterwards(self, text: str) -> None:
        """To stderr, below what `show` is about to print."""
        if text not in self._afterwards:
            self._afterwards.append(text)

    def listed(self, columns: Sequence[Column], records: Sequence[Record], *, empty: str) -> str:
        """A table; where it has no rows, people get a sentence instead of a header over nothing."""
        if records or self.format is not Format.TABLE:
            return table(self.look, columns, records)
        self.note_afterwards(empty)
        return ""

    def warn(self, text: str) -> None:
        """Something that may surprise, to stderr."""
        self.note(f"warning: {text}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[str], None]]:
        """A spinner on a terminal's stderr; elsewhere one line, when the work starts."""
        if self.quiet or not self.world.stderr.isatty():
            self.note(f"{label} …")
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = Console(file=self.world.stderr, no_color=not self.look.colour)
        with console.status(Text(shown(label))) as status:
            yield lambda text: status.update(Text(shown(f"{label}: {text}")))

    def confirm(self, question: str) -> None:
        """Goes on only with a yes."""
        if self.yes or self.world.env.get("CI"):
            return
        if not self.world.stdin.isatty():
            raise CliError(
                "not confirmed, nothing was changed",
                expected="a yes, and there is no terminal to ask on",
                hint="add --yes; --dry-run shows what would happen",
            )
        self.world.stderr.write(f"{shown(question)} [y/N] ")
        self.world.stderr.flush()
        if self.world.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CliError("not confirmed, nothing was changed")

    def read_stdin(self) -> bytes:
        """All of stdin."""
        if self.world.stdin.isatty():
            self.note("reading from the terminal; end with ctrl-D")
        buffer = getattr(self.world.stdin, "buffer", None)
        return buffer.read() if buffer is not None else self.world.stdin.read().encode()

    def file(self, path: str) -> Path:
        """A path as the user wrote it."""
        return self.world.cwd / Path(path).expanduser()


def session_of(ctx: typer.Context) -> Session:
    """The session of a command's context."""
    options = ctx.find_root().obj
    assert isinstance(options, Options)
    return Session(options["world"], options)


async def _advertised_ingress(client: Client, version: Version | None) -> str:
    """Who names only the admin API means the ingress of that server."""
    from rtour.client import ClientError  # noqa: PLC0415

    try:
        version = version or await client.admin.version()
    except ClientError:  # the command at hand will say what is wrong
        return client.connection.ingress_url
    return version.ingress_endpoint or client.connection.ingress_url


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _look(world: World, options: Mapping[str, Any], now: Callable[[], datetime]) -> Look:
    columns = options.get("columns") or ""
    return Look(
        format=options.get("output", Format.TABLE),
        colour=_colour(world, options.get("color", Colour.AUTO)),
        width=_width(world),
        time_format=options.get("time_format", TimeFormat.HUMAN),
        table_style=options.get("table_style", TableStyle.COMPACT),
        headers=not options.get("no_headers", False),
        columns=tuple(name.strip() for name in columns.split(",") if name.strip()),
        now=now,
    )


def _colour(world: World, when: Colour) -> bool:
    if when is not Colour.AUTO:
        return when is Colour.ALWAYS
    env = world.env
    if env.get("NO_COLOR", "0") != "0" or env.get("TERM") == "dumb":
        return False
    forced = env.get("FORCE_COLOR", "0") != "0" or env.get("CLICOLOR_FORCE", "0") != "0"
    return forced or world.stdout.isatty()


def _width(world: World) -> int | None:
    """The terminal's width; None when stdout is no terminal, so that nothing is folded."""
    if not world.stdout.isatty():
        return None
    if world.env.get("COLUMNS", "").isdigit():
        return int(world.env["COLUMNS"])
    try:
        return os.get_terminal_size(world.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _log_requests(stderr: TextIO, level: int) -> None:
    import logging  # noqa: PLC0415

    from rtour.redaction import redact  # noqa: PLC0415

    class Masked(logging.Formatter):
        """Addresses may hold passwords."""

        def format(self, record: logging.LogRecord) -> str:
            return redact(super().format(record))

    handler = logging.StreamHandler(stderr)
    handler.setFormatter(Masked("%(name)s: %(message)s"))
    logging.getLogger("httpx").addHandler(handler)
    logging.getLogger("httpx").setLevel(logging.INFO)
    if level > 1:
        logging.getLogger("httpcore").addHandler(handler)
        logging.getLogger("httpcore").setLevel(logging.DEBUG)
