"""`-w`: a view that renews itself until ctrl-C, and leaves the terminal as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtour.cli.session import Session

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


async def follow(session: Session, view: Callable[[], Awaitable[str]], every_s: float) -> None:
    """Shows `view` every so often: on a terminal in place, in a pipe whenever it changes."""
    if not session.world.stdout.isatty():
        await _changes(session, view, every_s)
        return
    session.emit(ENTER)
    try:
        while True:
            session.emit(_screen(await view(), every_s, _height(session)))
            await session.world.sleep(every_s)
    finally:
        session.emit(LEAVE)


async def _changes(session: Session, view: Callable[[], Awaitable[str]], every_s: float) -> None:
    before = None
    while True:
        text = await view()
        if text != before:
            session.emit(text)
            before = text
        await session.world.sleep(every_s)


def _screen(text: str, every_s: float, height: int) -> str:
    """One full screen; what does not fit is cut with a note, so that nothing scrolls."""
    lines = [f"Every {every_s:g}s · ctrl-C ends", *text.splitlines()]
    if len(lines) > height - 1:
        hidden = len(lines) - (height - 2)
        lines = [*lines[: height - 2], f"… {hidden} more lines"]
    return HOME + "".join(f"{line}{CLEAR_LINE}\r\n" for line in lines) + CLEAR_BELOW


def _height(session: Session) -> int:
    import os  # noqa: PLC0415

    try:
        return os.get_terminal_size(session.world.stdout.fileno()).lines or 24
    except OSError:
        return 24
