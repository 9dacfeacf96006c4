"""The page of metrics."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "metrics.py"


def test_the_page_of_metrics_is_current() -> None:
    """Every metric is on the page, with its type and its labels."""
    names = runpy.run_path(str(SCRIPT))
    assert names["PAGE"].read_text() == names["page"]()
