"""The data folder: one server at a time, readable by its owner alone."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from rtour.storage.failures import FolderError, FolderInUseError

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        # Far behind the text, so that others can still read the process id.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


log = logging.getLogger("rtour.storage")

DATABASE = "rtour.db"


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; Windows has no way to, and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make what a file holds durable, whoever wrote it."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Folder:
    """An existing data folder that is ours until `release`.

    The kernel drops the lock when the process ends, however it ends; the file stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / DATABASE
        self.log = path / f"{DATABASE}-wal"
        lock = path / "lock"
        try:
            self._holders = {each.parent for each in (path, *path.parents) if not each.exists()}
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
            self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FolderError(path, error) from error
        try:
            _try_lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise FolderInUseError(path, lock.read_text().strip()) from error
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def own_database(self) -> None:
        """If the file is there, make it ours alone, and tell of one that is empty."""
        try:
            if not self.database.exists():
                return
            self.database.chmod(0o600)
            if not self.database.stat().st_size and not self.log.exists():
                log.warning(
                    "%s is empty: the server begins with nothing. If the disk has lost what it "
                    "had, stop the server and bring a backup back with `rtour restore`",
                    self.database,
                )
        except OSError as error:
            raise FolderError(self.path, error) from error

    def has_log(self) -> bool:
        """Whether SQLite has a log that is not all folded in."""
        return self.log.exists() and self.log.stat().st_size > 0

    def sync(self) -> None:
        """Make the names in it durable, and its own if it was not there before."""
        for folder in (self.path, *self._holders):
            sync_folder(folder)

    def release(self) -> None:
        os.close(self._descriptor)
