"""The page of settings."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "settings.py"


def test_the_page_of_settings_is_current() -> None:
    """Every setting is on the page, with its default, flag and official variable."""
    names = runpy.run_path(str(SCRIPT))
    assert names["PAGE"].read_text() == names["page"]()
