"""The guided tour as a plain conversation: text out, lines in; the same in a pipe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, Self, TypeVar

from rtour.cli.diagnostics import CliError
from rtour.cli.session import Session

T = TypeVar("T")
HELP = """\
  enter   check what you did; when it is done, go on
  h       one hint more; in the end the solution, as a diff
  s       put the solution into your files and run the commands
  n, b    next lesson, lesson before
  l       list of the lessons
  t       the text again
  o       output of your service
  q       leave; `rtour tour` goes on where you were
  rtour …, curl …, !…   run a command, here, with the engine of the tour"""
END = "This is the last lesson. `rtour example` lists more to start from."
# What lessons tell to run is run when it is pasted here; anything else after an exclamation mark.
PROGRAMS = ("rtour ", "curl ", "python ", "sleep ", "mkdir ", "tail ", "!")
LOG_LINES = 20


class Loop:
    """The guide's theatre, open on an event loop in a thread: ctrl-C stays with the reader."""

    def __init__(self, guide: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._opened = guide.open()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.call(self._opened.__aenter__())
        except Exception as error:
            self._end()
            hint = "rtour tour --use-random-ports avoids taken ports"
            raise CliError(str(error), hint=hint) from error
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.call(self._opened.__aexit__(None, None, None))
        finally:
            self._end()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Conversation:
    """Shows a lesson, takes a line, does it, until there is no more line."""

    def __init__(self, session: Session, guide: Any, loop: Loop) -> None:
        self._session = session
        self._guide = guide
        self._loop = loop
        self._lesson = guide.current
        self._passed = False
        self._commands: dict[str, Callable[[], None]] = {
            "h": self._hint,
            "s": self._solve,
            "n": lambda: self._step(1),
            "b": lambda: self._step(-1),
            "l": self._list,
            "t": self._show,
            "o": self._log,
        }

    def run(self) -> None:
        """The conversation."""
        ingress, admin, service = self._guide.theatre.ports
        self._say(
            f"The engine listens on {ingress} (admin {admin}), your service on {service}; "
            f"your files are in {self._guide.folder / 'app'}.\n"
            "Enter checks what you did, ? tells what else there is. "
            "The lessons' commands can be typed right here, too.\n"
        )
        if exports := self._guide.theatre.exports():
            self._say("\n  ".join(["In other terminals, first:", *exports]) + "\n")
        self._show()
        while True:
            self._session.write(f"[{self._where()}] > ")
            line = self._read()
            if not line or line.strip() in ("q", "quit", "exit"):
                break
            self._do(line.strip().removeprefix("$ "))
        self._say("See you. `rtour tour` goes on where you were.")

    def _read(self) -> str:
        """A line, with those that a backslash at its end carries on to; empty at the end."""
        line = self._session.world.stdin.readline()
        if not self._session.world.stdin.isatty():  # so that a transcript reads well
            self._say(line.rstrip())
        return line[:-2] + self._read() if line.endswith("\\\n") else line

    def _do(self, line: str) -> None:
        if not line or line in ("c", "check"):
            self._check()
        elif line in ("?", "help"):
            self._say(HELP)
        elif line.startswith(PROGRAMS):
            ran = self._loop.call(self._guide.run(line.removeprefix("!")))
            self._say(ran.output.rstrip())
        elif (command := self._commands.get(line)) is not None:
            command()
        else:
            self._say(f"'{line}'? One of these:\n{HELP}")

    # --- what the letters do -----------------------------------------------------------------

    def _check(self) -> None:
        if self._passed:
            self._step(1)
            return
        self._say("checking …")
        verdict = self._loop.call(self._guide.check(self._lesson))
        self._say("\n".join(verdict_lines(self._guide, self._lesson, verdict)))
        self._passed = verdict.passed
        if verdict.passed and self._guide.neighbour(self._lesson, 1) is not None:
            self._say("\nEnter goes on to the next lesson.")

    def _hint(self) -> None:
        """One more hint than the last check gave: the same as failing once more."""
        self._passed = False
        self._check()

    def _solve(self) -> None:
        diff = self._guide.diff(self._lesson)
        if diff:
            self._say(diff)
        for ran in self._loop.call(self._guide.solve(self._lesson)):
            self._say(f"$ {ran.command}\n{ran.output}".rstrip())
        self._passed = False
        self._check()

    def _step(self, step: int) -> None:
        lesson = self._guide.neighbour(self._lesson, step)
        if lesson is None:
            self._say(END if step > 0 else "This is the first lesson.")
            return
        self._guide.move(lesson)
        self._lesson, self._passed = lesson, False
        self._show()

    def _list(self) -> None:
        for row in self._guide.overview():
            mark = "✔" if row["done"] else "▸" if row["current"] else " "
            self._say(f"{mark} {row['number']:>2}  {row['title']}")

    def _show(self) -> None:
        text = self._guide.text(self._lesson)
        if not self._session.look.rich:
            self._say(f"\n{text}")
            return
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.markdown import Markdown  # noqa: PLC0415

        width = min(self._session.look.width or 100, 100)
        Console(file=self._session.world.stdout, width=width).print(Markdown(text))

    def _log(self) -> None:
        self._say("\n".join(self._guide.theatre.said(LOG_LINES)))

    # --- saying ------------------------------------------------------------------------------

    def _where(self) -> str:
        return f"{self._guide.number(self._lesson)}/{len(self._guide.lessons)} {self._lesson.slug}"

    def _say(self, text: str) -> None:
        self._session.write(f"{text}\n")


def verdict_lines(guide: Any, lesson: Any, verdict: Any) -> list[str]:
    """A verdict for people: what is done, what is missing, and as many hints as were earned."""
    lines = [f"  ✔ {text}" for text in verdict.done]
    if verdict.passed:
        return [*lines, f"Lesson {guide.number(lesson)} is done: {guide.title(lesson)}."]
    lines += [f"  ✘ expected  {verdict.expected}", f"    seen      {verdict.seen}"]
    return [*lines, *(f"    hint      {hint}" for hint in guide.help(lesson, verdict))]
