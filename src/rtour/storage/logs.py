"""Whether the write-ahead log holds more than SQLite reads of it.

SQLite reads the log up to the first frame that does not match its checksum, and takes all behind it
for a write that was cut off. So it must, after a power cut; but a bit that turned in the middle of
the log would silently take back every commit behind it. The two can be told apart: a commit is
synced before the next one is written, so a power cut mauls the last commit and no other.

The format is SQLite's, fixed for ever (sqlite.org/walformat.html): a header of 32 bytes, then
frames of 24 bytes and a page. A frame that belongs to the log has the header's two salts, which
change each time the log starts over. How far SQLite read is in the -shm file, at byte 16.
"""

from __future__ import annotations

import enum
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

_HEADER = 32
_FRAME = struct.Struct(">4xIQ")  # page number, pages after a commit or 0, both salts
_FRAME_BYTES = 24
_SALTS_AT = 16
_SUM_AT = 24
_PAGE_SIZE_AT = 16  # of the database's header
_READ_AT = 16  # of the -shm file, as are the salts of what was read
_SALTS_READ_AT = 32
# Salts that differ in so few bits are the same, with damage: one of them is random.
_NEAR_BITS = 2


class Unread(enum.Enum):
    """What is in the log behind the last commit that SQLite reads."""

    NOTHING = enum.auto()
    UNFINISHED = enum.auto()
    """One commit that did not arrive whole, as after a kill or a power cut."""
    COMMITS = enum.auto()
    """Commits that had arrived: the log is damaged."""


class _Frame(msgspec.Struct, frozen=True):
    commits: bool
    salts: int


def unread(database: Path) -> Unread:
    """What SQLite, which has the database open, does not read of its log.

    A server may write to the log meanwhile, or start it over.
    """
    log, shm = (database.with_name(database.name + end) for end in ("-wal", "-shm"))
    if not log.exists() or log.stat().st_size <= _HEADER or not shm.exists():
        return Unread.NOTHING
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        header = content[:_HEADER]
        frames = list(_frames(content, _page_bytes(database)))
    # Read after the frames: what is committed meanwhile must not look as if it were not read.
    index = shm.read_bytes()
    (read,) = struct.unpack_from("=I", index, _READ_AT)
    if _is_sound(header) and index[_SALTS_READ_AT:][:8] != header[_SALTS_AT:_SUM_AT]:
        return Unread.NOTHING  # it has started over meanwhile
    return _judge(header, frames, read)


def _judge(header: bytes, frames: list[_Frame], read: int) -> Unread:
    salts = _salts(header, frames)
    left = [at for at, frame in enumerate(frames) if at >= read and _near(frame.salts, salts)]
    if not left:
        return Unread.NOTHING
    commits = [at for at in left if frames[at].commits]
    arrived = bool(commits) and left[-1] > commits[0]
    return Unread.COMMITS if arrived else Unread.UNFINISHED


def _frames(content: mmap.mmap, page_bytes: int) -> Iterator[_Frame]:
    """All frames that are there in full length."""
    step = _FRAME_BYTES + page_bytes
    for at in range(_HEADER, len(content) - step + 1, step):
        pages, salts = _FRAME.unpack_from(content, at)
        yield _Frame(pages != 0, salts)


def _salts(header: bytes, frames: list[_Frame]) -> int:
    """The log's own, not those of its lives before. A damaged header is no witness."""
    if _is_sound(header) or not frames:
        return int.from_bytes(header[_SALTS_AT:_SUM_AT], "big")
    return frames[0].salts


def _is_sound(header: bytes) -> bool:
    """Whether the header's last eight bytes are the checksum of the others."""
    order = ">" if header[3] & 1 else "<"  # the last bit of the magic number
    first = second = 0
    for one, other in struct.iter_unpack(f"{order}II", header[:_SUM_AT]):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return struct.unpack(">II", header[_SUM_AT:]) == (first, second)


def _near(one: int, other: int) -> bool:
    return (one ^ other).bit_count() <= _NEAR_BITS


def _page_bytes(database: Path) -> int:
    with database.open("rb") as file:
        file.seek(_PAGE_SIZE_AT)
        (size,) = struct.unpack(">H", file.read(2))
    return 65536 if size == 1 else int(size)
