"""Memory of large payloads: used again while they come, given back to the system afterwards.

glibc maps each block above a threshold for one use, which then costs a page fault for every 4 KiB:
half the time of a call with 1 MB. By itself it raises that threshold to the largest block it ever
freed: after a burst of 8 MB payloads a server would hold gigabytes for ever, in pieces. So blocks
come from the heap up to a fixed size, and what is free there is given back once it is calm.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_HEAP_BLOCK_BYTES: Final = 4 << 20
_KEPT_BYTES: Final = 64 << 20
"""What the heap may have grown by before anything of it is given back."""
_EVERY_S: Final = 5.0

GiveBack = Callable[[], object]


def set_up() -> GiveBack | None:
    """Keep large blocks in the heap; what gives back what is free there.

    None where the C library is not glibc, or the environment sets it up.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return None
    try:
        library = ctypes.CDLL(None)
        mallopt, trim = library.mallopt, library.malloc_trim
    except (OSError, AttributeError, TypeError):  # not glibc: nothing is known to be wrong there
        return None
    mallopt(_M_MMAP_THRESHOLD, _HEAP_BLOCK_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    return lambda: trim(0)


async def keep_small(give_back: GiveBack, resident_bytes: Callable[[], int]) -> None:
    """Give back what is free whenever memory has grown and grows no more, until cancelled."""
    kept = before = resident_bytes()
    while True:
        await asyncio.sleep(_EVERY_S)
        now = resident_bytes()
        if now <= before and now - kept > _KEPT_BYTES:
            give_back()
            kept = now = resident_bytes()  # what is left is in use
        kept, before = min(kept, now), now


def resident_bytes() -> int:
    """Physical memory of this process; 0 where /proc does not say."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # not Linux
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
