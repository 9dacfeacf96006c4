"""The lessons as one page of the documentation."""

from __future__ import annotations

from pathlib import Path

from ..lessons import LESSONS
from .lesson import title

HEAD = """\
# The tour, lesson by lesson

The texts that `rtour tour` shows, where each is checked by the machine. Ports are the usual ones.
This page is made from `tour/lessons/` by `pytest --rewrite tests/tour/test_docs.py`.

"""


def page(lessons: Path) -> str:
    """All lessons under one heading, numbered, with a list in front."""
    texts = [lesson.text(lessons) for lesson in LESSONS]
    contents = [f"{number}. {title(text)}" for number, text in enumerate(texts, start=1)]
    parts = [_lower(text, number) for number, text in enumerate(texts, start=1)]
    return HEAD + "\n".join([*contents, "", *parts]).rstrip() + "\n"


def _lower(text: str, number: int) -> str:
    """A lesson's headings, one level down; the first gets its number."""
    first, _, rest = text.partition("\n")
    lines, fenced = [f"## {number}. {first.removeprefix('# ')}"], False
    for line in rest.splitlines():
        fenced ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not fenced else line)
    return "\n".join(lines) + "\n"
