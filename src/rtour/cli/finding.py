"""What a check of `rtour doctor` answers."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: `level` is ok, warning or problem."""

    level: str
    what: str
    finding: str
    advice: str = ""
