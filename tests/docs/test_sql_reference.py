"""docs/reference/sql.md is what its script writes from the tables."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs/reference/sql.py"


def test_the_page_is_current() -> None:
    """Whoever changes a table writes the page anew: python docs/reference/sql.py."""
    written = runpy.run_path(str(SCRIPT))
    assert written["PAGE"].read_text(encoding="utf-8") == written["page"]()
