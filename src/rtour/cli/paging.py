"""What is taller than the terminal goes through the user's pager, as git does it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from rtour.cli.settings import Setting

if TYPE_CHECKING:
    from rtour.cli.session import Session

VARIABLES = ("RTOUR_PAGER", "PAGER")
DEFAULT = Setting("less", "default")
# Quit if it fits after all, pass colours on, leave the text on the screen. git sets the same.
PAGERS_DEFAULTS = {"LESS": "FRX", "LV": "-c"}


def paged(session: Session, text: str) -> bool:
    """Shows `text` with a pager if it is too tall; False if it is still to be shown."""
    world = session.world
    if not _too_tall(text, world.stdout):
        return False
    pager = chosen(session.options, world.env)
    if pager.value is None:
        return False
    try:
        _page(text, shlex.split(pager.value), world.stdout, world.env)
    except (OSError, ValueError) as error:  # not there, or an open quote
        if pager is not DEFAULT:
            session.warn(f"cannot start the pager '{pager.value}' (from {pager.origin}): {error}")
        return False
    return True


def chosen(options: Mapping[str, Any], env: Mapping[str, str]) -> Setting:
    """The pager's command line and who chose it; no value when nothing is to be paged."""
    if options.get("no_pager"):
        return Setting(None, "--no-pager")
    if env.get("TERM") == "dumb":
        return Setting(None, "$TERM")
    for name in VARIABLES:
        if name in env:
            off = env[name].strip() in ("", "cat")
            return Setting(None if off else env[name], f"${name}")
    return DEFAULT


def _too_tall(text: str, stdout: TextIO) -> bool:
    """Whether the top of `text` would leave the screen."""
    try:
        height = os.get_terminal_size(stdout.fileno()).lines
    except OSError:  # no terminal at all
        return False
    return 0 < height <= text.count("\n")


def _page(text: str, command: Sequence[str], stdout: TextIO, env: Mapping[str, str]) -> None:
    """Hands `text` over and waits until the user leaves; OSError if the pager cannot start."""
    stdout.flush()
    with subprocess.Popen(  # noqa: S603 - the user's own choice
        command, stdin=subprocess.PIPE, stdout=stdout, env={**PAGERS_DEFAULTS, **env}
    ) as child:
        assert child.stdin is not None
        with _interrupts_are_the_pagers(), suppress(BrokenPipeError):
            child.stdin.write(text.encode(stdout.encoding or "utf-8", "backslashreplace"))
            child.stdin.close()
            child.wait()


@contextmanager
def _interrupts_are_the_pagers() -> Iterator[None]:
    """Ctrl-C stops a search in less, which goes on; ending before it would leave it in the way."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
