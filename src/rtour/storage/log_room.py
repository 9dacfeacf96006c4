"""Room in the write-ahead log, ahead of what is written to it.

A file that grows with a write has to have its new length synced, too, which on a journaling file
system takes a second wait for the disk. So the log is made longer in large steps, with zeros, and
most commits overwrite: their sync writes their pages and nothing else. SQLite reads a log up to the
first frame without the salts of the log's header, so zeros behind the last frame mean nothing to
it; after a checkpoint it starts over at the front, with other salts, and the room stays.

A log that is long enough had better start over. Until it does (a checkpoint takes its time, and
waits for whoever reads what it would overwrite) it goes on growing.

Only the thread that commits may call this, between transactions.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_HEADER_BYTES = 32
_FRAME_BYTES = 24 + 4096  # SQLite's page size, unless a file was made with another
_SALTS_AT = 16  # in the header
_SALTS_AT_IN_FRAME = 8
_SALTS_BYTES = 8
# The longer the log, the longer the steps, up to this many times the first.
_LONGEST = 4
_SHARE = 4

IS_POSSIBLE = hasattr(os, "pread")  # not on Windows


class LogRoom:
    """Keeps zeros ahead in an existing log, about half of `step_bytes` at least.

    `enough_bytes` is the length at which the log had better start over.
    """

    def __init__(self, path: Path, step_bytes: int, enough_bytes: int) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._step_bytes = step_bytes
        self._enough_bytes = enough_bytes
        self._salts = b""
        self._watched = 0  # where the frame lies that is written when room becomes scarce
        self._was_told = False

    def ensure(self) -> bool:
        """Lengthen the log if its room is half used up; the next commit syncs that, too.

        True, and at first no longer, if it is long enough: it is time to fold it in.
        """
        salts = self._read(_SALTS_AT)
        if salts != self._salts:  # it has started over, with all its room
            self._salts, self._was_told = salts, False
            size = min(self._size(), self._enough_bytes)
            self._watch(size - self._step(size) // 2)
        if not self._is_reached():
            return False
        size = self._size()
        is_enough = size >= self._enough_bytes
        if is_enough and not self._was_told:
            self._was_told = True
            self._watch(size)
        else:
            self._lengthen(size)
        return is_enough

    def _lengthen(self, size: int) -> None:
        step = self._step(size)
        # A disk too full for zeros may still have room for a commit, whose error counts.
        with contextlib.suppress(OSError):
            os.pwrite(self._file, bytes(step), size)
        self._watch(size + step - step // 2)

    def _step(self, size: int) -> int:
        return min(max(size // _SHARE, self._step_bytes), _LONGEST * self._step_bytes)

    def _size(self) -> int:
        return os.fstat(self._file).st_size

    def _watch(self, end: int) -> None:
        """Watch the last frame before `end`."""
        frames = (end - _HEADER_BYTES) // _FRAME_BYTES
        self._watched = _HEADER_BYTES + max(0, frames - 1) * _FRAME_BYTES

    def _is_reached(self) -> bool:
        """Is the watched frame one of the log's present life, or behind the log's end?"""
        salts = self._read(self._watched + _SALTS_AT_IN_FRAME)
        if len(salts) < _SALTS_BYTES:
            return True
        return any(salts) and salts == self._salts

    def _read(self, at: int) -> bytes:
        return os.pread(self._file, _SALTS_BYTES, at)

    def close(self) -> None:
        os.close(self._file)
