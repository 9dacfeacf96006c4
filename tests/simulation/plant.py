"""What a planted bug is."""

from __future__ import annotations

from typing import Literal

import msgspec

Disk = Literal["memory", "sqlite"]


class Mutant(msgspec.Struct, frozen=True):
    """A bug in the function `where` (`module:Class.name`); `disk` is what it takes to show."""

    name: str
    where: str
    sound: str
    bug: str
    disk: Disk = "memory"
