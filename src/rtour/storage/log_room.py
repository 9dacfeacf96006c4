"""Room in the write-ahead log, ahead of what is written to it.

A file that grows with a write has to have its new length synced, too, which on a journaling file
system takes a second wait for the disk. So the log is made longer in large steps, with zeros, and
most commits overwrite: their sync writes their pages and nothing else. SQLite reads a log up to the
first frame without the salts of the log's header, so zeros behind the last frame mean nothing to
it; after a checkpoint it starts over at the front, and the room stays.

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
_LONGEST = 16
_SHARE = 4


class LogRoom:
    """Keeps zeros ahead in an existing log, about half of `step_bytes` at least."""

    def __init__(self, path: Path, step_bytes: int) -> None:
        self._file = path.open("r+b", buffering=0)
        self._step_bytes = step_bytes
        self._watched: int | None = None  # where the frame lies that calls for more room

    def ensure(self) -> None:
        """Lengthen the log if its room is half used up. The next commit syncs that, too."""
        if self._watched is None or self._is_reached(self._watched):
            size = self._file.seek(0, os.SEEK_END)
            step = min(max(size // _SHARE, self._step_bytes), _LONGEST * self._step_bytes)
            # A disk too full for zeros may still have room for a commit, whose error counts.
            with contextlib.suppress(OSError):
                self._file.write(bytes(step))
            frames = (size + step // 2 - _HEADER_BYTES) // _FRAME_BYTES
            self._watched = _HEADER_BYTES + frames * _FRAME_BYTES

    def _is_reached(self, at: int) -> bool:
        """Is the frame there one of the log's present life, or behind the log's end?"""
        salts = self._read(at + _SALTS_AT_IN_FRAME)
        if len(salts) < _SALTS_BYTES:
            return True
        return any(salts) and salts == self._read(_SALTS_AT)

    def _read(self, at: int) -> bytes:
        self._file.seek(at)
        return self._file.read(_SALTS_BYTES) or b""

    def close(self) -> None:
        self._file.close()
