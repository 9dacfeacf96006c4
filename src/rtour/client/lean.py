"""Imports that leave out what no command of ours uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Makes `import module` fail inside, as if it were not installed.

    httpx imports its own command line with click, rich and pygments where those are installed, and
    does without where they are not. They are installed here, for others: 40 ms for nothing.
    """
    if module in sys.modules:
        yield
        return
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules[module] = None  # how Python spells "do not look"
    try:
        yield
    finally:
        del sys.modules[module]
