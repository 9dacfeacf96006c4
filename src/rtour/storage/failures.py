"""What can go wrong with stored data, each with what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from rtour.errors import RtourError


class StorageError(RtourError):
    """The stored data cannot be used; the message says why and what to do."""


class FolderError(StorageError):
    """The folder cannot be made, or is not ours to use."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"The data folder {folder} cannot be used: {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}. It must be a folder that this "
            "user owns and may write. Give it to this user, or name another data folder."
        )


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


class UpgradeRoomError(StorageError):
    """An upgrade keeps a copy of the file, for which there is no room."""

    def __init__(self, path: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{path} is of an earlier rtour and would be upgraded, which needs "
            f"{_megabytes(needed)} beside it for a copy and the log; {_megabytes(free)} are free. "
            "Make room, then start the server again; nothing was changed."
        )


class CopyRoomError(StorageError):
    """A copy could not be written."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Writing {path} failed: {reason}. What was written of it is removed again. "
            "See to the disk (space, permissions), or name another place."
        )


class DamagedError(StorageError):
    """The file does not hold what was written to it."""

    def __init__(self, path: Path, reason: object) -> None:
        self.reason = str(reason)
        super().__init__(
            f"{path} is damaged: {reason}. Stop the server and restore a backup (`rtour restore`), "
            f"or save what is readable with `sqlite3 {path} .recover` and start the server with "
            f"another data folder. `rtour doctor --data {path.parent}` lists all damage."
        )


class RowDamagedError(DamagedError):
    """One row is not what was written."""

    def __init__(self, path: Path, table: str, key: Sequence[object]) -> None:
        super().__init__(path, row_damage(table, key))


class WriteFailedError(StorageError):
    """A commit failed, so nothing may be written after it."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"Writing to {path} failed: {reason}. Nothing was acknowledged that is not stored. "
            "See to the disk (space, permissions, health), then restart the server."
        )


class DiskError(StorageError):
    """The disk refuses, or the system does for it."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(
            f"{path} cannot be used: {reason}. Nothing was acknowledged that is not stored. "
            "See to the disk (space, permissions, health), then start the server again."
        )


_KEY_MAX = 60


def row_damage(table: str, key: Sequence[object]) -> str:
    """Which row does not match its sum; `key` is how it is found."""
    words = ", ".join(_shown(part) for part in key)
    return f"a row of the table {table} does not match its checksum ({words})"


def _shown(part: object) -> str:
    text = part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
    return text if len(text) <= _KEY_MAX else f"{text[:_KEY_MAX]}…"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_DISK = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    }
)


READ_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a file may raise: SQLite's errors, and Python's about text that is none."""


def explained(path: Path, error: Exception) -> Exception:
    """One of `READ_ERRORS`, as damage to the file or trouble with the disk if it means that.

    Our statements are constants: where they have an error, it is the file's tables that changed.
    An error without a code is Python's, about text that is none.
    """
    if isinstance(error, UnicodeDecodeError):
        return DamagedError(path, f"text in it is not text: {error}")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return DamagedError(path, error) if type(error) is sqlite3.OperationalError else error
    if code & 0xFF in _DAMAGE:
        return DamagedError(path, error)
    return DiskError(path, error) if code & 0xFF in _DISK else error
