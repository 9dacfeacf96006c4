"""The data folder: one server at a time, readable by its owner alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rtour.storage.failures import FolderInUseError

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


class Folder:
    """An existing data folder that is ours until `release`.

    The kernel drops the lock when the process ends, however it ends; the file stays.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        self.path = path
        self.database = path / "rtour.db"
        lock = path / "lock"
        self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _try_lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise FolderInUseError(path, lock.read_text().strip()) from error
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())
        # SQLite gives -wal and -shm the permissions of the database.
        os.close(os.open(self.database, os.O_RDWR | os.O_CREAT, 0o600))
        self.database.chmod(0o600)

    def release(self) -> None:
        os.close(self._descriptor)
