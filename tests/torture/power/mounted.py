"""A file system of this machine's kernel on a `Disk`, mounted through a loop device."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.torture.power.disk import Disk
from tests.torture.power.fuse import DiskFile

SIZE = 512 << 20  # XFS wants 300 MiB
_MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-K"],
}
KINDS = tuple(_MAKE)


def missing(kind: str) -> str | None:
    """Why it cannot be had here."""
    if sys.platform != "linux" or os.geteuid() or not Path("/dev/fuse").exists():
        return "needs Linux, root and /dev/fuse"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    if shutil.which(_MAKE[kind][0]) is None:
        return f"needs {_MAKE[kind][0]} (apt-get install e2fsprogs xfsprogs btrfs-progs)"
    if kind not in Path("/proc/filesystems").read_text().split():
        return f"this kernel knows no {kind}"
    return None


class Mountable:
    """One disk after the other, each with the same kind of file system."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind = kind
        self.at = folder / "mounted"
        self.at.mkdir()
        self._file = DiskFile(folder / "disk", Disk(SIZE))

    @property
    def disk(self) -> Disk:
        return self._file.disk

    @property
    def path(self) -> Path:
        """The disk as a file."""
        return self._file.path

    def make(self) -> None:
        """A new disk with an empty file system."""
        self._file.disk = Disk(SIZE)
        subprocess.run([*_MAKE[self.kind], str(self._file.path)], check=True, capture_output=True)

    @contextlib.contextmanager
    def mounted(self, disk: Disk | None = None) -> Iterator[Path]:
        """Mount this disk, or the one that is there; the kernel replays the journal.

        Whoever has files open when it ends keeps the disk, but nobody finds it any more.
        """
        if disk is not None:
            self._file.disk = disk
        mount = ["mount", "-o", "loop", "-t", self.kind, str(self._file.path), str(self.at)]
        subprocess.run(mount, check=True)
        try:
            yield self.at
        finally:
            subprocess.run(["umount", "-l", str(self.at)], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.at)], check=False, capture_output=True)
        self._file.close()
