"""Commits go into the ledger: one write, one sync, behind the last one.

A file that grows with a write has to have its new length synced, too, which on a journaling file
system takes a second wait for the disk. So a volume is made longer in large steps, with zeros, and
most commits overwrite.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from rtour.storage.ledger import pages

datasync = getattr(os, "fdatasync", os.fsync)


class Volume:
    """One file. `last` is the sequence of the last commit in it, 0 if nobody needs what it has."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self.length = os.fstat(self.file).st_size
        self.at = 0
        self.salt = b""
        self.last = 0

    def write(self, content: bytes | bytearray, at: int) -> None:
        os.lseek(self.file, at, os.SEEK_SET)
        view = memoryview(content)
        while view:
            view = view[os.write(self.file, view) :]


class Ledger:
    """The volumes of a database. What they hold at first must be in the database, and synced.

    Commits come one after the other, notes from any thread. Raises OSError, and is of no more use
    then.
    """

    def __init__(
        self, volumes: tuple[Path, Path], *, sync: bool, volume_bytes: int, step_bytes: int
    ) -> None:
        self._sync = sync
        self._volume_bytes = volume_bytes
        self._step_bytes = step_bytes
        self._released = 0
        self._lock = threading.Lock()
        first, second = volumes
        self._volume, self._other = Volume(first), Volume(second)
        self._begin(self._volume)

    def append(self, commit: bytearray, base: int, sequence: int) -> None:
        """Make a commit durable: what `pages.encode` made of its records.

        `base` is the sequence of the commit before it.
        """
        with self._lock:
            volume = self._write(commit, base, sequence)
            if self._sync:
                datasync(volume.file)

    @property
    def is_half_full(self) -> bool:
        """Whether the other volume has commits, which the database had better have soon."""
        return self._other.last > self._released

    def release(self, sequence: int, *, sync: bool = False) -> None:
        """The database has everything up to `sequence`, and is synced.

        That is noted, too, and durable with the next commit, or with `sync` at once: should the
        database be behind it one day, it was damaged.
        """
        self._released = sequence
        with self._lock:
            volume = self._write(pages.encode([]), sequence, sequence)
            if sync and self._sync:
                datasync(volume.file)

    def _volume_to_write(self) -> Volume:
        if self._volume.at >= self._volume_bytes and not self.is_half_full:
            self._volume, self._other = self._other, self._volume
            self._begin(self._volume)
        return self._volume

    def _begin(self, volume: Volume) -> None:
        volume.at, volume.salt, volume.last = 0, pages.new_salt(), 0

    def _write(self, commit: bytearray, base: int, sequence: int) -> Volume:
        volume = self._volume_to_write()
        pages.finish(commit, volume.salt, base, sequence)
        content = commit if volume.at else pages.title(volume.salt) + commit
        end = volume.at + len(content)
        if end + self._step_bytes // 2 > volume.length:
            self._lengthen(volume, end)
        volume.write(content, volume.at)
        volume.length = max(volume.length, end)
        volume.at, volume.last = end, max(volume.last, sequence)
        return volume

    def _lengthen(self, volume: Volume, end: int) -> None:
        room = end + self._step_bytes - volume.length
        # A disk too full for zeros may still have room for a commit, whose error counts.
        with contextlib.suppress(OSError):
            volume.write(bytes(room), volume.length)
            volume.length += room

    def retire(self) -> None:
        """The database has all of it without its log, synced: nobody need read it again."""
        for volume in (self._volume, self._other):
            volume.write(pages.title(pages.new_salt()), 0)

    def close(self) -> None:
        os.close(self._volume.file)
        os.close(self._other.file)
