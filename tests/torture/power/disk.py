"""A disk that remembers in which order it was written, and what its cache may lose.

The rule that file systems rely on: a flush returns when all writes that were answered before it are
on the platter. Of those after the last flush a power cut leaves what it likes, sector by sector.
"""

from __future__ import annotations

import enum
import mmap
from collections.abc import Iterable
from random import Random

import msgspec

SECTOR = 512


class Write(msgspec.Struct, frozen=True):
    """Bytes that were written somewhere."""

    at: int
    content: bytes


class Keep(enum.StrEnum):
    """What a power cut leaves of what was not flushed."""

    NOTHING = "nothing"
    SOME = "some"
    """Any of the writes, in any order."""
    TORN = "torn"
    """Any of their sectors, in any order."""
    ALL = "all"
    """As if only the operating system had crashed."""


class Disk:
    """What a machine sees, and all that was done to it since it was empty: `log`.

    In the log None is a flush. Positions in it are moments: whoever is answered at a position was
    answered after all that is before it.
    """

    def __init__(self, size: int, writes: Iterable[Write] = ()) -> None:
        self.size = size
        self.log: list[Write | None] = []
        self._content = mmap.mmap(-1, size)
        for write in writes:
            self.write(write.at, write.content)
        self.flush()

    @property
    def position(self) -> int:
        return len(self.log)

    def read(self, at: int, length: int) -> bytes:
        return self._content[at : at + length]

    def write(self, at: int, content: bytes) -> None:
        self._content[at : at + len(content)] = content
        self.log.append(Write(at, content))

    def flush(self) -> None:
        self.log.append(None)

    def after_cut(self, position: int, keep: Keep, random: Random) -> Disk:
        """The disk that a machine finds whose power was cut at a moment."""
        before = self.log[:position]
        flushed = next((at for at in range(position, 0, -1) if before[at - 1] is None), 0)
        kept = _kept(_writes(before[flushed:]), keep, random)
        return Disk(self.size, [*_writes(before[:flushed]), *kept])


def _writes(log: list[Write | None]) -> list[Write]:
    return [each for each in log if each is not None]


def _kept(writes: list[Write], keep: Keep, random: Random) -> list[Write]:
    if keep is Keep.NOTHING:
        return []
    if keep is Keep.ALL:
        return writes
    if keep is Keep.TORN:
        writes = [sector for write in writes for sector in _sectors(write)]
    share = random.random()  # a cache that was nearly written back, or hardly at all
    kept = [write for write in writes if random.random() < share]
    random.shuffle(kept)
    return kept


def _sectors(write: Write) -> list[Write]:
    return [
        Write(write.at + start, write.content[start : start + SECTOR])
        for start in range(0, len(write.content), SECTOR)
    ]
