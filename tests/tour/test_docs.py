"""The documentation's tutorial is the tour's own text."""

from __future__ import annotations

from tests.tour.conftest import ROOT, TOUR
from tour.guide.book import page

PAGE = ROOT / "docs" / "tour" / "lessons.md"


def test_the_tutorial_is_made_from_the_lessons(rewrite: bool) -> None:
    """The page holds every lesson as `rtour tour` shows it."""
    made = page(TOUR / "lessons")
    if rewrite:
        PAGE.write_text(made)
    assert PAGE.read_text() == made


def test_the_pages_lead_to_each_other() -> None:
    """The tour's front page names the tutorial, and how to begin."""
    front = (PAGE.parent / "index.md").read_text()
    assert "(lessons.md)" in front
    assert "rtour tour" in front
