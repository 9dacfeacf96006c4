"""Memory that large payloads took goes back to the system when they are gone.

glibc keeps freed blocks below its threshold for mmap, and raises that threshold to the largest
block it ever freed: after one burst of 8 MB payloads a server would hold gigabytes for ever, in
pieces. A fixed threshold keeps large blocks out of the heap.
"""

from __future__ import annotations

import ctypes
import os

_M_MMAP_THRESHOLD = -3
_BYTES = 256 << 10


def return_large_blocks() -> None:
    """Fix the threshold, where the C library is glibc and the environment says nothing else."""
    if "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc: nothing is known to be wrong there
        return
    mallopt(_M_MMAP_THRESHOLD, _BYTES)
