"""A `Disk` as a file: what is mounted there is one file, and a thread of ours is its file system.

So every program can use it as a disk: the kernel's loop device, or qemu. The protocol is that of
<linux/fuse.h>, as little of it as a single file needs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from pathlib import Path

from tests.torture.power.disk import Disk

_MAX_WRITE = 1 << 20
_HEAD = struct.Struct("<IIQQIIII")
_ANSWER = struct.Struct("<IiQ")
_GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _RELEASE, _FSYNC, _FLUSH = 3, 4, 14, 15, 16, 18, 20, 25
_INIT, _FORGET, _INTERRUPT, _DESTROY, _BATCH_FORGET = 26, 2, 36, 38, 42
_UNANSWERED = {_FORGET, _BATCH_FORGET, _INTERRUPT, _DESTROY}
_INIT_ANSWER = struct.Struct("<IIIIHHIIHH32x")
_VERSION, _MINOR = 7, 31
_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_ATTRIBUTES = struct.Struct("<QIIQQQQQQIIIIIIIIII")
_TRANSFER = struct.Struct("<QQIIQII")  # what reads and writes begin with
_PAGE = 4096
_NO_CACHE = 1  # every read and write is told to us
_MODE = 0o100600
_NO_SUID_NO_DEV, _DETACH = 2 | 4, 2

_libc = ctypes.CDLL(None, use_errno=True)


class DiskFile:
    """A file, mounted, whose content is `disk`; that may be exchanged while nobody has it open."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.disk = disk
        path.touch()
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._device},rootmode={_MODE:o},user_id=0,group_id=0,allow_other"
        target, kind = str(path).encode(), b"fuse"
        if _libc.mount(b"rtour-disk", target, kind, _NO_SUID_NO_DEV, options.encode()):
            code = ctypes.get_errno()
            os.close(self._device)
            raise OSError(code, os.strerror(code), str(path))
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        _libc.umount2(str(self.path).encode(), _DETACH)
        self._thread.join()
        os.close(self._device)

    def _serve(self) -> None:
        buffer = memoryview(bytearray(_MAX_WRITE + _PAGE))
        while True:
            try:
                length = os.readv(self._device, [buffer])
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno in {errno.EINTR, errno.EAGAIN, errno.ENOENT}:
                    continue
                raise
            _, opcode, unique, *_ = _HEAD.unpack_from(buffer)
            if opcode in _UNANSWERED:
                continue
            answer = self._answer(opcode, buffer[_HEAD.size : length])
            code = -errno.ENOSYS if answer is None else 0
            body = answer or b""
            os.writev(self._device, [_ANSWER.pack(_ANSWER.size + len(body), code, unique), body])

    def _answer(self, opcode: int, body: memoryview) -> bytes | None:
        match opcode:
            case _ if opcode == _INIT:
                return _init()
            case _ if opcode in {_GETATTR, _SETATTR}:
                return self._attributes()
            case _ if opcode == _OPEN:
                return struct.pack("<QII", 0, _NO_CACHE, 0)
            case _ if opcode == _READ:
                _, at, length, *_ = _TRANSFER.unpack_from(body)
                return self.disk.read(at, length)
            case _ if opcode == _WRITE:
                _, at, length, *_ = _TRANSFER.unpack_from(body)
                self.disk.write(at, bytes(body[_TRANSFER.size : _TRANSFER.size + length]))
                return struct.pack("<II", length, 0)
            case _ if opcode == _FSYNC:
                self.disk.flush()
                return b""
            case _ if opcode in {_FLUSH, _RELEASE}:  # of a descriptor that is closed
                return b""
        return None

    def _attributes(self) -> bytes:
        blocks = self.disk.size // 512
        owner = (os.getuid(), os.getgid())
        times = (0,) * 6
        return _ATTRIBUTES.pack(
            0, 0, 0, 1, self.disk.size, blocks, *times, _MODE, 1, *owner, 0, _PAGE, 0
        )


def _init() -> bytes:
    flags, pages = _BIG_WRITES | _MAX_PAGES, _MAX_WRITE // _PAGE
    return _INIT_ANSWER.pack(_VERSION, _MINOR, _PAGE, flags, 64, 48, _MAX_WRITE, 1, pages, 0)
