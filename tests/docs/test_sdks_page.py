"""The page of the official SDKs."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "sdks.py"


def test_the_page_of_sdks_is_current() -> None:
    """Versions and scenarios of every SDK on the page are those that were recorded."""
    names = runpy.run_path(str(SCRIPT))
    assert names["PAGE"].read_text() == names["page"]()
