"""What may be set of the SQLite storage."""

from __future__ import annotations

import enum

from rtour.engine.model import Struct


class CommitIn(enum.StrEnum):
    """Where a commit waits for the disk.

    A thread costs each commit two hand-overs of the interpreter lock, which on a fast disk take
    longer than the disk. The loop is blocked meanwhile, and gathers the next batch in its sockets.
    """

    THREAD = "thread"
    LOOP = "loop"
    FASTER = "faster"
    """In the loop while the disk is fast, in the thread when it is not."""


class SqliteSettings(Struct):
    commit_in: CommitIn = CommitIn.FASTER
    slow_commit_ms: float = 1.0
    """A disk that is waited for longer than this on average is slow."""
    sync: bool = True
    """Off, a crash of the machine (not of the process) loses the last commits."""
    cache_items: int = 20_000
    cache_bytes: int = 16 * 1024 * 1024
    page_cache_kib: int = 8 * 1024
    """SQLite's own cache of the writer; a reader has a quarter of it."""
    checkpoint_rows: int = 8_000
    """Written rows after which the write-ahead log is folded into the database file."""
    log_step_bytes: int = 256 * 1024
    """The log is lengthened ahead of its commits by so much, or more if it is long; 0 for never."""
    log_enough_bytes: int = 16 * 1024 * 1024
    """A log of this length is folded in, however few rows it holds."""
    check_bytes_max: int = 1 << 20
    """A file up to this size is checked, all of it, before it is used; 3 ms and 4 ms per 100 kB."""
    spare_pages: int = 2_048
    """Free pages of the file, of 4 KiB each, that are kept for what comes."""
