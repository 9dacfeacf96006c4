"""The guide: which lesson is next, whether it is done, and what helps if it is not."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from rtour.client import Client, ClientError

from ..lessons import LESSONS
from .lesson import Lesson, addressed, commands, placed, title
from .look import Look
from .outside import Outside
from .progress import Progress
from .running import WIDTH, Ran, run
from .theatre import Theatre
from .verdict import NotYet, Verdict


class Guide:
    """Leads through the tour in the learner's `folder`; `source` is the bundled tour."""

    def __init__(
        self, source: Path, folder: Path, *, ephemeral: bool = False, random_ports: bool = False
    ) -> None:
        self.source = source
        self.folder = folder
        self.lessons: Sequence[Lesson] = LESSONS
        self.theatre = Theatre(folder, ephemeral=ephemeral, random_ports=random_ports)
        self._file = folder / ".tour" / "progress.json"
        self.progress = Progress.read(self._file)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """With the theatre running, and the services known to it once that lesson was learned."""
        async with self.theatre.open():
            if LESSONS[0].slug in self.progress.done:
                await self._register_again()
            yield

    async def _register_again(self) -> None:
        """The service may have moved to another port, or the server forgot everything."""
        async with Client(self.theatre.connection) as client:
            known = [deployment.endpoint for deployment in await client.admin.deployments()]
            if not any(url.rstrip("/") == self.theatre.service_url for url in known):
                await self.theatre.fresh_service()
                await client.admin.register({"uri": self.theatre.service_url})

    # --- where we are ------------------------------------------------------------------------

    @property
    def current(self) -> Lesson:
        """The lesson at hand: where the learner stands, else the first that is not done."""
        standing = [each for each in self.lessons if each.slug == self.progress.current]
        undone = [each for each in self.lessons if each.slug not in self.progress.done]
        return [*standing, *undone, self.lessons[-1]][0]

    def find(self, name: str) -> Lesson | None:
        """A lesson by slug or number."""
        for number, lesson in enumerate(self.lessons, start=1):
            if name in (lesson.slug, str(number)):
                return lesson
        return None

    def move(self, lesson: Lesson) -> None:
        """Stands at a lesson."""
        self._remember(self.progress.at(lesson.slug))

    def neighbour(self, lesson: Lesson, step: int) -> Lesson | None:
        """The lesson before (-1) or after (+1)."""
        index = self.lessons.index(lesson) + step
        return self.lessons[index] if 0 <= index < len(self.lessons) else None

    def number(self, lesson: Lesson) -> int:
        """Lessons are counted from 1."""
        return self.lessons.index(lesson) + 1

    def text(self, lesson: Lesson) -> str:
        """The lesson, with the ports that are in use here."""
        text = addressed(lesson.text(self.source / "lessons"), self.theatre.ports)
        return placed(text, self.folder.name)

    def commands(self, lesson: Lesson) -> list[str]:
        """What it tells the learner to run, in order."""
        return commands(self.text(lesson))

    def title(self, lesson: Lesson) -> str:
        """Its heading."""
        return title(lesson.text(self.source / "lessons"))

    def _remember(self, progress: Progress) -> None:
        self.progress = progress
        progress.write(self._file)

    # --- checking ----------------------------------------------------------------------------

    async def check(self, lesson: Lesson) -> Verdict:
        """Looks whether the lesson is done, and remembers the answer."""
        async with Client(self.theatre.connection) as client:
            look = Look(client, self.theatre, Outside(self.folder / "outside"))
            verdict = await _judge(lesson, look)
        passed = verdict.passed
        progress = self.progress
        self._remember(progress.succeeded(lesson.slug) if passed else progress.failed(lesson.slug))
        return verdict

    def help(self, lesson: Lesson, verdict: Verdict) -> list[str]:
        """One hint more with each failed try; in the end the solution, as a diff."""
        tries = self.progress.tries.get(lesson.slug, 0)
        shown = [placed(hint, self.folder.name) for hint in verdict.hints[:tries]]
        if tries > len(verdict.hints) and (diff := self.diff(lesson)):
            shown = [*shown, f"The whole way there:\n{diff}"]
        return shown

    def diff(self, lesson: Lesson) -> str:
        """From the learner's files to the solution."""
        parts: list[str] = []
        for name, solved in lesson.solution(self.source).items():
            file = self.folder / "app" / name
            mine = file.read_text("utf-8") if file.is_file() else ""
            parts += difflib.unified_diff(
                mine.splitlines(keepends=True),
                solved.splitlines(keepends=True),
                f"app/{name}",
                f"app/{name} (solved)",
            )
        return "".join(parts)

    # --- doing it for the learner ------------------------------------------------------------

    async def solve(self, lesson: Lesson, width: int = WIDTH) -> list[Ran]:
        """Puts the solution into the learner's files and runs the lesson's commands."""
        todo = self.commands(lesson)
        ran = [await self.run(command, width) for command in todo[: lesson.before]]
        self.put(lesson.solution(self.source))
        await self.theatre.fresh_service()
        ran += [await self.run(command, width) for command in todo[lesson.before :]]
        if lesson.keep is not None:
            self.put(msgspec.structs.replace(lesson, edits=lesson.keep).solution(self.source))
            await self.theatre.fresh_service()
        return ran

    def put(self, files: dict[str, str]) -> None:
        """Writes files of `app/`; what the learner wrote is kept beside them, all of it."""
        for name, content in files.items():
            file = self.folder / "app" / name
            mine = file.read_text("utf-8") if file.is_file() else content
            if mine != content and mine not in self._ours(name):
                _keep(file, mine)
            file.write_text(content, "utf-8")

    def _ours(self, name: str) -> set[str]:
        """What a file is without the learner's doing: the skeleton, and the solutions."""
        parts = [self.source / "app" / name, *self.source.glob(f"part?/{name}")]
        stages = {part.read_text("utf-8") for part in parts if part.is_file()}
        solved = (each.solution(self.source) for each in self.lessons if name in each.files)
        return stages | {files[name] for files in solved}

    async def run(self, command: str, width: int = WIDTH) -> Ran:
        """Runs a command as the learner would in a terminal of so many columns."""
        return await run(command, self.folder.parent, self.theatre.env, width)

    # --- starting over -----------------------------------------------------------------------

    def reset(self) -> None:
        """The skeleton and an empty engine again; what the learner wrote is kept beside it."""
        skeleton = self.source / "app"
        self.put({file.name: file.read_text("utf-8") for file in sorted(skeleton.glob("*.py"))})
        shutil.rmtree(self.folder / ".tour", ignore_errors=True)
        shutil.rmtree(self.folder / "outside", ignore_errors=True)
        self.progress = Progress()

    def overview(self) -> list[dict[str, Any]]:
        """All lessons and how far each is."""
        current = self.current.slug
        return [
            {
                "number": self.number(lesson),
                "lesson": lesson.slug,
                "title": self.title(lesson),
                "done": lesson.slug in self.progress.done,
                "current": lesson.slug == current,
            }
            for lesson in self.lessons
        ]


def _keep(file: Path, text: str) -> None:
    """As `<file>.mine`, or `<file>.mine2` and so on where that is another."""
    number, kept = 1, file.with_suffix(".py.mine")
    while kept.exists() and kept.read_text("utf-8") != text:
        number += 1
        kept = file.with_suffix(f".py.mine{number}")
    kept.write_text(text, "utf-8")


async def _judge(lesson: Lesson, look: Look) -> Verdict:
    try:
        await look.theatre.fresh_service()
        await lesson.check(look)
    except NotYet as missing:
        return Verdict(look.seen, missing.expected, missing.seen, list(missing.hints))
    except ClientError as error:
        hints = [error.hint] if error.hint else []
        return Verdict(look.seen, "the engine takes the request", str(error), hints)
    return Verdict(look.seen)
