"""docs/reference/lifecycle.md is what its script draws from the table."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from rtour.engine.transitions import ALLOWED

SCRIPT = Path(__file__).parents[2] / "docs/reference/lifecycle.py"


def test_the_page_is_current() -> None:
    """Whoever changes the table draws the page anew: python docs/reference/lifecycle.py."""
    drawn = runpy.run_path(str(SCRIPT))
    assert drawn["PAGE"].read_text(encoding="utf-8") == drawn["page"]()


def test_every_allowed_move_is_an_arrow() -> None:
    """The diagram has as many arrows as the table has pairs of statuses."""
    text = SCRIPT.with_suffix(".md").read_text(encoding="utf-8")
    arrows = re.findall(r"^    (\S+) --> (\S+): ", text, re.MULTILINE)
    pairs = {
        (before or "[*]", after or "[*]")
        for moves in ALLOWED.values()
        for before, afters in moves.items()
        for after in afters
    }
    assert sorted(arrows) == sorted(pairs)
