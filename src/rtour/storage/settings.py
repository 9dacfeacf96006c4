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
    readers_wait_s: float = 5.0
    """How long a start waits for who reads the file, so that the write-ahead log can be emptied."""
    cache_items: int = 20_000
    cache_bytes: int = 16 * 1024 * 1024
    page_cache_kib: int = 8 * 1024
    """SQLite's own cache of the writer; a reader has a quarter of it."""
    checkpoint_rows: int = 8_000
    """Written rows after which the write-ahead log is folded into the database file."""
    carry_after_s: float = 0.05
    """How long commits wait in the ledger before the database gets them, all at once."""
    carry_bytes: int = 256 * 1024
    """So much of them does not wait."""
    late_bytes: int = 32 * 1024 * 1024
    """With so much of them, commits wait until the database has caught up."""
    large_bytes: int = 1024 * 1024
    """A commit with so much in it goes past the ledger, which would only write it once more."""
    volume_bytes: int = 16 * 1024 * 1024
    """The ledger goes on in its other volume when one is so long."""
    step_bytes: int = 256 * 1024
    """A volume is lengthened ahead of its commits by so much."""
    checkpoint_bytes: int = 16 * 1024 * 1024
    """Bytes carried over after which the log is folded in, however few rows they are."""
    check_bytes_max: int = 1 << 20
    """A file up to this size is checked, all of it, before it is used; 3 ms and 4 ms per 100 kB."""
    spare_pages: int = 2_048
    """Free pages of the file, of 4 KiB each, that are kept for what comes."""
