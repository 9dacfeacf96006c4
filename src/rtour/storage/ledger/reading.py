"""What the ledger has and the database has not: after a crash, and for copies of a live folder.

A commit is synced before the next one is written. So a crash mauls the last commit and no other,
and a commit that is neither in the database nor in the ledger, while a later one is, was lost to
damage.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from rtour.storage.ledger import pages
from rtour.storage.ledger.pages import PAGE, TITLE_BYTES, Head, Written


class Volume:
    """A volume's content, and the commits of its present pass."""

    def __init__(self, content: mmap.mmap | bytes) -> None:
        self.content = memoryview(content)
        self.commits: list[Head] = []
        self.is_unfinished = False
        for salt in pages.salts(self.content):
            self._read(salt)

    def _read(self, salt: bytes) -> None:
        at, is_broken = TITLE_BYTES, False
        while at < len(self.content):
            found = pages.head(self.content, at, salt)
            if found is None:
                is_broken = is_broken or pages.resembles_head(self.content, at, salt)
                at += PAGE
                continue
            self.commits.append(found)
            # Of one before another it shows anyway, if it is needed.
            is_broken = is_broken and found.is_note
            at = found.behind
        self.is_unfinished |= is_broken


class Contents:
    """Both volumes, with the commits `upto` a sequence."""

    def __init__(self, *contents: mmap.mmap | bytes, upto: int | None = None) -> None:
        self._volumes = [Volume(content) for content in contents]
        if upto is not None:
            for volume in self._volumes:
                volume.commits = [each for each in volume.commits if each.sequence <= upto]

    @property
    def is_unfinished(self) -> bool:
        """Whether one commit did not arrive whole, as after a kill or a power cut."""
        return any(volume.is_unfinished for volume in self._volumes)

    @property
    def last(self) -> int:
        """The sequence of the last commit, 0 if there is none."""
        sequences = [found.sequence for each in self._volumes for found in each.commits]
        return max(sequences, default=0)

    def behind(self, place: int) -> Iterator[list[Written]]:
        """The records of each commit behind `place`, the sequence of the database's last record.

        Raises MissingError where one is not there although a later one is, or the database was
        there before.
        """
        beyond = [
            (found, volume.content)
            for volume in self._volumes
            for found in volume.commits
            if found.sequence > place
        ]
        beyond.sort(key=lambda one: one[0].sequence)
        reached = place
        for found, _ in beyond:
            if found.is_note:
                raise MissingError(place, found.sequence)
            if found.base != reached:
                raise MissingError(reached, found.sequence)
            reached = found.sequence
        return (pages.decode(content, found) for found, content in beyond)

    def close(self) -> None:
        for volume in self._volumes:
            volume.content.release()


class MissingError(Exception):
    """Commits that were made are neither in the database nor in the ledger."""

    def __init__(self, place: int, later: int) -> None:
        super().__init__(
            f"what was committed after record {place} is missing, although record {later} was "
            "stored, as its ledger knows"
        )


@contextlib.contextmanager
def opened(database: Path) -> Iterator[Contents]:
    """The ledger of a database that nobody writes to meanwhile."""
    with contextlib.ExitStack() as stack:
        mapped = []
        for path in filter(_has_content, pages.volumes(database)):
            with path.open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            mapped.append(stack.enter_context(content))
        contents = Contents(*mapped)
        stack.callback(contents.close)
        yield contents


def copied(database: Path) -> Contents:
    """The ledger as it is now, while a server may go on writing.

    A read takes its time, and may miss a commit and see the next one. But whatever it sees, all
    before that is there for a second read, as long as the titles stay.
    """
    paths = pages.volumes(database)
    while True:
        titles = [_read(path, TITLE_BYTES) for path in paths]
        seen = Contents(*map(_read, paths)).last
        contents = [_read(path) for path in paths]
        if (
            titles
            == [content[:TITLE_BYTES] for content in contents]
            == [_read(path, TITLE_BYTES) for path in paths]
        ):
            return Contents(*contents, upto=seen)


def older_first(database: Path) -> tuple[Path, Path]:
    """The volumes, that with the last commit behind the other."""
    first, second = pages.volumes(database)
    if Contents(_read(first)).last > Contents(_read(second)).last:
        return second, first
    return first, second


def _read(path: Path, length: int = -1) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(length)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
