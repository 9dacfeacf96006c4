"""Files for their owner alone: they hold tokens, or what was asked of a server."""

from __future__ import annotations

import os
from pathlib import Path

OWNER_ONLY = 0o600


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole; at no moment can others read it, and a crash keeps the old one.

    Folders that are not there are made. A link stays one.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with os.fdopen(_created(beside), "wb") as file:
            file.write(content)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def make_private(path: Path) -> None:
    """Make sure that a file is there and private, before somebody else writes to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=OWNER_ONLY)
    path.chmod(OWNER_ONLY)


def _created(path: Path) -> int:
    path.unlink(missing_ok=True)  # of a crash, or planted: we write to no file that is there
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
