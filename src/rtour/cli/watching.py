"""`-w`: a view that renews itself until ctrl-C, and leaves the terminal as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rtour.cli.wording import shown

if TYPE_CHECKING:
    from rtour.cli.session import Session

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
# What stands in front of the last view while the server does not answer.
AWAY = "trying again"
NOTHING = "nothing to show yet"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


async def follow(session: Session, view: Callable[[], Awaitable[str]], every_s: float) -> None:
    """Shows `view` every so often: on a terminal in place, in a pipe whenever it changes.

    The first view must succeed; after that a server that goes away is waited for.
    """
    text = await view()
    if not session.world.stdout.isatty():
        await _changes(session, view, text, every_s)
        return
    session.write(ENTER)
    try:
        while True:
            session.write(_screen(text, every_s, _height(session)))
            await session.world.sleep(every_s)
            text = await _again(view, text)
    finally:
        session.write(LEAVE)


async def _changes(
    session: Session, view: Callable[[], Awaitable[str]], text: str, every_s: float
) -> None:
    session.write(text)
    while True:
        await session.world.sleep(every_s)
        before, text = text, await _again(view, text)
        if text.startswith(AWAY) and not before.startswith(AWAY):
            session.note(text.splitlines()[0])
        elif text != before and not text.startswith(AWAY):
            session.write(text)


async def _again(view: Callable[[], Awaitable[str]], before: str) -> str:
    from rtour.client import TimedOut, Unreachable  # noqa: PLC0415

    try:
        return await view()
    except (Unreachable, TimedOut) as error:
        last = before.split("\n", 1)[1] if before.startswith(AWAY) else before
        return f"{AWAY}: {shown(str(error))}\n{last}"


def _screen(text: str, every_s: float, height: int) -> str:
    """One full screen; what does not fit is cut with a note, so that nothing scrolls."""
    lines = [f"Every {every_s:g}s · ctrl-C ends", *(text or NOTHING).splitlines()]
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
