"""A lesson: a text in Markdown, a check, and how it is solved."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from .look import Look

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CARRIED_ON = re.compile(r" *\\\n *")
PLACE = re.compile(r"\btour(?=[/.](?:app|auxiliary|outside|part\d|typescript|\.tour)\b)")
USUAL_PORT = re.compile(r"\b(8080|9070|9080)\b")


class Edit(msgspec.Struct, frozen=True):
    """A change to one file of a stage, for lessons that have the learner break something."""

    file: str
    old: str
    new: str


class Lesson(msgspec.Struct, frozen=True):
    """One lesson. `stage` and `files` say where its solution is; without, there is only to do
    what the text says. `edits` are made to the solution; of them only `keep` stays after the
    commands, if it is given. `before` says how many of the commands come before the change.
    """

    slug: str
    check: Callable[[Look], Awaitable[None]]
    stage: str | None = None
    files: Sequence[str] = ()
    edits: Sequence[Edit] = ()
    keep: Sequence[Edit] | None = None
    before: int = 0

    def text(self, folder: Path) -> str:
        """The lesson as Markdown."""
        return (folder / f"{self.slug}.md").read_text("utf-8")

    def solution(self, tour: Path) -> dict[str, str]:
        """The files of `app/` as they solve the exercise."""
        assert self.stage or not self.files
        stage = tour / str(self.stage)
        files = {name: (stage / name).read_text("utf-8") for name in self.files}
        for edit in self.edits:
            assert edit.old in files[edit.file], f"{self.slug}: nothing to edit in {edit.file}"
            files[edit.file] = files[edit.file].replace(edit.old, edit.new, 1)
        return files


def title(text: str) -> str:
    """The heading of a lesson."""
    return text.partition("\n")[0].removeprefix("# ").strip()


def commands(text: str) -> list[str]:
    """The commands that a lesson tells the learner to run, in order."""
    consoles = [body for kind, body in FENCE.findall(text) if kind == "console"]
    lines = CARRIED_ON.sub(" ", "\n".join(consoles)).splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


def placed(text: str, folder: str) -> str:
    """The text with the name of the learner's folder in place of `tour`."""
    return PLACE.sub(folder, text)


def addressed(text: str, ports: Sequence[int]) -> str:
    """The text with the ports in use in place of the usual ones."""
    in_use = dict(zip(("8080", "9070", "9080"), map(str, ports), strict=True))
    return USUAL_PORT.sub(lambda found: in_use[found[0]], text)
