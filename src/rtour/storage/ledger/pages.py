"""How a volume of the ledger is laid out.

A volume is pages of 4 KiB. Two of them, alike, are its title: the salt of its present pass, from
the front to the back. Behind the title follow the commits, each from the beginning of a page: a
head, the encoded records, zeros. The head has the salt, the sequence before the commit's first
record, that of its last one, and a checksum of all of it. What lies there of earlier passes has
other salts; what services and clients send never looks like a commit, since they do not know it.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from rtour.engine.changes import Change

Written = tuple[int, int, list[Change]]
"""The sequence and time of a record, and its changes."""

PAGE: Final = 4096
SALT_BYTES: Final = 8
TITLE_BYTES: Final = 2 * PAGE

_ends = ("-ledger-0", "-ledger-1")

_TITLE = struct.Struct("<8s8sI")  # magic, salt, checksum of both
_TITLE_MAGIC = b"rtourlg1"
_HEAD = struct.Struct("<4s8sIIQQ")  # magic, salt, checksum, bytes of records, base, sequence
_MAGIC = b"rlgc"
_SALT_AT = 4
_SUM_AT = 12
_SUMMED_AT = 16
_DEEPER = 500
# Salts with so many bytes in common are the same, with damage.
_ALIKE_BYTES = SALT_BYTES // 2

_encode_into = msgspec.msgpack.Encoder().encode_into
_decoder = msgspec.msgpack.Decoder(list[Written])


def volumes(database: Path) -> tuple[Path, Path]:
    """The ledger's files, there or not."""
    first, second = (database.with_name(database.name + end) for end in _ends)
    return first, second


class Head(msgspec.Struct, frozen=True):
    """A sound commit in a volume: the records after `base` up to `sequence`.

    Without any it is a note: the database had `sequence`, and was synced.
    """

    base: int
    sequence: int
    start: int
    """Where its records begin in the volume."""
    end: int
    behind: int
    """Where the next commit begins."""

    @property
    def is_note(self) -> bool:
        return self.base == self.sequence


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


def title(salt: bytes) -> bytes:
    page = _TITLE.pack(_TITLE_MAGIC, salt, crc32(_TITLE_MAGIC + salt)).ljust(PAGE, b"\0")
    return page + page


def salts(content: memoryview) -> set[bytes]:
    """What the title says. Two, if a crash cut it off; none, if there was never one."""
    found = set()
    for at in range(0, min(len(content), TITLE_BYTES), PAGE):
        if len(content) - at >= _TITLE.size:
            magic, salt, total = _TITLE.unpack_from(content, at)
            if magic == _TITLE_MAGIC and total == crc32(magic + salt):
                found.add(salt)
    return found


def encode(written: list[Written]) -> bytearray:
    """The records of a commit, behind room for its head.

    Raises RecursionError for a future that nests too deep.
    """
    pages = bytearray(PAGE)
    _encode_into(written, pages, _HEAD.size)
    return pages


def finish(pages: bytearray, salt: bytes, base: int, sequence: int) -> None:
    """Write the head, and fill the last page."""
    _HEAD.pack_into(pages, 0, _MAGIC, salt, 0, len(pages) - _HEAD.size, base, sequence)
    pages += bytes(-len(pages) % PAGE)
    total = crc32(memoryview(pages)[_SUMMED_AT:], crc32(salt))
    struct.pack_into("<I", pages, _SUM_AT, total)


def head(content: memoryview, at: int, salt: bytes) -> Head | None:
    """The commit that begins there, if it is whole and of this pass."""
    if content[at : at + _SUM_AT] != _MAGIC + salt or len(content) - at < _HEAD.size:
        return None
    _, _, total, length, base, sequence = _HEAD.unpack_from(content, at)
    start = at + _HEAD.size
    end = start + length
    behind = end + -end % PAGE
    if behind > len(content) or crc32(content[at + _SUMMED_AT : behind], crc32(salt)) != total:
        return None
    return Head(base, sequence, start, end, behind)


def resembles_head(content: memoryview, at: int, salt: bytes) -> bool:
    """Whether a commit of this pass was begun there, be it cut off or damaged."""
    found = content[at + _SALT_AT : at + _SUM_AT]
    same = sum(one == other for one, other in zip(found, salt, strict=False))
    return same >= _ALIKE_BYTES


def decode(content: memoryview, commit: Head) -> list[Written]:
    """Its records."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + _DEEPER)  # what was encoded may have been so from less deep
    try:
        return _decoder.decode(content[commit.start : commit.end])
    finally:
        sys.setrecursionlimit(limit)
