"""What a power cut leaves of a database and its log: what was synced, and some of what was not."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from tests.simulation.sqlite_files import DATABASE, LOG, Files, cut_off, in_part, is_folded_in


class Syncs:
    """Takes the place of `datasync`: of files by their number, what they held then."""

    def __init__(self) -> None:
        self._contents: dict[int, bytes] = {}

    def __call__(self, file: int) -> None:
        status = os.fstat(file)
        self._contents[status.st_ino] = os.pread(file, status.st_size, 0)

    def of(self, path: Path) -> bytes | None:
        """What is news of a file."""
        return self._contents.pop(path.stat().st_ino, None) if path.exists() else None


class Synced:
    """The database and its log in one life, as they were last synced."""

    def __init__(self, database: Path, files: Files, syncs: Syncs) -> None:
        self._database = database
        self._syncs = syncs
        self._kept = files

    def log(self, content: bytes) -> None:
        self._kept = self._kept | {LOG: content}

    def checkpoint(self, before: Files, after: Files) -> None:
        """SQLite syncs the log before it folds it in, and the database when all of it is in."""
        self._look()
        if after[DATABASE] != before.get(DATABASE):
            self.log(after.get(LOG, b""))
        if is_folded_in(self._database):
            self._kept = self._kept | {DATABASE: after[DATABASE]}

    def cut(self, files: Files, random: Random) -> Files:
        """What is left of the files."""
        self._look()
        database = in_part(self._kept[DATABASE], files[DATABASE], random)
        log = cut_off(self._kept.get(LOG, b""), files.get(LOG, b""), random)
        return files | {DATABASE: database, LOG: log}

    def _look(self) -> None:
        log = self._syncs.of(self._database.with_name(LOG))
        if log is not None:
            self.log(log)
