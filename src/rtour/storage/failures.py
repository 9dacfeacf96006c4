"""What can go wrong with stored data, each with what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rtour.errors import RtourError


class StorageError(RtourError):
    """The stored data cannot be used; the message says why and what to do."""


class FolderInUseError(StorageError):
    """Another server has the folder."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(
            f"The data folder {folder} is in use by the server with process id {pid or 'unknown'}. "
            "Stop that server, or start this one with another data folder."
        )


class ForeignFileError(StorageError):
    """A file is where the data should be, and rtour did not make it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is a database that rtour did not make. "
            "Move it away, or start the server with another data folder."
        )


class NewerSchemaError(StorageError):
    """A later version of rtour wrote the file."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}; this rtour knows versions up to {known}. "
            "Start the server with the rtour that wrote it, or a later one."
        )


class DamagedError(StorageError):
    """SQLite cannot make sense of the file."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"{path} is damaged: {reason}. Restore it from a backup, or save what is readable with "
            f"`sqlite3 {path} .recover` and start the server with another data folder."
        )


class WriteFailedError(StorageError):
    """A commit failed, so nothing may be written after it."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Writing to {path} failed: {reason}. Nothing was acknowledged that is not stored. "
            "See to the disk (space, permissions, health), then restart the server."
        )


_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def explained(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """The error that SQLite raised, as damage to the file if that is what it means."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return DamagedError(path, error) if code in _DAMAGE else error
