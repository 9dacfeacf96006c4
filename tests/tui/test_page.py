"""docs/reference/tui.md is what its script draws; textual is imported only by the UI."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs/reference/tui.py"
PROBE = """
import sys
import rtour, rtour.client, rtour.cli.tree, rtour.cli.ui, rtour.cli.frontpage
assert "textual" not in sys.modules
import rtour.tui.app
assert "textual" in sys.modules
"""


def test_the_page_is_current() -> None:
    """Whoever changes a key draws the page anew: python docs/reference/tui.py."""
    drawn = runpy.run_path(str(SCRIPT))
    assert drawn["PAGE"].read_text(encoding="utf-8") == drawn["page"]()


def test_textual_is_loaded_by_the_ui_alone() -> None:
    """The command line, up to the command that opens the UI, does without textual."""
    subprocess.run([sys.executable, "-c", PROBE], check=True, timeout=60)
