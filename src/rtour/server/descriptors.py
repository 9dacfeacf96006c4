"""File descriptors: as many as the system lets this process have.

Shells hand out few, 256 or 1,024, for programs that wait with `select`; a server needs one for each
connection. Whoever wants fewer lowers the hard limit (`ulimit -Hn`).
"""

from __future__ import annotations

import logging
from typing import Final

log = logging.getLogger("rtour.server")

_ENOUGH: Final = 1 << 20  # where there is no hard limit: systems refuse to be asked for infinity


def raise_limit() -> int | None:
    """Raise the soft limit to the hard one; the limit from now on, None where there is none."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:  # macOS has a lower limit of its own
        log.debug("File descriptors stay limited to %d: %s", soft, error)
        return soft
    log.debug("File descriptors: up to %d, it was %d", wanted, soft)
    return wanted
