"""docs/reference/cli.md is what its script writes from the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs/reference/cli.py"


def test_reference_page_is_up_to_date() -> None:
    """Whoever changes a command writes the page anew: python docs/reference/cli.py."""
    code = f"import runpy; print(runpy.run_path({str(SCRIPT)!r})['text'](), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == SCRIPT.with_suffix(".md").read_text("utf-8")
